//! What `firewall = { … }` of a host or a router may say, and how it is read.

use super::super::nat::settings::interface;
use super::spec::{Chain, FirewallRule, FirewallSpec, Refusal, State, TRACKED_DEFAULT, TRACKED_MAX, Verb};
use crate::filter::Filter;
use crate::node::PortSpec;
use crate::read::{Field, Form, Located, Need, Table};

/// What may be said of a firewall.
pub static FIELDS: &[Field] = &[
    Field {
        name: "policy",
        form: Form::Either(&[Form::OneOf(VERBS), Form::Table(POLICY_FIELDS)]),
        need: Need::Default("\"accept\""),
        doc: "What becomes of packets for which no rule decides; one word is for what comes in or passes through.",
    },
    Field {
        name: "rules",
        form: Form::List(&Form::Table(RULE_FIELDS)),
        need: Need::Optional,
        doc: "Rules in order; the first that is for a packet decides.",
    },
    Field {
        name: "tracked",
        form: Form::Integer { min: 1, max: TRACKED_MAX as i64 },
        need: Need::Default("65536"),
        doc: "How many connections of each IP version are known at once, if some rule asks for a state; one more is dropped.",
    },
];

/// What becomes of packets for which no rule decides.
pub static POLICY_FIELDS: &[Field] = &[
    Field {
        name: "in",
        form: Form::OneOf(VERBS),
        need: Need::Default("\"accept\""),
        doc: "Of those that come in for this machine.",
    },
    Field {
        name: "forward",
        form: Form::OneOf(VERBS),
        need: Need::Default("\"accept\""),
        doc: "Of those that pass through.",
    },
    Field {
        name: "out",
        form: Form::OneOf(VERBS),
        need: Need::Default("\"accept\""),
        doc: "Of those that this machine sends.",
    },
];

/// What may be said of a rule.
pub static RULE_FIELDS: &[Field] = &[
    Field {
        name: "do",
        form: Form::OneOf(VERBS),
        need: Need::Required,
        doc: "What becomes of the packet: it goes on, vanishes, or is refused.",
    },
    Field {
        name: "name",
        form: Form::Text,
        need: Need::Optional,
        doc: "What the rule is called: it signs its victims with that, and counts `firewall.NAME.packets`.",
    },
    Field {
        name: "dir",
        form: Form::Either(&[Form::OneOf(CHAINS), Form::List(&Form::OneOf(CHAINS))]),
        need: Need::Optional,
        doc: "Only packets that come in for this machine, pass through (`forward`), or go out of it.",
    },
    Field { name: "in", form: Form::Text, need: Need::Optional, doc: "Only packets that came in by this interface." },
    Field {
        name: "out",
        form: Form::Text,
        need: Need::Optional,
        doc: "Only packets that are to leave by this interface.",
    },
    Field {
        name: "state",
        form: Form::Either(&[Form::OneOf(STATES), Form::List(&Form::OneOf(STATES))]),
        need: Need::Optional,
        doc: "Only packets of a connection that is new, or was answered (`established`), errors about one (`related`), or none of these.",
    },
    Field {
        name: "match",
        form: Form::Filter,
        need: Need::Optional,
        doc: "Only packets that match; there is no Ethernet header here any more.",
    },
    Field {
        name: "with",
        form: Form::OneOf(REFUSALS),
        need: Need::Default("\"fitting\""),
        doc: "How to reject: a reset for TCP and ICMP \"prohibited\" for the rest, or one ICMP error for all.",
    },
];

const VERBS: &[&str] = &["accept", "drop", "reject"];
const CHAINS: &[&str] = &["forward", "in", "out"];
const STATES: &[&str] = &["established", "invalid", "new", "related"];
const REFUSALS: &[&str] = &["fitting", "port-unreachable", "prohibited"];

/// Reads `firewall`; `ports` are the machine's. `None`: absent, or a mistake has been reported.
pub(in crate::node::machine) fn read(table: &Table<'_>, ports: &[PortSpec]) -> Option<FirewallSpec> {
    let firewall: Table<'_> = table.get("firewall")?;
    firewall.check(&[FIELDS], &[]);
    let rows: Vec<Table<'_>> = firewall.get_or("rules", Vec::new());
    let tracked_max = firewall.get_or("tracked", TRACKED_DEFAULT);
    if !(1..=TRACKED_MAX).contains(&tracked_max) {
        let title = format!("a firewall cannot know {tracked_max} connections");
        firewall.report("tracked", title, format!("from 1 to {TRACKED_MAX}"));
    }
    let rules = rows.iter().filter_map(|row| rule(row, ports)).collect();
    Some(FirewallSpec { policies: policies(&firewall), rules, tracked_max })
}

fn policies(firewall: &Table<'_>) -> [Verb; 3] {
    let Some(item) = firewall.item("policy") else { return [Verb::Accept; 3] };
    if item.value.as_str().is_some() {
        let verb = verb(firewall, "policy").unwrap_or(Verb::Accept);
        return [verb, verb, Verb::Accept];
    }
    let Some(table) = firewall.get::<Table<'_>>("policy") else { return [Verb::Accept; 3] };
    table.check(&[POLICY_FIELDS], &[]);
    Chain::ALL.map(|chain| verb(&table, chain.name()).unwrap_or(Verb::Accept))
}

fn verb(table: &Table<'_>, key: &str) -> Option<Verb> {
    match table.item(key).and_then(|_| table.one_of(key, VERBS))? {
        "drop" => Some(Verb::Drop),
        "reject" => Some(Verb::Reject(Refusal::Fitting)),
        _ => Some(Verb::Accept),
    }
}

fn rule(row: &Table<'_>, ports: &[PortSpec]) -> Option<FirewallRule> {
    row.check(&[RULE_FIELDS], &[]);
    let chains = words(row, "dir", CHAINS);
    let states = words(row, "state", STATES);
    let name: Option<Located<String>> = row.get("name");
    let is_word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    if let Some(name) = name.as_ref().filter(|name| !is_word(&name.value)) {
        row.report("name", format!("`{}` cannot be a name", name.value), "letters, digits, `-` and `_`");
    }
    let refusal = match row.item("with").and_then(|_| row.one_of("with", REFUSALS)) {
        Some("port-unreachable") => Refusal::PortUnreachable,
        Some("prohibited") => Refusal::Prohibited,
        _ => Refusal::Fitting,
    };
    let verb = match verb(row, "do")? {
        Verb::Reject(_) => Verb::Reject(refusal),
        verb if row.has("with") => {
            row.report("with", format!("a rule to {} refuses nothing", verb.name()), "only `do = \"reject\"` has it");
            verb
        }
        verb => verb,
    };
    Some(FirewallRule {
        name: name.map(|name| name.value),
        line: Some(row.reader.line(row.span.start)),
        chains: Chain::ALL.into_iter().filter(|chain| chains.contains(&chain.name())).collect(),
        arrives_by: row.item("in").and_then(|_| interface(row, "in", ports)),
        leaves_by: row.item("out").and_then(|_| interface(row, "out", ports)),
        filter: row.get::<Filter>("match"),
        states: State::ALL.into_iter().filter(|state| states.contains(&state.name())).collect(),
        verb,
    })
}

/// One or several of these words.
fn words(row: &Table<'_>, key: &str, known: &[&'static str]) -> Vec<&'static str> {
    let written: Vec<Located<String>> = row.get_or(key, Vec::new());
    let found = written.into_iter().filter_map(|word| {
        let found = known.iter().find(|known| **known == word.value).copied();
        if found.is_none() {
            let title = format!("`{key}` cannot be `{}`", word.value);
            let problem = crate::read::Diagnostic::new(word.span, title);
            row.reader.report(problem.not_among(&word.value, known.iter().copied()));
        }
        found
    });
    found.collect()
}
