//! Those who judge: what a scenario's `[[expect]]` entries demand of a run.
//!
//! An entry goes through three hands. Its *builder* reads the table and reports mistakes that the file alone shows. The
//! [`Claim`] that comes of it meets the network before the run ([`Judge::new`]), finds the mistakes that need the
//! network, and becomes an [`Expectation`], which watches the run if it has to and gives a [`Verdict`] when it is asked
//! to: at the end, or at the entry's `t`.
//!
//! ```text
//! [[expect]] ─▶ read ─▶ Expected (Claim) ─▶ Judge::new(&mut Network) ─▶ run ─▶ Judge::conclude ─▶ Finding, …
//! ```
//!
//! Which kind an entry is, is said by the key that only that kind has: `packets`, `that`, `never`, `count`, `some`.

mod count;
mod frames;
mod judge;
mod never;
mod packets;
mod some;
#[cfg(test)]
mod tests;
mod that;
mod vantage;

pub use judge::Judge;
pub use packets::icmp_names;
pub use vantage::{Passage, Sight, Vantage};

use std::time::Duration;

use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Span, Table};
use crate::record::{Names, Record};
use crate::time::Time;

/// Makes a claim from an `[[expect]]` table. `None`: a mistake has been reported.
pub type Builder = fn(&Table<'_>) -> Option<Box<dyn Claim>>;

/// Everything that can be expected, in alphabetical order. A kind's name is the key that tells it from the others.
pub static KINDS: &[Kind<Builder>] = &[count::KIND, never::KIND, packets::KIND, some::KIND, that::KIND];

/// The keys that every `[[expect]]` entry may have.
pub const COMMON: &[Field] = &[
    Field {
        name: "name",
        form: Form::Text,
        need: Need::Optional,
        doc: "What it is called in findings; the expectation itself if left out.",
    },
    Field {
        name: "t",
        form: Form::Duration,
        need: Need::Optional,
        doc: "It is judged at this time, before anything else that happens then; at the end of the run if left out.",
    },
];

/// What an `[[expect]]` entry says, checked as far as the file alone allows.
pub trait Claim: Send + Sync + std::fmt::Debug {
    /// Prepares to watch a network that has all nodes, links and programs, and whose timed actions are installed.
    ///
    /// # Errors
    ///
    /// A mistake that only the network shows: a port that the node does not have.
    fn watch(&self, network: &Network) -> Result<Box<dyn Expectation>, Diagnostic>;

    /// What is expected, in one line: `never tcp.rst on wan`.
    fn describe(&self) -> String;
}

/// An expectation during a run.
pub trait Expectation: Send + std::fmt::Debug {
    /// Sees one record. Only called if it [watches](Expectation::is_watching).
    fn record(&mut self, _record: &Record<'_>, _names: &Names) {}

    /// Whether it wants to see records at all; if no expectation does, the run is as fast as an unobserved one.
    fn is_watching(&self) -> bool {
        true
    }

    /// Judges the run so far.
    fn conclude(&mut self, network: &Network) -> Verdict;
}

/// What an expectation says in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether what was expected has happened.
    pub is_met: bool,
    /// What was expected, what was seen, the nearest miss; several lines perhaps. When met, what was seen, or nothing.
    pub detail: String,
}

impl Verdict {
    /// It is met.
    #[must_use]
    pub fn met(detail: impl Into<String>) -> Self {
        Self { is_met: true, detail: detail.into() }
    }

    /// It is not, and this is why.
    #[must_use]
    pub fn unmet(detail: impl Into<String>) -> Self {
        Self { is_met: false, detail: detail.into() }
    }
}

/// One expectation's verdict, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The expectation's name, or what it expects.
    pub name: String,
    /// Whether it is met.
    pub is_met: bool,
    /// What was expected, what was seen, the nearest miss; several lines perhaps.
    pub detail: String,
    /// The line of the scenario file, from 1; `None` for what Rust code expects.
    pub line: Option<u32>,
}

/// One `[[expect]]` entry that was read.
#[derive(Debug)]
pub struct Expected {
    /// Its name, or else what it expects.
    pub name: String,
    /// The line of the scenario file, from 1; `None` for what Rust code expects.
    pub line: Option<u32>,
    /// When it is judged; `None`: at the end.
    pub due_at: Option<Time>,
    /// What it says.
    pub claim: Box<dyn Claim>,
}

impl Expected {
    /// What Rust code expects, to be judged at the end.
    #[must_use]
    pub fn new(claim: Box<dyn Claim>) -> Self {
        Self { name: claim.describe(), line: None, due_at: None, claim }
    }
}

/// Reads one `[[expect]]` table, all of its keys. `None`: mistakes have been reported.
#[must_use]
pub fn read(table: &Table<'_>) -> Option<Expected> {
    let before = table.reader.problem_count();
    let kind = kind(table)?;
    table.check(&[COMMON, kind.fields], &[]);
    let name = table.get::<String>("name");
    let due_at = table.get::<Duration>("t").map(|t| Time::ZERO + t);
    let claim = (kind.build)(table).filter(|_| table.reader.problem_count() == before)?;
    let name = name.unwrap_or_else(|| claim.describe());
    Some(Expected { name, line: Some(table.reader.line(table.span.start)), due_at, claim })
}

/// The one kind whose key is there; none or several are reported.
fn kind(table: &Table<'_>) -> Option<&'static Kind<Builder>> {
    let present: Vec<&Kind<Builder>> = KINDS.iter().filter(|kind| table.has(kind.name)).collect();
    match present[..] {
        [kind] => Some(kind),
        [first, second, ..] => {
            let span = table.key_span(second.name).unwrap_or_else(|| table.span.clone());
            let title = format!("an expectation cannot have both `{}` and `{}`", first.name, second.name);
            table.reader.report(Diagnostic::new(span, title).label("make it an `[[expect]]` of its own"));
            None
        }
        [] => {
            report_no_kind(table);
            None
        }
    }
}

/// Reports that no kind's key is there: at a key that may have been meant for one, if there is any.
fn report_no_kind(table: &Table<'_>) {
    let mut any_unknown = false;
    let is_known = |key: &str| {
        let mut fields = COMMON.iter().chain(KINDS.iter().flat_map(|kind| kind.fields));
        fields.any(|field| field.name == key)
    };
    for (key, _) in table.entries() {
        if !is_known(key.value) {
            any_unknown = true;
            let title = format!("nothing that can be expected is called `{}`", key.value);
            let known = KINDS.iter().map(|kind| kind.name);
            table.reader.report(Diagnostic::new(key.span, title).not_among(key.value, known));
        }
    }
    if !any_unknown {
        let known: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect();
        let diagnostic = Diagnostic::new(header(table), "this entry does not say what is expected");
        table.reader.report(diagnostic.label(format!("one of these is missing: {}", known.join(", "))));
    }
}

fn header(table: &Table<'_>) -> Span {
    table.span.clone()
}
