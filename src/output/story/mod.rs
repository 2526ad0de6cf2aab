//! The story of every frame: where it came from, what it was on its way, what became of it.
//!
//! Other outputs tell what happened in the order of time; this one is asked about one frame. It keeps the frames of a
//! run, the latest of them if there are too many, under the numbers that all outputs share, and
//! [explains](Story::explain) any of them: header by header, hop by hop, with cause and end.

mod changes;
mod explanation;
mod html;
mod json;
#[cfg(test)]
mod tests;
mod text;

pub use changes::Change;
pub use explanation::{Explanation, Hop, Line};

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::journal::{FRAMES_REMEMBERED, Journal, Origin};
use super::places::Wiring;
use super::spell::{Speller, alteration};
use crate::filter::Filter;
use crate::id::{AppId, NodeId, PipeId, PortId};
use crate::record::{Alteration, Cause, Names, Observer, Place, Record, What};
use crate::time::Time;
use crate::wire::conversation::Relative;
use crate::wire::{Frame, Layer};

/// How many bytes of frames are kept; the oldest frames go first. A frame that is asked for, and what led to it, stays.
const BYTES_REMEMBERED: usize = 256 << 20;

/// How many things that programs and nodes say are kept.
const NOTES_REMEMBERED: usize = 1 << 16;

/// One run, frame by frame. Clones share what they know: the network owns one that watches, whoever asks has another.
#[derive(Debug, Clone, Default)]
pub struct Story {
    kept: Arc<Mutex<Kept>>,
}

/// There is no such frame, or it is known no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchFrame {
    /// The run was over before.
    #[error("there is no frame #{number}: {}", match last { 0 => "the run sends none".to_owned(), last => format!("the run's last is #{last}") })]
    NeverSent {
        /// What was asked for.
        number: u64,
        /// The greatest number there is.
        last: u64,
    },
    /// Too many came after it.
    #[error("frame #{number} is remembered no more: the oldest that is known is #{first}")]
    Forgotten {
        /// What was asked for.
        number: u64,
        /// The least number that is still known.
        first: u64,
    },
}

/// A frame and what happened to it.
#[derive(Debug)]
struct Sighting {
    number: u64,
    sent_at: Time,
    /// `None` for a copy that a link made.
    sent_by: Option<(NodeId, PortId)>,
    pipe: Option<PipeId>,
    layer: Layer,
    bytes: Vec<u8>,
    /// As it was when it arrived, if a link had damaged it.
    damaged: Option<Vec<u8>>,
    relative: Relative,
    line: String,
    origin: Option<Origin>,
    events: Vec<Event>,
    /// Whether the list's filter lets it through.
    is_listed: bool,
}

/// Something that happened to a frame.
#[derive(Debug)]
enum Event {
    Altered { text: String },
    Arrived { at: Time, node: NodeId, port: PortId },
    Dropped { at: Time, place: Place, cause: Cause, rule: Option<crate::id::RuleId> },
}

/// Something that a program or a node said.
#[derive(Debug)]
struct Said {
    at: Time,
    node: NodeId,
    app: Option<AppId>,
    text: String,
}

#[derive(Debug, Default)]
struct Kept {
    frames: BTreeMap<u64, Sighting>,
    /// Numbers in the order in which they may be forgotten.
    order: VecDeque<u64>,
    bytes: usize,
    notes: VecDeque<Said>,
    journal: Journal,
    speller: Speller,
    wiring: Wiring,
    names: Names,
    filter: Option<Filter>,
    /// A frame that somebody will ask for.
    wanted: Option<u64>,
    /// The lines of the scenario, to show the one that a rule stands in.
    source: Option<(String, String)>,
    ended_at: Time,
}

impl Story {
    /// One that knows nothing yet and writes these names in place of addresses.
    #[must_use]
    pub fn new(hosts: Vec<(IpAddr, String)>) -> Self {
        let kept = Kept { speller: Speller::new(hosts), ..Kept::default() };
        Self { kept: Arc::new(Mutex::new(kept)) }
    }

    /// Has the [list](Self::list) show matching frames only.
    pub fn set_filter(&self, filter: Filter) {
        self.lock().filter = Some(filter);
    }

    /// Keeps a frame, and what led to it, even if very many follow.
    pub fn keep(&self, number: u64) {
        self.lock().wanted = Some(number);
    }

    /// Shows the scenario's own line where a rule of it dropped a frame.
    pub fn set_source(&self, name: impl Into<String>, text: impl Into<String>) {
        self.lock().source = Some((name.into(), text.into()));
    }

    /// How many frames there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lock().journal.count()
    }

    /// Explains the frame of a number that outputs show.
    ///
    /// # Errors
    ///
    /// When there is none, or none any more.
    pub fn explain(&self, number: u64) -> Result<Explanation, NoSuchFrame> {
        let kept = self.lock();
        match kept.frames.contains_key(&number) {
            true => Ok(explanation::explain(&kept, number)),
            false if number == 0 || number > kept.journal.count() => {
                Err(NoSuchFrame::NeverSent { number, last: kept.journal.count() })
            }
            false => Err(NoSuchFrame::Forgotten { number, first: kept.first() }),
        }
    }

    /// Every frame that can be explained, one a line: number, time, from whom to whom, what it is, and how it ended if it
    /// was lost.
    #[must_use]
    pub fn list(&self) -> String {
        let kept = self.lock();
        text::list(&kept, kept.frames.values().filter(|frame| frame.is_listed))
    }

    /// The frames around a number, as in the [list](Self::list): what else may have been meant.
    #[must_use]
    pub fn near(&self, number: u64) -> String {
        let kept = self.lock();
        let around = |frame: &&Sighting| frame.number.abs_diff(number.clamp(kept.first(), kept.journal.count())) <= 2;
        text::list(&kept, kept.frames.values().filter(around))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Story {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.lock().record(record, names);
    }

    fn finish(&mut self, now: Time, names: &Names) {
        let mut kept = self.lock();
        kept.ended_at = now;
        kept.names = names.clone();
    }
}

impl Kept {
    fn first(&self) -> u64 {
        self.frames.keys().next().copied().unwrap_or(1)
    }

    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.journal.record(record);
        let at = record.at;
        match record.what {
            What::Altered { frame, how, rule } => {
                let number = self.journal.number(frame);
                let text = alteration(how, rule, &self.journal, names);
                if let Alteration::Duplicated { copy } = how {
                    self.copy(number, self.journal.number(copy), at);
                }
                self.add_event(number, Event::Altered { text });
            }
            What::Delivered { frame } => {
                let Place::Port(node, port) = record.place else { return };
                self.speller.see(&record.what);
                let number = frame.id.and_then(|id| self.journal.number(id));
                if frame.damaged
                    && let Some(sighting) = number.and_then(|number| self.frames.get_mut(&number))
                {
                    sighting.damaged = Some(frame.bytes().to_vec());
                }
                self.add_event(number, Event::Arrived { at, node, port });
            }
            What::Dropped { frame, cause, rule } => {
                self.speller.see(&record.what);
                // A packet that has not become a frame yet ends the one that it was made of.
                let number = frame.id.or(frame.cause).and_then(|id| self.journal.number(id));
                self.add_event(number, Event::Dropped { at, place: record.place, cause, rule });
            }
            What::Sent { frame } => self.add(frame, record, names),
            What::LinkIsUp(_) | What::Secret { .. } => {}
            What::Note { app, text } => {
                let (Place::Node(node) | Place::Port(node, _)) = record.place else { return };
                if self.notes.len() >= NOTES_REMEMBERED {
                    self.notes.pop_front();
                }
                let text = text.lines().next().unwrap_or_default().to_owned();
                self.notes.push_back(Said { at, node, app, text });
            }
        }
    }

    fn add(&mut self, frame: &Frame, record: &Record<'_>, names: &Names) {
        let Place::Port(node, port) = record.place else { return };
        let Some(number) = frame.id.and_then(|id| self.journal.number(id)) else { return };
        let (line, relative) = self.speller.long_with_base(frame);
        let sighting = Sighting {
            number,
            sent_at: record.at,
            sent_by: Some((node, port)),
            pipe: self.wiring.pipe_from(node, port, names),
            layer: frame.layer,
            bytes: frame.bytes().to_vec(),
            damaged: None,
            relative,
            line,
            origin: self.journal.origin(frame, record.place),
            events: Vec::new(),
            is_listed: self.filter.as_ref().is_none_or(|filter| filter.matches(frame)),
        };
        self.insert(sighting);
    }

    /// A link has made a copy.
    fn copy(&mut self, original: Option<u64>, copy: Option<u64>, at: Time) {
        let (Some(original), Some(number)) = (original, copy) else { return };
        let Some(of) = self.frames.get(&original) else { return };
        let sighting = Sighting {
            number,
            sent_at: at,
            sent_by: None,
            pipe: of.pipe,
            layer: of.layer,
            bytes: of.bytes.clone(),
            damaged: None,
            relative: of.relative,
            line: of.line.clone(),
            origin: Some(Origin { relation: super::Relation::Copies, number: original }),
            events: Vec::new(),
            is_listed: of.is_listed,
        };
        self.insert(sighting);
    }

    fn insert(&mut self, sighting: Sighting) {
        if self.frames.contains_key(&sighting.number) {
            return;
        }
        let number = sighting.number;
        self.bytes += sighting.bytes.len();
        self.frames.insert(number, sighting);
        match self.is_wanted(number) {
            true => self.keep_origins(number),
            false => self.order.push_back(number),
        }
        while self.order.len() > FRAMES_REMEMBERED || self.bytes > BYTES_REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.frames.remove(&oldest) {
                self.bytes -= gone.bytes.len();
            }
        }
    }

    /// Whether a frame is the one that somebody will ask for, or carries that one on.
    fn is_wanted(&self, number: u64) -> bool {
        let Some(wanted) = self.wanted else { return false };
        let origin = self.frames.get(&number).and_then(|frame| frame.origin);
        number == wanted || origin.is_some_and(|origin| self.frames.contains_key(&wanted) && origin.number == wanted)
    }

    /// Takes what led to a frame out of what may be forgotten.
    fn keep_origins(&mut self, number: u64) {
        let mut kept = Vec::new();
        let mut next = self.frames.get(&number).and_then(|frame| frame.origin);
        while let Some(origin) = next {
            kept.push(origin.number);
            next = self.frames.get(&origin.number).and_then(|frame| frame.origin);
        }
        self.order.retain(|number| !kept.contains(number));
    }

    fn add_event(&mut self, number: Option<u64>, event: Event) {
        if let Some(sighting) = number.and_then(|number| self.frames.get_mut(&number)) {
            sighting.events.push(event);
        }
    }
}
