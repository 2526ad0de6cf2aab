//! What the link floor promises, beyond what one file promises: timing, mathematics, and no frame unaccounted for.

mod locality;
mod mathematics;
mod random;
mod reading;
mod rules;
mod timing;

use std::time::Duration;

use super::pipe::Pipe;
use crate::filter::Filter;
use crate::id::{Direction, FrameId, LinkId, PipeId, RuleId};
use crate::read::{Reader, Scope, Table};
use crate::record::{Cause, Effect, Outbox};
use crate::rng::Rng;
use crate::time::Time;
use crate::units::Rate;
use crate::wire::{Frame, Layer, Pool};

/// Reads a piece of TOML that has no mistake.
pub(crate) fn read_example<T>(text: &str, read: impl FnOnce(&Table<'_>) -> T) -> T {
    let mut value = None;
    let problems = problems_of(text, |table| value = Some(read(table)));
    assert!(problems.is_empty(), "{text}: {problems:?}");
    value.unwrap()
}

/// The titles and labels of the mistakes that reading a piece of TOML reports.
pub(crate) fn problems_of(text: &str, read: impl FnOnce(&Table<'_>)) -> Vec<String> {
    let parsed = toml::de::DeTable::parse(text).unwrap();
    let reader = Reader::new(text, Scope::default());
    read(&Table::new(parsed.get_ref(), parsed.span(), "links.wan".to_owned(), &reader));
    reader.into_problems().into_iter().map(|problem| format!("{} ({})", problem.title, problem.label)).collect()
}

/// A match expression that means every frame.
pub(crate) fn any_frame() -> Filter {
    Filter::all()
}

/// The `count`-th frame of a node, `length` bytes of zeros from the Ethernet header on.
pub(crate) fn frame(count: u32, length: usize) -> Frame {
    let mut frame = Frame::new(Pool::default().copy(&vec![0; length]), Layer::Ethernet);
    frame.id = Some(FrameId { origin: 0, count });
    frame
}

/// A microsecond per 100 bytes, in nanoseconds; then a delay of ten.
const FAST: &str = "rate = '800Mbit'\ndelay = '10us'";

/// One pipe and all that is needed to watch it.
struct Rig {
    pipe: Pipe,
    out: Outbox,
    frames: u32,
}

impl Rig {
    /// The first direction of a link with this table, observed; an impairment's stream is that of the link `wan`, seed 1.
    fn of(toml: &str) -> Self {
        let [ab, _] = read_example(toml, super::read_link);
        let mut rules = 0;
        let pipe = ab.build(PipeId::new(LinkId(0), Direction::AToB), |kind, _| {
            rules += 1;
            (RuleId(rules), Rng::stream(1, &super::stream_name("wan", Direction::AToB, kind)))
        });
        Self { pipe, out: Outbox::new(true), frames: 0 }
    }

    /// Sends the next frame, counted from 0.
    fn send(&mut self, length: usize, at: Time) {
        self.pipe.send(frame(self.frames, length), at, &mut self.out);
        self.frames += 1;
    }

    /// Sends `count` frames of 100 bytes, one in each `gap` from zero on.
    fn send_every(&mut self, gap: Duration, count: u32) {
        for index in 0..count {
            self.send(100, Time::ZERO + gap * index);
        }
    }

    /// Everything that comes out, with its time in nanoseconds, in order.
    fn frames_out(&mut self) -> Vec<(u64, Frame)> {
        std::iter::from_fn(|| {
            let at = self.pipe.next_arrival_at()?;
            Some((at.as_nanos(), self.pipe.take_arrival(at)?))
        })
        .collect()
    }

    /// When and which: nanoseconds, and the frame's count. A copy counts from 1000 on.
    fn arrivals(&mut self) -> Vec<(u64, u32)> {
        let name = |id: FrameId| if id.origin & FrameId::LINK_BIT == 0 { id.count } else { 1000 + id.count };
        self.frames_out().into_iter().map(|(at, frame)| (at, name(frame.id.unwrap()))).collect()
    }

    /// Which frames were dropped, and why.
    fn drops(&self) -> Vec<(u32, Cause)> {
        let dropped = |effect: &Effect| match effect {
            Effect::Dropped { frame, cause, .. } => Some((frame.id.unwrap().count, *cause)),
            _ => None,
        };
        self.out.effects().iter().filter_map(dropped).collect()
    }
}

fn rate(text: &str) -> Option<Rate> {
    Some(text.parse().unwrap())
}

fn nanos(nanoseconds: u64) -> Time {
    Time::from_nanos(nanoseconds)
}
