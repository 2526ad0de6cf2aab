//! How often frames that match come by: what `never`, `some` and `count` have in common.
//!
//! The three differ in what they make of the number; which frames they look at is said the same way.

use std::time::Duration;

use super::vantage::{Sight, Vantage};
use super::{Claim, Expectation, Verdict};
use crate::filter::Filter;
use crate::id::RuleId;
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form, Located, Need, Table};
use crate::record::{Cause, Names, Record};
use crate::time::Time;
use crate::wire::{Conversations, Frame, Summary};

/// How many of the frames that came by are shown.
const SHOWN_MAX: usize = 5;

/// What frames can do to be counted.
pub(super) const DOINGS: [&str; 3] = ["sent", "delivered", "dropped"];

/// The number of frames that is wanted, as a scenario writes it.
pub(super) const NUMBER: Form = Form::Integer { min: 0, max: i64::MAX };

/// What a match expression is good for.
pub(super) const EXPRESSION: &str = "A match expression; `'frame'` is every frame.";

/// The fields that all three have, behind the kind's own.
macro_rules! fields {
    ($($own:expr),*) => {
        &[
            $($own,)*
            $crate::expect::vantage::ON,
            $crate::expect::vantage::DIR,
            $crate::read::Field {
                name: "what",
                form: $crate::read::Form::OneOf(&$crate::expect::frames::DOINGS),
                need: $crate::read::Need::Default("\"sent\""),
                doc: "What the frames do: `sent` (put on a link; at a node also: arriving), `delivered` (they reach the \
                      far end), `dropped` (on the link, or inside the node).",
            },
            $crate::expect::frames::CAUSE,
            $crate::expect::frames::RULE,
            $crate::expect::frames::FROM,
            $crate::expect::frames::UNTIL,
        ]
    };
}
pub(super) use fields;

pub(super) const CAUSE: Field = Field {
    name: "cause",
    form: Form::Text,
    need: Need::Optional,
    doc: "Only frames dropped for this cause: `\"ttl-expired\"`.",
};

pub(super) const RULE: Field = Field {
    name: "rule",
    form: Form::Text,
    need: Need::Optional,
    doc: "Only frames dropped by the fault or impairment of this name.",
};

pub(super) const FROM: Field =
    Field { name: "from", form: Form::Duration, need: Need::Default("\"0s\""), doc: "Only frames from this time on." };

pub(super) const UNTIL: Field =
    Field { name: "until", form: Form::Duration, need: Need::Optional, doc: "Only frames before this time." };

/// What a frame must do to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Delivered,
    Dropped,
    Sent,
}

/// Which frames are looked at.
#[derive(Debug)]
pub(super) struct Scope {
    filter: Filter,
    vantage: Vantage,
    doing: Doing,
    cause: Option<Cause>,
    rule: Option<Located<String>>,
    pub(super) from: Time,
    /// Not included.
    pub(super) until: Option<Time>,
}

impl Scope {
    /// Reads the common fields; `key` holds the match expression. `None`: a mistake has been reported.
    pub(super) fn read(table: &Table<'_>, key: &str) -> Option<Self> {
        let vantage = Vantage::read(table, "on");
        let rule = table.get::<Located<String>>("rule");
        let before = table.reader.problem_count();
        let cause = if table.has("cause") { Some(read_cause(table)) } else { None };
        let doing = match table.has("what").then(|| table.one_of("what", &DOINGS)) {
            Some(Some("delivered")) => Doing::Delivered,
            Some(Some("dropped")) => Doing::Dropped,
            // Causes and rules speak of drops without being told.
            None if table.has("cause") || table.has("rule") => Doing::Dropped,
            _ => Doing::Sent,
        };
        for only in ["cause", "rule"] {
            if table.has(only) && doing != Doing::Dropped && table.reader.problem_count() == before {
                table.report(
                    "what",
                    format!("`{only}` speaks of frames that are dropped"),
                    "`\"dropped\"` belongs here",
                );
            }
        }
        let from = table.get::<Duration>("from").map_or(Time::ZERO, |from| Time::ZERO + from);
        let until = table.get::<Duration>("until").map(|until| Time::ZERO + until);
        if until.is_some_and(|until| until <= from) {
            table.report("until", "there is no time between `from` and `until`", format!("later than {from} s"));
        }
        let filter = table.get(key)?;
        let cause = match cause {
            Some(read) => Some(read?),
            None => None,
        };
        Some(Self { filter, vantage: vantage?, doing, cause, rule, from, until })
    }
}

fn read_cause(table: &Table<'_>) -> Option<Cause> {
    let names: Vec<&'static str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    let word = table.one_of("cause", &names)?;
    Cause::ALL.into_iter().find(|cause| cause.name() == word)
}

/// How many frames are wanted, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Demand {
    fn words(self) -> String {
        match (self.least, self.most) {
            (0, 0) => "none".to_owned(),
            (least, u64::MAX) => format!("at least {least}"),
            (least, most) if least == most => format!("exactly {least}"),
            (0, most) => format!("at most {most}"),
            (least, most) => format!("{least} to {most}"),
        }
    }
}

/// What an entry says.
#[derive(Debug)]
pub(super) struct Frames {
    /// The kind's name: `never`.
    pub(super) word: &'static str,
    pub(super) scope: Scope,
    pub(super) demand: Demand,
}

impl Claim for Frames {
    fn watch(&self, network: &Network) -> Result<Box<dyn Expectation>, Diagnostic> {
        let Scope { filter, vantage, doing, cause, rule, from, until } = &self.scope;
        let rules = rule.as_ref().map(|rule| find_rules(rule, network.names())).transpose()?;
        Ok(Box::new(Watch {
            filter: filter.clone(),
            sight: vantage.sight(network)?,
            doing: *doing,
            cause: *cause,
            rules,
            from: *from,
            until: *until,
            demand: self.demand,
            conversations: Conversations::default(),
            count: 0,
            shown: Vec::new(),
            outside: None,
        }))
    }

    fn describe(&self) -> String {
        let Scope { filter, vantage, doing, cause, rule, until, .. } = &self.scope;
        let doing = match doing {
            Doing::Delivered => " delivered",
            Doing::Dropped => " dropped",
            Doing::Sent => "",
        };
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let rule = rule.as_ref().map(|rule| format!(" by {}", rule.value)).unwrap_or_default();
        let demand = if self.word == "count" { format!(": {}", self.demand.words()) } else { String::new() };
        let until = until.map(|until| format!(" before {until} s")).unwrap_or_default();
        format!("{} {filter}{doing}{cause}{rule}{}{until}{demand}", self.word, vantage.phrase())
    }
}

/// The rules of this name; there may be several, one for each direction.
fn find_rules(name: &Located<String>, names: &Names) -> Result<Vec<RuleId>, Diagnostic> {
    let ids = (0_u32..).map(RuleId).zip(&names.rules);
    let rules: Vec<RuleId> = ids.filter(|(_, rule)| rule.name == name.value).map(|(id, _)| id).collect();
    if rules.is_empty() {
        let diagnostic =
            Diagnostic::new(name.span.clone(), format!("no fault or impairment is called `{}`", name.value));
        return Err(diagnostic.not_among(&name.value, names.rules.iter().map(|rule| rule.name.as_str())));
    }
    Ok(rules)
}

/// The expectation during a run.
#[derive(Debug)]
struct Watch {
    filter: Filter,
    sight: Sight,
    doing: Doing,
    cause: Option<Cause>,
    rules: Option<Vec<RuleId>>,
    from: Time,
    until: Option<Time>,
    demand: Demand,
    /// For sequence numbers in what is shown.
    conversations: Conversations,
    count: u64,
    /// The first of those that were counted, one line each.
    shown: Vec<String>,
    /// The first that matched but came too early or too late: the nearest miss.
    outside: Option<String>,
}

impl Expectation for Watch {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        let Some(frame) = self.meant(record) else { return };
        // Taken note of whether it matches or not, so that sequence numbers can be relative.
        let summary = Summary::observed(frame, names, &mut self.conversations);
        if !self.filter.matches(frame) {
            return;
        }
        let line = || format!("{} {summary}", record.at);
        if record.at < self.from || self.until.is_some_and(|until| record.at >= until) {
            self.outside.get_or_insert_with(line);
            return;
        }
        self.count += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(line());
        }
    }

    fn conclude(&mut self, _network: &Network) -> Verdict {
        let Demand { least, most } = self.demand;
        let mut detail = format!("expected {}, seen {}", self.demand.words(), self.count);
        if (least..=most).contains(&self.count) {
            return Verdict::met(detail);
        }
        for line in &self.shown {
            detail.push_str(&format!("\n {line}"));
        }
        let more = self.count.saturating_sub(self.shown.len() as u64);
        if more > 0 {
            detail.push_str(&format!("\n and {more} more"));
        }
        if self.count < least
            && let Some(outside) = &self.outside
        {
            detail.push_str(&format!("\noutside of the time: {outside}"));
        }
        Verdict::unmet(detail)
    }
}

impl Watch {
    /// The frame that does here what is looked for, if one does.
    fn meant<'r>(&self, record: &Record<'r>) -> Option<&'r Frame> {
        match self.doing {
            Doing::Delivered => self.sight.delivery(record),
            Doing::Dropped => {
                let (frame, cause, rule) = self.sight.loss(record)?;
                let is_cause = self.cause.is_none_or(|wanted| wanted == cause);
                let is_rule = self.rules.as_ref().is_none_or(|rules| rule.is_some_and(|rule| rules.contains(&rule)));
                (is_cause && is_rule).then_some(frame)
            }
            Doing::Sent => self.sight.passage(record).map(|(_, frame)| frame),
        }
    }
}
