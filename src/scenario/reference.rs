//! The reference page: everything that a scenario may say, made from the tables that the reader itself walks.

use std::fmt::Write as _;

use super::section::{APP_FIELDS, ENDS_FIELD, KIND_FIELD, MAC_FIELD, OUTSIDE_FIELDS, TOP_FIELDS};
use super::{languages, topology};
use crate::link::{LINK_FIELDS, PIPE_FIELDS, PROFILES, impair};
use crate::read::{Field, Form, Need};
use crate::{app, expect, network, node, output};

/// The page, in Markdown. Each thing that can be named has a heading of the third level.
#[must_use]
pub fn reference() -> String {
    let mut page = Page::default();
    page.text(HEAD);
    page.fields(&[TOP_FIELDS]);

    page.text("## Nodes\n\n`[nodes.NAME]`. Every node has a `kind`; a node without one is a host.\n");
    page.fields(&[std::slice::from_ref(&KIND_FIELD), std::slice::from_ref(&MAC_FIELD)]);
    page.text(FOUND);
    for kind in node::KINDS {
        let more = if kind.build.role == node::Role::Outside { OUTSIDE_FIELDS } else { &[] };
        page.kind(kind.name, kind.doc, &[more, kind.fields], kind.example);
    }

    page.text("## Links\n\n`[links.NAME]`. A link joins two nodes. What is said in `ab` or `ba` holds one way only. Frames meet the queue, then the transmitter, then the impairments in the order in which they are written. `\"none\"` takes away what a profile says, or the link for both directions.\n");
    page.fields(&[std::slice::from_ref(&ENDS_FIELD), PIPE_FIELDS, LINK_FIELDS]);
    for kind in impair::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
    }
    page.text("## Profiles\n\n`profile = \"NAME\"` in a link's table. What is written beside it wins.\n");
    for profile in PROFILES {
        let doc = format!("{} ({})", profile.doc, profile.source);
        page.kind(profile.name, &doc, &[], profile.settings);
    }

    page.text("## Topology helpers\n\n`[topology.NAME]` stands for nodes and links, which can be named as if they had been written out. A node or link that is written as well adds to what the helper makes.\n");
    page.fields(&[topology::COMMON]);
    for kind in topology::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
    }

    page.text("## Programs\n\n`[apps.NAME]`. What a program reports is read by expectations as `apps.NAME.KEY`.\n");
    page.fields(&[APP_FIELDS]);
    page.text("Every program reports:\n");
    page.outcomes(app::COMMON_OUTCOMES);
    for kind in app::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
        page.text("Reports:\n");
        page.outcomes(app::outcomes(kind.name));
    }

    page.text("## Timed actions\n\n`[[at]]`. Entries of one time happen in the order of the file, before anything else of that time.\n");
    page.fields(&[network::action::COMMON]);
    for kind in network::action::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
    }

    page.text("## Expectations\n\n`[[expect]]`. The key that names the kind says what is expected.\n");
    page.fields(&[expect::COMMON]);
    for kind in expect::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
    }

    page.text("## Outputs\n\n`[record]`. `KIND = true`, a list of places, or a table of options. The command line asks for outputs too, with these options.\n");
    for kind in output::KINDS {
        page.kind(kind.name, kind.doc, &[kind.fields], kind.example);
    }

    page.text(&languages::chapters());
    page.finish()
}

const HEAD: &str = "# What a scenario may say\n\n\
    A scenario is a TOML file. Times, rates, sizes and chances are text with a unit: `\"20ms\"`, `\"10Mbit\"`, \
    `\"1400B\"`, `\"1%\"` or `\"1/1000\"`. Unknown keys are refused. This page is made from the tables that the reader \
    itself walks.\n";

const FOUND: &str = "Addresses that are left out are found: every wire (links joined by switches) is a subnet. If some \
    address on it is written, the others get the next free ones of that prefix; otherwise the wire gets the next free \
    `10.0.N.0/24`, or a wider one if it has more than 253 stations. Routers come first, then the order of the file \
    holds. A hardware address is made from the first address of its interface: `10.0.1.10` goes with \
    `02:00:0a:00:01:0a`.\n\n\
    Routes that are left out are found along the shortest paths. A machine that writes `gateway` or `routes` has \
    exactly those.\n\n\
    An end of a link that names no interface gets the next free of `eth0`, `eth1`, … (`p0`, `p1`, … on a switch). An \
    interface called `lo…` or `dummy…` needs no link.\n";

/// A page that is being written.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// A paragraph, with an empty line before it.
    fn text(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn kind(&mut self, name: &str, doc: &str, fields: &[&[Field]], example: &str) {
        self.text(&format!("### `{name}`\n\n{doc}"));
        self.fields(fields);
        self.text(&format!("```toml\n{}\n```", example.trim_end()));
    }

    /// One row for each key; those of an inner table follow it, with its name before theirs.
    fn fields(&mut self, fields: &[&[Field]]) {
        if fields.iter().all(|list| list.is_empty()) {
            return;
        }
        self.text("| key | value | if left out | |\n|---|---|---|---|");
        for field in fields.iter().flat_map(|list| list.iter()) {
            self.field("", field);
        }
    }

    fn field(&mut self, above: &str, field: &Field) {
        let name = format!("{above}{}", field.name);
        let need = match field.need {
            Need::Default(default) => format!("`{}`", default.replace('|', "\\|")),
            Need::Optional => "–".to_owned(),
            Need::Required => "required".to_owned(),
        };
        let _ =
            writeln!(self.text, "| `{name}` | {} | {need} | {} |", spell(&field.form), field.doc.replace('|', "\\|"));
        let fields = inner(&field.form);
        // What a link may say is written once, under links.
        if !fields.iter().map(|field| field.name).eq(PIPE_FIELDS.iter().map(|field| field.name)) {
            let names = if is_map(&field.form) { "*." } else { "" };
            fields.iter().for_each(|field| self.field(&format!("{name}.{names}"), field));
        }
    }

    fn outcomes(&mut self, outcomes: &[app::Outcome]) {
        self.text("| outcome | |\n|---|---|");
        for (name, doc) in outcomes {
            let _ = writeln!(self.text, "| `{name}` | {} |", doc.replace('|', "\\|"));
        }
    }

    fn finish(self) -> String {
        self.text
    }
}

/// The keys of the table that a form is, or may be.
fn inner(form: &Form) -> &'static [Field] {
    match form {
        Form::Table(fields) => fields,
        Form::Either(forms) => forms.iter().map(inner).find(|fields| !fields.is_empty()).unwrap_or(&[]),
        Form::List(form) | Form::Map(form) => inner(form),
        _ => &[],
    }
}

/// Whether the keys of the table that a form is are the scenario's own.
fn is_map(form: &Form) -> bool {
    match form {
        Form::Either(forms) => forms.iter().any(is_map),
        Form::List(form) => is_map(form),
        Form::Map(_) => true,
        _ => false,
    }
}

/// What a value looks like, in a word or an example.
fn spell(form: &Form) -> String {
    match form {
        Form::Address => "address".into(),
        Form::Any => "see there".into(),
        Form::App => "program".into(),
        Form::Boolean => "`true`, `false`".into(),
        Form::Chance => "chance".into(),
        Form::Duration => "time".into(),
        Form::Either(forms) => forms.iter().map(spell).collect::<Vec<String>>().join(" or "),
        Form::Endpoint => "`host:port`".into(),
        Form::Filter => "match expression".into(),
        Form::Integer { min, max: i64::MAX } => format!("whole number from {min}"),
        Form::Integer { min, max } => format!("{min} to {max}"),
        Form::Link => "link".into(),
        Form::List(form) => format!("list of {}", spell(form)),
        Form::Map(form) => format!("table from names to {}", spell(form)),
        Form::Node => "node".into(),
        Form::OneOf(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<String>>().join(", "),
        Form::Rate => "rate".into(),
        Form::Size => "size".into(),
        Form::Table(_) => "table".into(),
        Form::Text => "text".into(),
    }
}
