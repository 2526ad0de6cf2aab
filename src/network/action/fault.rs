//! Faults: `drop`, `delay`, `duplicate`, `corrupt`, each for exactly the frames that are meant.
//!
//! A fault holds from its time on, until it has picked the last frame it means or until its end. It counts the frames
//! that match, from 1, for each direction by itself, and signs what it does with its name.

use std::time::Duration;

use super::outage::find;
use super::way::{DIR, Way};
use super::{Action, ActionBuilder, Occasion, Plan};
use crate::filter::Filter;
use crate::id::PipeId;
use crate::link::{FaultRule, Ordinal, Verb};
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Table};
use crate::time::Time;
use crate::units::format_duration;

/// The fields that all faults have, and one or two of the fault's own.
macro_rules! fields {
    ($($own:expr),*) => {
        &[
            Field { name: "link", form: Form::Link, need: Need::Required, doc: "On which link." },
            DIR,
            Field {
                name: "match",
                form: Form::Filter,
                need: Need::Optional,
                doc: "Which frames, as a match expression; all of them if left out.",
            },
            Field {
                name: "nth",
                form: Form::Either(&[
                    Form::Integer { min: 1, max: i64::MAX },
                    Form::List(&Form::Integer { min: 1, max: i64::MAX }),
                    Form::Text,
                ]),
                need: Need::Default("\"all\""),
                doc: "Which of the frames that match, counted from 1 since the fault began, for each direction by itself: \
                      `1`, `[1, 3]`, `\"every 5th\"`, `\"first 3\"`, `\"all\"`.",
            },
            Field {
                name: "until",
                form: Form::Duration,
                need: Need::Optional,
                doc: "When it ends, counted from the beginning of the run.",
            },
            Field { name: "for", form: Form::Duration, need: Need::Optional, doc: "How long it holds." },
            $($own),*
        ]
    };
}

/// `do = "drop"`.
pub(super) const DROP: Kind<ActionBuilder> = Kind {
    name: "drop",
    doc: "Loses the frames that are meant.",
    example: "[[at]]\nt = \"0s\"\ndo = \"drop\"\nname = \"lose-first-syn\"\nlink = \"wan\"\ndir = \"client -> server\"\n\
              match = 'tcp.syn && !tcp.ack'\nnth = 1\n",
    fields: fields!(),
    build: |table, occasion| build(table, occasion, "drop", Some(Verb::Drop)),
};

/// `do = "delay"`.
pub(super) const DELAY: Kind<ActionBuilder> = Kind {
    name: "delay",
    doc: "Holds the frames that are meant back; what follows may overtake them.",
    example: "[[at]]\nt = \"0s\"\ndo = \"delay\"\nlink = \"wan\"\nby = \"50ms\"\nmatch = 'tcp.len > 0'\nnth = [2, 5]\n",
    fields: fields!(Field {
        name: "by",
        form: Form::Duration,
        need: Need::Required,
        doc: "How much later than usual they arrive.",
    }),
    build: |table, occasion| {
        let by = table.has("by").then(|| table.get::<Duration>("by")).flatten();
        build(table, occasion, "delay", by.map(Verb::Delay))
    },
};

/// `do = "duplicate"`.
pub(super) const DUPLICATE: Kind<ActionBuilder> = Kind {
    name: "duplicate",
    doc: "Has a copy of each of the frames that are meant arrive right behind it.",
    example: "[[at]]\nt = \"0s\"\ndo = \"duplicate\"\nlink = \"wan\"\nnth = \"every 5th\"\n",
    fields: fields!(),
    build: |table, occasion| build(table, occasion, "duplicate", Some(Verb::Duplicate)),
};

/// `do = "corrupt"`.
pub(super) const CORRUPT: Kind<ActionBuilder> = Kind {
    name: "corrupt",
    doc: "Flips one bit of each of the frames that are meant.",
    example: "[[at]]\nt = \"0s\"\ndo = \"corrupt\"\nlink = \"wan\"\nmatch = 'tcp.len > 0'\nnth = \"first 3\"\nbyte = 60\nbit = 0\n",
    fields: fields!(
        Field {
            name: "byte",
            form: Form::Integer { min: 0, max: 65_535 },
            need: Need::Optional,
            doc: "Which byte, counted from 0 at the Ethernet header, modulo the frame's length; the middle of the data \
                  (of what the innermost header carries) if left out.",
        },
        Field {
            name: "bit",
            form: Form::Integer { min: 0, max: 7 },
            need: Need::Default("0"),
            doc: "Which bit of it; 7 is the highest.",
        }
    ),
    build: |table, occasion| {
        let byte = table.get::<u16>("byte").map(u32::from);
        let bit = table.get_or::<u8>("bit", 0);
        if bit > 7 {
            table.report("bit", format!("a byte has no bit {bit}"), "from 0 to 7");
        }
        build(table, occasion, "corrupt", Some(Verb::Corrupt { byte, bit }))
    },
};

/// Reads what all faults have in common. A `verb` that is absent has been reported.
fn build(table: &Table<'_>, occasion: Occasion, word: &'static str, verb: Option<Verb>) -> Option<Box<dyn Plan>> {
    let link = table.link("link");
    let way = table.get_or("dir", Way::Both);
    let filter = table.get::<Filter>("match");
    let ordinal = table.get_or("nth", Ordinal::All);
    let until = read_end(table, &occasion);
    Some(Box::new(Fault { occasion, word, link: link?, way, filter, ordinal, verb: verb?, until }))
}

/// When the fault ends, from `until` or `for`.
fn read_end(table: &Table<'_>, occasion: &Occasion) -> Option<Time> {
    let until = table.get::<Duration>("until").map(|until| Time::ZERO + until);
    let lasts_for = table.get::<Duration>("for");
    if table.has("until") && table.has("for") {
        table.report("for", "a fault cannot have both `until` and `for`", "one of them says when it ends");
    }
    if until.is_some_and(|until| until <= occasion.at) {
        let label = format!("later than `t`, which is {} s", occasion.at);
        table.report("until", "the fault ends before it begins", label);
    }
    if lasts_for == Some(Duration::ZERO) {
        table.report("for", "a fault that lasts no time does nothing", "such as \"500ms\"");
    }
    until.or_else(|| lasts_for.map(|lasts_for| occasion.at + lasts_for))
}

/// What an entry says.
#[derive(Debug)]
struct Fault {
    occasion: Occasion,
    word: &'static str,
    link: String,
    way: Way,
    filter: Option<Filter>,
    ordinal: Ordinal,
    verb: Verb,
    until: Option<Time>,
}

impl Plan for Fault {
    fn install(&self, network: &mut Network) -> Result<(), Diagnostic> {
        let pipes = self.way.pipes(find(network, &self.link), network)?;
        let name = self.occasion.name.clone().unwrap_or_else(|| self.unused_name(network));
        let rule = network.add_rule(name, Some(self.occasion.line));
        let filter = self.filter.clone().unwrap_or_else(Filter::all);
        for pipe in pipes {
            let fault = FaultRule::new(rule, filter.clone(), self.ordinal.clone(), self.verb, self.until);
            network.plan(self.occasion.at, Box::new(AddFault { pipe, fault }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let by = match self.verb {
            Verb::Delay(by) => format!(" by {}", format_duration(by)),
            _ => String::new(),
        };
        let filter = self.filter.as_ref().map(|filter| format!(": {filter}")).unwrap_or_default();
        let ordinal = if self.ordinal == Ordinal::All { String::new() } else { format!(", {}", self.ordinal) };
        let until = self.until.map(|until| format!(", until {until} s")).unwrap_or_default();
        format!("{}{by} on {}{}{filter}{ordinal}{until}", self.word, self.link, self.way.suffix())
    }
}

impl Fault {
    /// A name for a fault without one: what it does and where, and which one it is if there are several.
    fn unused_name(&self, network: &Network) -> String {
        let plain = format!("{} on {}{}", self.word, self.link, self.way.suffix());
        let is_taken = |name: &str| network.names().rules.iter().any(|rule| rule.name == name);
        let numbered = (2_u32..).map(|number| format!("{plain} #{number}"));
        let mut candidates = std::iter::once(plain.clone()).chain(numbered);
        candidates.find(|name| !is_taken(name)).unwrap_or(plain)
    }
}

/// Adds a fault rule to one direction of a link; it counts from then on.
#[derive(Debug, Clone)]
pub struct AddFault {
    /// Where.
    pub pipe: PipeId,
    /// What.
    pub fault: FaultRule,
}

impl Action for AddFault {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        network.add_fault(self.pipe, self.fault.clone());
        Ok(())
    }

    fn describe(&self) -> String {
        format!("add a fault to link {}", self.pipe.link().0)
    }
}
