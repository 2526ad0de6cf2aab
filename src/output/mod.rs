//! Those who tell: observers that turn records into something people read.
//!
//! | kind | for whom |
//! |---|---|
//! | [`text`] | a person with a pager: one line per event, spelled as tcpdump does |
//! | [`ladder`] | a person who wants to see it: a sequence diagram, one column per node |
//! | [`pcapng`] | Wireshark |
//! | [`json`] | a program |
//! | [`keylog`] | whoever wants to read what was encrypted |
//! | [`summary`] | whoever wants to know how it went, not how it came about |
//!
//! Beside them, [`story`] is asked about one frame.
//!
//! Each output is made with its options and a [`Sink`], then handed to the network; who made it keeps a clone of the
//! sink. Every output of a run calls the same frame by the same number (see [`Journal`]). An output never fails while
//! the run goes on: what went wrong is told by [`Sink::close`].
//!
//! Same records, same bytes: nothing here looks at a clock, a terminal or the version of the machine.

pub(crate) mod cells;
mod journal;
pub mod json;
pub mod keylog;
pub mod ladder;
pub mod pcapng;
mod places;
mod sink;
mod spell;
pub mod story;
mod style;
pub mod summary;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text;

use std::net::IpAddr;

pub use journal::{FRAMES_REMEMBERED, Journal, Origin, Relation};
pub use json::{Json, JsonOptions};
pub use keylog::Keylog;
pub use ladder::{Ladder, LadderOptions};
pub use pcapng::{Pcapng, PcapngOptions};
pub use places::Places;
pub use sink::{OutputError, Sink};
pub use story::{Explanation, NoSuchFrame, Story};
pub use style::Style;
pub use summary::{Conclusion, FindingLine, ProgramReport, QueuePeak, Summary, SummaryOptions};
pub use text::{Text, TextOptions};

use crate::filter::Filter;
use crate::id::PipeId;
use crate::read::{Item, Kind};
use crate::record::Observer;
use crate::units::Rate;

/// An output that is ready to watch a run.
pub struct Output {
    /// Which kind it is: `pcapng`.
    pub kind: &'static str,
    /// What the network is given.
    pub observer: Box<dyn Observer>,
    /// Where its bytes go; to be [closed](Sink::close) when the run is over.
    pub sink: Sink,
    /// For the summary alone: what to [conclude](Summary::conclude) when the run has been judged.
    pub summary: Option<Summary>,
}

/// What an output is told beside what its scenario says about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its bytes go.
    pub sink: Sink,
    /// Whether it is coloured, if it can be.
    pub style: Style,
    /// Only frames that match this too. Neither the summary nor a capture is filtered.
    pub filter: Option<Filter>,
    /// What people call the addresses of the network.
    pub hosts: Vec<(IpAddr, String)>,
    /// How fast each pipe is, where it has a rate.
    pub rates: Vec<(PipeId, Rate)>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Output({} to {:?})", self.kind, self.sink)
    }
}

impl Settings {
    /// Plain, unfiltered, with addresses as they are.
    #[must_use]
    pub fn new(sink: Sink) -> Self {
        Self { sink, style: Style::Plain, filter: None, hosts: Vec::new(), rates: Vec::new() }
    }
}

/// Makes an output from what the scenario's `[record]` says under its name: `true`, a list of links and `node:port`s,
/// or a table of the kind's fields. Without any of these, as it is by default. `None`: a mistake has been reported.
pub type OutputBuilder = fn(Option<&Item<'_>>, Settings) -> Option<Output>;

/// Every kind of output.
pub const KINDS: &[Kind<OutputBuilder>] =
    &[json::KIND, keylog::KIND, ladder::KIND, pcapng::KIND, summary::KIND, text::KIND];
