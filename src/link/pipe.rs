//! One direction of a link.
//!
//! A frame is moved in, judged once, and moved out when its time has come. What is on the way is kept in the order of
//! arrival, so that the agenda needs one entry for a busy pipe, not one for each frame. Nothing is allocated once the
//! lists in here have grown to what the traffic needs; only a change of rate or delay while frames wait is.
//!
//! Who calls what: the network [sends](Pipe::send) a frame, asks [`next_arrival_at`](Pipe::next_arrival_at) after
//! *every* call that changes the pipe, and takes out what has arrived.

use std::collections::VecDeque;
use std::time::Duration;

use super::counters::PipeCounters;
use super::fault::FaultRule;
use super::impair::Impairment;
use super::jury::{Deed, Delays, Jury};
use super::queue::{Queue, QueueLimit, Waiting};
use super::spec::PipeSpec;
use crate::id::{FrameId, PipeId, RuleId};
use crate::record::{Alteration, Cause, Outbox};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Rate;
use crate::wire::{Frame, Layer};

/// Nothing crosses a link in zero time, so that events of one instant at different nodes are independent.
pub const DELAY_MIN: Duration = Duration::from_nanos(1);

/// How many frames may be on one direction of a link at once: 10 Gbit/s over a satellite, 270 ms in frames of 1500 B,
/// are 225,000. Without a limit, a loop that duplicates would eat all memory.
pub const FLIGHT_MAX: usize = 1 << 18;

/// The length of an Ethernet header: an MTU counts what lies behind it.
const ETHERNET_HEADER_BYTES: usize = 14;

/// The length of a VLAN tag (IEEE 802.1Q), which does not count against the MTU either.
const VLAN_TAG_BYTES: usize = 4;

/// A frame on its way.
#[derive(Debug)]
struct InFlight {
    arrives_at: Time,
    /// The how-manieth frame that the transmitter accepted, from 0; a copy has its original's number.
    ticket: u64,
    /// What was added to the delay.
    delays: Delays,
    frame: Frame,
}

/// One direction of a link: frames in, frames out later.
#[derive(Debug)]
pub struct Pipe {
    id: PipeId,
    spec: PipeSpec,
    is_up: bool,
    queue: Queue,
    /// When the transmitter has nothing left to send.
    free_at: Time,
    /// How many frames the transmitter accepted: the last ones of them wait in the queue.
    accepted: u64,
    /// When the last frame that keeps the order arrives.
    ordered_until: Time,
    /// In the order of arrival.
    flight: VecDeque<InFlight>,
    jury: Jury,
    copies: u32,
    counters: PipeCounters,
}

impl Pipe {
    /// An idle pipe that is up.
    #[must_use]
    pub fn new(id: PipeId, mut spec: PipeSpec) -> Self {
        spec.delay = spec.delay.max(DELAY_MIN);
        let queue = Queue::new(spec.queue);
        Self {
            id,
            spec,
            is_up: true,
            queue,
            free_at: Time::ZERO,
            accepted: 0,
            ordered_until: Time::ZERO,
            flight: VecDeque::new(),
            jury: Jury::default(),
            copies: 0,
            counters: PipeCounters::default(),
        }
    }

    /// Adds an impairment behind those already there. `rule` signs its deeds, `rng` is the stream of its name.
    pub fn add_impairment(&mut self, rule: RuleId, rng: Rng, impairment: Box<dyn Impairment>) {
        self.jury.add_impairment(rule, rng, impairment);
    }

    /// Puts another impairment in the place of the one of this kind, or none; the place keeps its rule and its luck.
    ///
    /// # Errors
    ///
    /// Gives the impairment back if there never was one of its kind: it needs a name and a stream
    /// ([`add_impairment`](Self::add_impairment)).
    pub fn set_impairment(
        &mut self,
        kind: &str,
        impairment: Option<Box<dyn Impairment>>,
    ) -> Result<(), Option<Box<dyn Impairment>>> {
        self.jury.set_impairment(kind, impairment)
    }

    /// Adds a fault rule behind those already there; it counts frames from now on.
    pub fn add_fault(&mut self, fault: FaultRule) {
        self.jury.add_fault(fault);
    }

    /// A frame enters. It is told of by [`Outbox`] effects if it does not come out, or not as it was.
    pub fn send(&mut self, mut frame: Frame, now: Time, out: &mut Outbox) {
        self.counters.sent += 1;
        self.counters.sent_bytes += frame.len() as u64;
        if !self.is_up {
            return self.drop_frame(frame, Cause::LinkDown, None, out);
        }
        if packet_exceeds(&frame, self.spec.mtu) {
            return self.drop_frame(frame, Cause::OverMtu, None, out);
        }
        if self.flight.len() >= FLIGHT_MAX {
            return self.drop_frame(frame, Cause::LinkFull, None, out);
        }
        let Some((ticket, departs_at)) = self.admit(frame.len() as u64, now) else {
            return self.drop_frame(frame, Cause::QueueFull, None, out);
        };
        if self.jury.is_empty() {
            return self.launch(frame, ticket, departs_at, Delays::default());
        }
        let sentence = self.jury.judge(&mut frame, now);
        match sentence.loss {
            Some((cause, rule)) => self.drop_frame(frame, cause, Some(rule), out),
            None => self.carry_out(frame, ticket, departs_at, sentence.delays, out),
        }
    }

    /// When the next frame comes out: always later than any `now` that the pipe has been told, unless a frame that has
    /// arrived has not been taken out yet.
    #[must_use]
    pub fn next_arrival_at(&self) -> Option<Time> {
        self.flight.front().map(|first| first.arrives_at)
    }

    /// Takes out the next frame that has arrived by `now`.
    pub fn take_arrival(&mut self, now: Time) -> Option<Frame> {
        self.flight.front().filter(|first| first.arrives_at <= now)?;
        let arrived = self.flight.pop_front()?;
        self.counters.delivered += 1;
        self.counters.delivered_bytes += arrived.frame.len() as u64;
        Some(arrived.frame)
    }

    /// The link goes up or down; whether that is a change. What is on a link that goes down is lost, even what is due
    /// at this very instant and has not been taken out. A link that comes up again begins idle.
    pub fn set_up(&mut self, is_up: bool, now: Time, out: &mut Outbox) -> bool {
        if self.is_up == is_up {
            return false;
        }
        self.is_up = is_up;
        if !is_up {
            while let Some(lost) = self.flight.pop_front() {
                self.drop_frame(lost.frame, Cause::LinkDown, None, out);
            }
            self.queue.advance(now);
            self.queue.clear();
            self.free_at = now;
            self.ordered_until = now;
        }
        true
    }

    /// Changes the propagation delay, for frames whose transmission has not begun. What is in the air arrives as it
    /// would have, and what follows does not overtake it.
    pub fn set_delay(&mut self, delay: Duration, now: Time) {
        self.spec.delay = delay.max(DELAY_MIN);
        self.reschedule(now);
    }

    /// Changes the rate, for frames whose transmission has not begun.
    pub fn set_rate(&mut self, rate: Option<Rate>, now: Time) {
        self.spec.rate = rate;
        self.reschedule(now);
    }

    /// Changes the MTU, for frames to come.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.spec.mtu = mtu;
    }

    /// Changes how much may wait, for frames to come; what waits already stays.
    pub fn set_queue(&mut self, limit: QueueLimit) {
        self.spec.queue = limit;
        self.queue.limit = limit;
    }

    /// Which pipe this is.
    #[must_use]
    pub fn id(&self) -> PipeId {
        self.id
    }

    /// What the pipe is like now.
    #[must_use]
    pub fn spec(&self) -> &PipeSpec {
        &self.spec
    }

    /// Whether frames pass.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// How many frames are on the way, those that wait for the transmitter included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// The fault rules, in the order in which they were added, those that are over included.
    #[must_use]
    pub fn faults(&self) -> &[FaultRule] {
        self.jury.faults()
    }

    /// What has gone through, or not.
    #[must_use]
    pub fn counters(&self) -> PipeCounters {
        let waits = self.queue.waits();
        PipeCounters {
            transmitted: waits.count,
            queue_delay_total: waits.total,
            queue_delay_max: waits.longest,
            ..self.counters
        }
    }

    /// The newcomer's number and when it has been clocked out, if the queue lets it in.
    fn admit(&mut self, bytes: u64, now: Time) -> Option<(u64, Time)> {
        self.queue.advance(now);
        let begins_at = self.free_at.max(now);
        if begins_at == now {
            self.queue.pass();
        } else {
            if !self.queue.has_room(bytes) {
                return None;
            }
            self.queue.push(Waiting { entered_at: now, begins_at, bytes });
            self.counters.queue_packets_max = self.counters.queue_packets_max.max(self.queue.packets());
            self.counters.queue_bytes_max = self.counters.queue_bytes_max.max(self.queue.bytes());
        }
        self.free_at = begins_at + self.time_for(bytes);
        let ticket = self.accepted;
        self.accepted += 1;
        Some((ticket, self.free_at))
    }

    /// Does to a frame that is not lost what was decided, and puts it and its copies on their way.
    fn carry_out(&mut self, mut frame: Frame, ticket: u64, departs_at: Time, delays: Delays, out: &mut Outbox) {
        let deeds = self.jury.take_deeds();
        self.alter(&mut frame, &deeds, out);
        // Copies are of the frame as it comes out, damage included.
        let (original, cause) = (frame.id, frame.id.or(frame.cause));
        for (rule, _) in deeds.iter().filter(|(_, deed)| *deed == Deed::Copy) {
            let mut copy = frame.duplicate(&mut out.pool);
            let id = FrameId { origin: FrameId::LINK_BIT | self.id.0, count: self.copies };
            self.copies = self.copies.wrapping_add(1);
            self.counters.duplicated += 1;
            copy.id = Some(id);
            copy.cause = cause;
            tell(original, Alteration::Duplicated { copy: id }, *rule, out);
            self.launch(std::mem::replace(&mut frame, copy), ticket, departs_at, delays);
        }
        self.launch(frame, ticket, departs_at, delays);
        self.jury.give_back(deeds);
    }

    fn alter(&mut self, frame: &mut Frame, deeds: &[(RuleId, Deed)], out: &mut Outbox) {
        let (mut was_flipped, mut was_held_back) = (false, false);
        for (rule, deed) in deeds {
            match *deed {
                Deed::Flip { byte, bit } => {
                    // The damage must be seen against a right checksum.
                    frame.complete();
                    let byte = byte % u32::try_from(frame.len()).unwrap_or(u32::MAX).max(1);
                    let Some(victim) = frame.bytes_mut().get_mut(byte as usize) else { continue };
                    *victim ^= 1 << bit;
                    frame.damaged = true;
                    was_flipped = true;
                    tell(frame.id, Alteration::Corrupted { byte, bit }, *rule, out);
                }
                Deed::HeldBack(delay) => {
                    was_held_back = true;
                    tell(frame.id, Alteration::Delayed(delay), *rule, out);
                }
                Deed::Copy => {}
            }
        }
        self.counters.corrupted += u64::from(was_flipped);
        self.counters.held_back += u64::from(was_held_back);
    }

    /// Puts a frame on its way.
    fn launch(&mut self, frame: Frame, ticket: u64, departs_at: Time, delays: Delays) {
        let in_order = (departs_at + self.spec.delay + delays.in_order).max(self.ordered_until);
        let arrives_at = match delays.alone {
            // Held back from where its turn would have been: it is overtaken, it does not overtake.
            Some(alone) => in_order + alone,
            None => {
                self.ordered_until = in_order;
                in_order
            }
        };
        let in_flight = InFlight { arrives_at, ticket, delays, frame };
        if self.flight.capacity() == 0 {
            // A list that grows by itself begins with four; at most links there is one frame at a time.
            self.flight.reserve_exact(1);
        }
        if self.flight.back().is_none_or(|last| last.arrives_at <= arrives_at) {
            return self.flight.push_back(in_flight);
        }
        let place = self.flight.iter().rposition(|other| other.arrives_at <= arrives_at).map_or(0, |place| place + 1);
        self.flight.insert(place, in_flight);
    }

    /// Works out anew when the waiting frames leave and arrive, after the rate or the delay has changed.
    fn reschedule(&mut self, now: Time) {
        self.queue.advance(now);
        let rate = self.spec.rate;
        let Some(free_at) = self.queue.reschedule(|bytes| time_for(rate, bytes)) else { return };
        self.free_at = free_at;
        let first_waiting = self.accepted - self.queue.packets();
        let mut waiting: Vec<InFlight> = Vec::new();
        self.ordered_until = now;
        for _ in 0..self.flight.len() {
            let Some(on_way) = self.flight.pop_front() else { break };
            if on_way.ticket >= first_waiting {
                waiting.push(on_way);
                continue;
            }
            if on_way.delays.alone.is_none() {
                self.ordered_until = self.ordered_until.max(on_way.arrives_at);
            }
            self.flight.push_back(on_way);
        }
        // Stable: a copy stays behind its original.
        waiting.sort_by_key(|on_way| on_way.ticket);
        for InFlight { ticket, delays, frame, .. } in waiting {
            let place = usize::try_from(ticket - first_waiting).ok();
            let begins_at = place.and_then(|place| self.queue.begins_at(place));
            let begins_at = begins_at.expect("the transmitter accepts in turn, so the queue holds the last tickets");
            let departs_at = begins_at + self.time_for(frame.len() as u64);
            self.launch(frame, ticket, departs_at, delays);
        }
    }

    fn time_for(&self, bytes: u64) -> Duration {
        time_for(self.spec.rate, bytes)
    }

    fn drop_frame(&mut self, frame: Frame, cause: Cause, rule: Option<RuleId>, out: &mut Outbox) {
        self.counters.count_drop(cause);
        match rule {
            Some(rule) => out.drop_by_rule(frame, cause, rule),
            None => out.drop_frame(frame, cause),
        }
    }
}

fn time_for(rate: Option<Rate>, bytes: u64) -> Duration {
    rate.map_or(Duration::ZERO, |rate| rate.time_for(usize::try_from(bytes).unwrap_or(usize::MAX)))
}

fn tell(frame: Option<FrameId>, how: Alteration, rule: RuleId, out: &mut Outbox) {
    if let Some(frame) = frame {
        out.altered(frame, how, Some(rule));
    }
}

/// Whether the frame's packet, without its link header, is longer than `mtu` bytes.
fn packet_exceeds(frame: &Frame, mtu: usize) -> bool {
    let header = match frame.layer {
        Layer::Ip => 0,
        Layer::Ethernet => ETHERNET_HEADER_BYTES,
    };
    // Almost always the end of the question, before any byte is looked at.
    if frame.len() <= mtu.saturating_add(header) {
        return false;
    }
    let is_tagged =
        frame.layer == Layer::Ethernet && matches!(frame.bytes().get(12..14), Some([0x81, 0x00] | [0x88, 0xa8]));
    let tag = if is_tagged { VLAN_TAG_BYTES } else { 0 };
    frame.len() - header > mtu.saturating_add(tag)
}
