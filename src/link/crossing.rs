//! Frames on a pipe whose two ends are kept by different threads.
//!
//! The sender's thread has the [`Pipe`](super::Pipe) and decides everything about a frame; the frame itself is then
//! handed over ([`OnWay`]) and waits for its time in the [`Lane`] that the receiver's thread has. What the pipe still needs
//! to know of it is when it arrives: so many frames are on the way, and no more than
//! [`FLIGHT_MAX`](super::pipe::FLIGHT_MAX) may be.

use std::collections::VecDeque;

use super::counters::PipeCounters;
use super::pipe::InFlight;
use crate::time::Time;
use crate::wire::Frame;

/// A frame on its way that has been handed over.
#[derive(Debug)]
pub struct OnWay(pub(super) InFlight);

impl OnWay {
    /// When it arrives.
    #[must_use]
    pub fn arrives_at(&self) -> Time {
        self.0.arrives_at
    }
}

/// The far end of a pipe: what has been handed over, in the order of arrival.
#[derive(Debug, Default)]
pub struct Lane {
    flight: VecDeque<InFlight>,
    delivered: u64,
    delivered_bytes: u64,
}

impl Lane {
    /// A frame joins those on the way, at the place that it would have in its pipe.
    pub fn join(&mut self, frame: OnWay) {
        put_in_order(&mut self.flight, frame.0);
    }

    /// When the next frame comes out.
    #[must_use]
    pub fn next_arrival_at(&self) -> Option<Time> {
        self.flight.front().map(|first| first.arrives_at)
    }

    /// Takes out the next frame that has arrived by `now`.
    pub fn take_arrival(&mut self, now: Time) -> Option<Frame> {
        self.flight.front().filter(|first| first.arrives_at <= now)?;
        let arrived = self.flight.pop_front()?;
        self.delivered += 1;
        self.delivered_bytes += arrived.frame.len() as u64;
        Some(arrived.frame)
    }

    /// Takes out the next frame although it has not arrived: back to its pipe.
    pub fn recall(&mut self) -> Option<OnWay> {
        self.flight.pop_front().map(OnWay)
    }

    /// Adds what came out here to what the pipe has counted.
    pub fn count(&self, counters: &mut PipeCounters) {
        counters.delivered += self.delivered;
        counters.delivered_bytes += self.delivered_bytes;
    }
}

/// What a pipe knows of the frames that it has handed over.
#[derive(Debug)]
pub(super) struct Away {
    /// When they arrive, ascending; those that have arrived are forgotten now and then.
    arrivals: VecDeque<Time>,
    /// Of one instant, what arrives at the far end comes before what is sent here: the order of the nodes.
    arrivals_first: bool,
}

impl Away {
    pub(super) fn new(arrivals_first: bool) -> Self {
        Self { arrivals: VecDeque::new(), arrivals_first }
    }

    /// How many are on the way while something is sent at `now`.
    pub(super) fn count(&mut self, now: Time) -> usize {
        let has_arrived = |at: &Time| *at < now || (*at == now && self.arrivals_first);
        while self.arrivals.front().is_some_and(has_arrived) {
            self.arrivals.pop_front();
        }
        self.arrivals.len()
    }

    pub(super) fn add(&mut self, arrives_at: Time) {
        let place = self.arrivals.iter().rposition(|other| *other <= arrives_at).map_or(0, |place| place + 1);
        self.arrivals.insert(place, arrives_at);
    }

    /// None is away any more.
    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
    }
}

/// Puts a frame behind all that arrive before it or with it.
pub(super) fn put_in_order(flight: &mut VecDeque<InFlight>, in_flight: InFlight) {
    let arrives_at = in_flight.arrives_at;
    if flight.capacity() == 0 {
        // A list that grows by itself begins with four; at most links there is one frame at a time.
        flight.reserve_exact(1);
    }
    if flight.back().is_none_or(|last| last.arrives_at <= arrives_at) {
        return flight.push_back(in_flight);
    }
    let place = flight.iter().rposition(|other| other.arrives_at <= arrives_at).map_or(0, |place| place + 1);
    flight.insert(place, in_flight);
}
