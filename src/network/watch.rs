//! Who is told of what happens: the observers at once, or a log from which they are told later.
//!
//! While parts of a network run at the same time, each writes down what it has to tell, with the place of the event in the
//! one order of all events; [`parallel`](super::parallel) reads the logs out in that order.

use std::collections::VecDeque;

use super::agenda::EventKey;
use crate::id::{AppId, FrameId, RuleId};
use crate::record::{Alteration, Cause, Names, Observer, Place, Record, What};
use crate::time::Time;
use crate::wire::{Frame, Pool};

/// Who is told.
pub(super) enum Watch<'a> {
    /// Nobody wants to know.
    Nobody,
    /// These, at once.
    Now {
        /// In the order in which they were added.
        observers: &'a mut [Box<dyn Observer>],
        /// What things are called.
        names: &'a Names,
    },
    /// Somebody, later.
    Later(&'a mut Log),
}

impl<'a> Watch<'a> {
    /// Tells these observers at once.
    pub(super) fn now(observers: &'a mut [Box<dyn Observer>], names: &'a Names) -> Self {
        if observers.is_empty() { Self::Nobody } else { Self::Now { observers, names } }
    }

    /// Whether nobody wants to know.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// What follows belongs to this event.
    pub(super) fn begin(&mut self, event: EventKey) {
        if let Self::Later(log) = self {
            log.event = event;
        }
    }

    /// Tells of one thing. `pool` is where a copy of the frame takes its bytes from, if it must be kept.
    pub(super) fn tell(&mut self, record: &Record<'_>, pool: &mut Pool) {
        match self {
            Self::Nobody => {}
            Self::Now { observers, names } => observers.iter_mut().for_each(|observer| observer.record(record, names)),
            Self::Later(log) => log.keep(record, pool),
        }
    }
}

/// What one part has to tell, in the order in which it happened there.
#[derive(Debug)]
pub(super) struct Log {
    event: EventKey,
    kept: VecDeque<Kept>,
}

/// A record that is told later.
#[derive(Debug)]
struct Kept {
    event: EventKey,
    at: Time,
    place: Place,
    what: KeptWhat,
}

/// What a [`What`] says, in possession of its frame.
#[derive(Debug)]
enum KeptWhat {
    Altered { frame: FrameId, how: Alteration, rule: Option<RuleId> },
    Delivered { frame: Frame },
    Dropped { frame: Frame, cause: Cause, rule: Option<RuleId> },
    LinkIsUp(bool),
    Note { app: Option<AppId>, text: String },
    Secret { line: String },
    Sent { frame: Frame },
}

impl Default for Log {
    fn default() -> Self {
        Self { event: EventKey::before(Time::ZERO), kept: VecDeque::new() }
    }
}

impl Log {
    /// The event that the first record belongs to.
    pub(super) fn first(&self) -> Option<EventKey> {
        self.kept.front().map(|kept| kept.event)
    }

    /// Tells the first record, and gives its bytes back.
    pub(super) fn tell_first(&mut self, watch: &mut Watch<'_>, pool: &mut Pool) {
        let Some(Kept { at, place, what, .. }) = self.kept.pop_front() else { return };
        let told = match &what {
            KeptWhat::Altered { frame, how, rule } => What::Altered { frame: *frame, how: *how, rule: *rule },
            KeptWhat::Delivered { frame } => What::Delivered { frame },
            KeptWhat::Dropped { frame, cause, rule } => What::Dropped { frame, cause: *cause, rule: *rule },
            KeptWhat::LinkIsUp(is_up) => What::LinkIsUp(*is_up),
            KeptWhat::Note { app, text } => What::Note { app: *app, text },
            KeptWhat::Secret { line } => What::Secret { line },
            KeptWhat::Sent { frame } => What::Sent { frame },
        };
        watch.tell(&Record { at, place, what: told }, pool);
        match what {
            KeptWhat::Delivered { frame } | KeptWhat::Dropped { frame, .. } | KeptWhat::Sent { frame } => {
                frame.recycle(pool);
            }
            KeptWhat::Altered { .. } | KeptWhat::LinkIsUp(_) | KeptWhat::Note { .. } | KeptWhat::Secret { .. } => {}
        }
    }

    /// Forgets what has not been told.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    fn keep(&mut self, record: &Record<'_>, pool: &mut Pool) {
        let what = match &record.what {
            What::Altered { frame, how, rule } => KeptWhat::Altered { frame: *frame, how: *how, rule: *rule },
            What::Delivered { frame } => KeptWhat::Delivered { frame: same(frame, pool) },
            What::Dropped { frame, cause, rule } => {
                KeptWhat::Dropped { frame: same(frame, pool), cause: *cause, rule: *rule }
            }
            What::LinkIsUp(is_up) => KeptWhat::LinkIsUp(*is_up),
            What::Note { app, text } => KeptWhat::Note { app: *app, text: (*text).to_owned() },
            What::Secret { line } => KeptWhat::Secret { line: (*line).to_owned() },
            What::Sent { frame } => KeptWhat::Sent { frame: same(frame, pool) },
        };
        self.kept.push_back(Kept { event: self.event, at: record.at, place: record.place, what });
    }
}

/// The frame as it is now, identity included, in bytes of its own.
fn same(frame: &Frame, pool: &mut Pool) -> Frame {
    let mut copy = frame.duplicate(pool);
    (copy.id, copy.cause) = (frame.id, frame.cause);
    copy
}
