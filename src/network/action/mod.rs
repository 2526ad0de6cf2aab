//! Timed actions: what a scenario's `[[at]]` entries do.
//!
//! An entry goes through three hands. Its *builder* reads the table and reports mistakes that the file alone shows. The
//! [`Plan`] that comes of it is put into a network once all names exist ([`Timed::install`]); it registers the rule
//! names that sign a fault's victims, and finds the mistakes that need the network. What then waits for its time is an
//! [`Action`]. Whoever writes Rust rather than a scenario plans the actions themselves with
//! [`Network::plan`](super::Network::plan).
//!
//! Actions of one time happen in the order of the file, before anything else of that time.

mod command;
mod fault;
mod inject;
mod outage;
mod set;
mod show;
#[cfg(test)]
mod tests;
mod way;

pub use command::Order;
pub use fault::AddFault;
pub use outage::{Flap, SetLinkUp};
pub use set::SetProperties;
pub use show::{Shelf, Show, View};
pub use way::Way;

use std::time::Duration;

use super::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need, Read as _, Table};
use crate::time::Time;

/// Something that is done to the network at a time.
pub trait Action: Send + std::fmt::Debug {
    /// Does it.
    ///
    /// # Errors
    ///
    /// A phrase for the user: why it cannot be done.
    fn apply(&mut self, network: &mut Network) -> Result<(), String>;

    /// What it does, for messages: `link-down wan`.
    fn describe(&self) -> String;
}

/// What an `[[at]]` entry says, checked as far as the file alone allows.
pub trait Plan: Send + std::fmt::Debug {
    /// Registers names and plans actions in a network that has all nodes, links and programs.
    ///
    /// # Errors
    ///
    /// A mistake that only the network shows: a direction that the link does not have.
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic>;

    /// What it will do, for listings: `drop on access (client -> sw1): tcp.syn`.
    fn describe(&self) -> String;
}

/// When an entry happens, and what it is called: what all entries have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// When it happens.
    pub at: Time,
    /// Its name in the scenario, if it has one.
    pub name: Option<String>,
    /// The line of the file on which it begins, from 1.
    pub line: u32,
}

/// Makes a plan from an `[[at]]` table whose common keys have been read. `None`: a mistake has been reported.
pub type ActionBuilder = fn(&Table<'_>, Occasion) -> Option<Box<dyn Plan>>;

/// Everything that `do` can say, in alphabetical order.
pub static KINDS: &[Kind<ActionBuilder>] = &[
    fault::CORRUPT,
    command::CRASH,
    fault::DELAY,
    fault::DROP,
    fault::DUPLICATE,
    outage::FLAP,
    inject::INJECT,
    outage::LINK_DOWN,
    outage::LINK_UP,
    command::RESTART,
    set::SET,
    show::SHOW,
    command::START,
    command::STOP,
];

/// The keys that every `[[at]]` entry has.
pub const COMMON: &[Field] = &[
    Field {
        name: "t",
        form: Form::Duration,
        need: Need::Required,
        doc: "When, counted from the beginning of the run.",
    },
    Field { name: "do", form: Form::Text, need: Need::Required, doc: "What: one of the action kinds." },
    Field {
        name: "name",
        form: Form::Text,
        need: Need::Optional,
        doc: "What it is called; a fault signs its victims with it.",
    },
];

/// One `[[at]]` entry that was read.
#[derive(Debug)]
pub struct Timed {
    /// When it happens, what it is called.
    pub occasion: Occasion,
    /// The kind's name: `link-down`.
    pub kind: &'static str,
    plan: Box<dyn Plan>,
}

impl Timed {
    /// Puts the entry into a network; call it in the order of the file, once all nodes, links and programs are there.
    ///
    /// # Errors
    ///
    /// A mistake that only the network shows.
    pub fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        self.plan.install(network)
    }

    /// What it will do, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        self.plan.describe()
    }
}

/// Reads one `[[at]]` table, all of its keys. `None`: mistakes have been reported.
#[must_use]
pub fn read(table: &Table<'_>) -> Option<Timed> {
    let before = table.reader.problem_count();
    let kind = kind(table);
    // Without a kind the keys of all kinds are known, so that one mistake does not look like many.
    match kind {
        Some(kind) => table.check(&[COMMON, kind.fields], &[]),
        None => {
            let everything: Vec<&[Field]> = KINDS.iter().map(|kind| kind.fields).collect();
            let names: Vec<&str> = everything.iter().flat_map(|fields| fields.iter().map(|field| field.name)).collect();
            table.check(&[COMMON], &names);
        }
    }
    let at = table.get::<Duration>("t").map(|t| Time::ZERO + t);
    let name = table.get("name");
    // A stand-in for a time that was wrong lets the rest be read and its mistakes be found.
    let occasion = Occasion { at: at.unwrap_or(Time::ZERO), name, line: table.reader.line(table.span.start) };
    let kind = kind?;
    let plan = (kind.build)(table, occasion.clone());
    // `check` has reported what is missing or unknown; with such a mistake there is nothing to plan.
    let plan = plan.filter(|_| table.reader.problem_count() == before)?;
    Some(Timed { occasion, kind: kind.name, plan })
}

/// The kind that `do` names; an unknown one is reported.
fn kind(table: &Table<'_>) -> Option<&'static Kind<ActionBuilder>> {
    let item = table.item("do")?;
    let word: Located<String> = Located::read(&item)?;
    let kind = KINDS.iter().find(|kind| kind.name == word.value);
    if kind.is_none() {
        let title = format!("nothing that can be done is called `{}`", word.value);
        let known = KINDS.iter().map(|kind| kind.name);
        table.reader.report(Diagnostic::new(word.span, title).not_among(&word.value, known));
    }
    kind
}
