//! `packets`: the packets of a conversation, line by line, as packetdrill would write them.
//!
//! ```text
//!  @syn      > S  0:0(0)        <...>    # dropped: lose-first-syn
//!  @syn+1.0  > S  0:0(0)        <...>
//!  +0.04~    < S. 0:0(0) ack 1  <...>
//!  +0        > .  1:1(0) ack 1
//! ```
//!
//! The lines are the conversation's first packets at the vantage point: each of them, in order, up to the last line.
//! With `loose` other packets may come between; with `complete` none may come after. What a line leaves out (sequence,
//! `ack`, `win`, options) is not looked at; a time without `~` is exact to the nanosecond. Sequence numbers are relative
//! to the direction's SYN. `# dropped: name` and `# delivered` are checked; other comments are for people.
//!
//! [`line`] and [`shape`] say what there is, [`parse`] reads it, [`seen`] makes the same of frames, [`compare`] puts
//! both side by side, [`report`] shows them.

mod compare;
mod flow;
mod line;
mod packet;
mod parse;
mod report;
mod seen;
mod shape;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use self::compare::{Comparison, Row};
use self::flow::Conversation;
use self::line::Fate;
use self::parse::Script;
use self::seen::{Eye, Outcome, Seen};
use self::words::Mistake;
use super::vantage::{DIR, Sight, Vantage};
use super::{Builder, Claim, Expectation, Verdict};
use crate::filter::Filter;
use crate::id::FrameId;
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Item, Kind, Need, Span, Table, nearest};
use crate::record::{Cause, Names, Place, Record, What};
use crate::time::Time;

/// What packet lines call ICMP messages.
pub fn icmp_names() -> impl Iterator<Item = &'static str> {
    shape::ICMP_NAMES.iter().map(|row| row.0)
}

/// How many packets beyond the expected ones are kept, to show what came instead.
const BEYOND_MAX: usize = 100;

/// How many packets are kept where the expected ones may be anywhere among them.
const LOOSE_MAX: usize = 20_000;

/// `packets = '''…'''`.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "packets",
    doc: "The packets of a conversation at one place, line by line: their times, what they look like, which are lost.",
    example: r"[[expect]]
see = 'wan'
flow = 'client > server:80'
packets = '''
 @syn      > S  0:0(0)        <...>
 @syn+1.0  > S  0:0(0)        <...>
 +0.04~    < S. 0:0(0) ack 1  <...>
 +0        > .  1:1(0) ack 1
'''
",
    fields: &[
        Field {
            name: "packets",
            form: Form::Text,
            need: Need::Required,
            doc: "One line for each packet: a time, `>` or `<`, the packet.",
        },
        Field {
            name: "see",
            form: Form::Text,
            need: Need::Required,
            doc: "Where to look: a link (frames are seen when they are put in), `node:interface` or a node.",
        },
        DIR,
        Field {
            name: "flow",
            form: Form::Text,
            need: Need::Optional,
            doc: "Whose packets: `'client > server:80'`; `*` is anybody; `tcp`, `udp`, `icmp` or `arp` may stand before. \
                  ICMP errors about them belong to them. Every frame if left out: then `>` is a link's first direction, or out of a node.",
        },
        Field {
            name: "from",
            form: Form::Duration,
            need: Need::Default("\"0s\""),
            doc: "Packets before this time do not count.",
        },
        Field {
            name: "loose",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "Other packets may come between the lines.",
        },
        Field {
            name: "complete",
            form: Form::Boolean,
            need: Need::Default("false"),
            doc: "No packet may come after the last line.",
        },
    ],
    build,
};

fn build(table: &Table<'_>) -> Option<Box<dyn Claim>> {
    let vantage = if table.has("see") { Vantage::read(table, "see") } else { None };
    let flow = table.has("flow").then(|| table.get::<Conversation>("flow"));
    let from = table.has("from").then(|| table.get::<std::time::Duration>("from"));
    let (is_loose, is_complete) = (table.get_or("loose", false), table.get_or("complete", false));
    if is_loose && is_complete {
        table.report("complete", "an expectation cannot be both `loose` and `complete`", "one of them");
    }
    let item = table.item("packets")?;
    let script = read_script(&item)?;
    let fates = script.lines.iter().filter_map(|line| match &line.fate {
        Some(Fate::Dropped(Some(name))) => Some((name.clone(), item.part(line.fate_span.clone()))),
        _ => None,
    });
    let fates = fates.collect();
    let flow = match flow {
        Some(read) => Some(read?),
        None => None,
    };
    let begins_at = Time::ZERO + from.map_or(Some(std::time::Duration::ZERO), |read| read)?;
    Some(Box::new(Packets { vantage: vantage?, flow, begins_at, is_loose, is_complete, script, fates }))
}

fn read_script(item: &Item<'_>) -> Option<Script> {
    let text = item.text("packet lines in quotes")?;
    match parse::parse(text) {
        Ok(script) if script.lines.is_empty() => {
            let diagnostic = Diagnostic::new(item.span.clone(), "there is no packet line");
            item.reader.report(diagnostic.label("to expect that no packet comes, use `count = …` with `is = 0`"));
            None
        }
        Ok(script) => Some(script),
        Err(mistakes) => {
            for Mistake { span, title, label, notes } in mistakes {
                let diagnostic = Diagnostic::new(item.part(span), title).label(label);
                item.reader.report(notes.into_iter().fold(diagnostic, Diagnostic::note));
            }
            None
        }
    }
}

/// What an entry says.
#[derive(Debug)]
struct Packets {
    vantage: Vantage,
    flow: Option<Conversation>,
    begins_at: Time,
    is_loose: bool,
    is_complete: bool,
    script: Script,
    /// The names of rules and causes in comments, and where they stand.
    fates: Vec<(String, Span)>,
}

impl Claim for Packets {
    fn watch(&self, network: &Network) -> Result<Box<dyn Expectation>, Diagnostic> {
        let sight = self.vantage.sight(network)?;
        for (name, span) in &self.fates {
            check_fate(name, span, network.names())?;
        }
        let talk = self.flow.as_ref().map(|flow| flow.resolve(network)).transpose()?;
        let most = if self.is_loose { LOOSE_MAX } else { self.script.lines.len() + BEYOND_MAX };
        Ok(Box::new(Watch {
            sight,
            eye: Eye::new(talk),
            begins_at: self.begins_at,
            is_loose: self.is_loose,
            is_complete: self.is_complete,
            script: self.script.clone(),
            most,
            seen: Vec::new(),
            not_kept: 0,
            on_the_way: BTreeMap::new(),
        }))
    }

    fn describe(&self) -> String {
        let flow = self.flow.as_ref().map_or_else(|| "packets".to_owned(), ToString::to_string);
        format!("{flow}{}: {} packet lines", self.vantage.phrase(), self.script.lines.len())
    }
}

/// A name in `# dropped: name` must be a rule's or a cause's.
fn check_fate(name: &str, span: &Span, names: &Names) -> Result<(), Diagnostic> {
    let known = || names.rules.iter().map(|rule| rule.name.as_str()).chain(Cause::ALL.iter().map(|cause| cause.name()));
    if known().any(|known| known == name) {
        return Ok(());
    }
    let diagnostic = Diagnostic::new(span.clone(), format!("nothing that drops frames is called `{name}`"));
    let label = match nearest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "the name of a fault or an impairment, or a cause".to_owned(),
    };
    let rules: Vec<&str> = names.rules.iter().map(|rule| rule.name.as_str()).collect();
    let diagnostic = diagnostic.label(label);
    Err(if rules.is_empty() { diagnostic } else { diagnostic.note(format!("known: {}", rules.join(", "))) })
}

/// The expectation during a run.
#[derive(Debug)]
struct Watch {
    sight: Sight,
    eye: Eye,
    begins_at: Time,
    is_loose: bool,
    is_complete: bool,
    script: Script,
    /// How many packets are kept.
    most: usize,
    seen: Vec<Seen>,
    /// How many more there were.
    not_kept: u64,
    /// Packets whose fate is not known yet, by frame: where each stands among the seen, and whether it had arrived.
    on_the_way: BTreeMap<FrameId, (usize, bool)>,
}

impl Expectation for Watch {
    fn record(&mut self, record: &Record<'_>, _names: &Names) {
        self.follow(record);
        let Some((past, frame)) = self.sight.passage(record) else { return };
        // What is too early does not count, but it is where sequence numbers begin.
        let Some((passage, shape)) = self.eye.look(frame, past) else { return };
        if record.at < self.begins_at {
            return;
        }
        if self.seen.len() >= self.most {
            self.not_kept += 1;
            return;
        }
        if let Some(id) = frame.id {
            let has_arrived = matches!(record.what, What::Delivered { .. });
            self.on_the_way.insert(id, (self.seen.len(), has_arrived));
        }
        let matched = self.script.expressions.iter().map(|filter: &Filter| filter.matches(frame)).collect();
        self.seen.push(Seen { at: record.at, passage, shape, outcome: None, matched });
    }

    fn conclude(&mut self, network: &Network) -> Verdict {
        let comparison = Comparison {
            lines: &self.script.lines,
            seen: &self.seen,
            begins_at: self.begins_at,
            is_loose: self.is_loose,
            is_complete: self.is_complete,
            names: network.names(),
        };
        let rows = comparison.rows();
        let is_over = !self.is_complete || self.not_kept == 0;
        if rows.iter().all(Row::is_met) && is_over {
            return Verdict::met(format!("{} packets as expected", self.script.lines.len()));
        }
        Verdict::unmet(report::report(&comparison, &rows, self.not_kept))
    }
}

impl Watch {
    /// Notes what becomes of packets that went past.
    fn follow(&mut self, record: &Record<'_>) {
        if self.on_the_way.is_empty() {
            return;
        }
        let (id, outcome) = match record.what {
            What::Delivered { frame } => (frame.id, Outcome::Delivered),
            What::Dropped { frame, cause, rule } => (frame.id, Outcome::Dropped { cause, rule }),
            _ => return,
        };
        let Some((id, &(index, has_arrived))) = id.and_then(|id| Some((id, self.on_the_way.get(&id)?))) else { return };
        // A frame that was seen on its way is told of by the link; one that had arrived, by the node that received it.
        let is_told = match record.place {
            Place::Node(_) => has_arrived,
            Place::Pipe(_) | Place::Port(..) => !has_arrived,
        };
        if is_told {
            self.on_the_way.remove(&id);
            if let Some(seen) = self.seen.get_mut(index) {
                seen.outcome = Some(outcome);
            }
        }
    }
}

/// Reads a match expression in braces.
fn parse_filter(text: &str) -> Result<Filter, Mistake> {
    Filter::parse(text).map_err(|error| Mistake {
        span: error.span,
        title: error.title,
        label: error.label,
        notes: error.notes,
    })
}
