//! Topology helpers: nodes and links by the dozen.
//!
//! ```toml
//! [topology.office]
//! kind  = "star"
//! hosts = 20
//! link  = { delay = "1ms", rate = "100Mbit" }
//! ```
//!
//! A helper unfolds into entries of `[nodes]` and `[links]`, before anything else is read: what it makes is the same as
//! if it had been written out, and can be named everywhere. An entry that is written as well, `[nodes.h7]`, adds to what
//! the helper makes, and its keys win.

mod chain;
mod dumbbell;
mod fat_tree;
mod grid;
mod star;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::ENTRIES_MAX;
use crate::link::{LINK_FIELDS, PIPE_FIELDS};
use crate::read::{Diagnostic, Field, Form, Kind, Located, Need, Read as _, Reader, Span, Table};

/// Makes the nodes and links of a helper from its table. `None`: a mistake has been reported.
pub type Builder = fn(&Table<'_>) -> Option<Unfolded>;

/// Every helper, in alphabetical order.
pub static KINDS: &[Kind<Builder>] = &[chain::KIND, dumbbell::KIND, fat_tree::KIND, grid::KIND, star::KIND];

/// The keys that every helper has.
pub static COMMON: &[Field] = &[
    Field { name: "kind", form: Form::Text, need: Need::Required, doc: "Which helper." },
    Field {
        name: "prefix",
        form: Form::Text,
        need: Need::Default("\"\""),
        doc: "What all its names begin with: needed when two helpers would make the same names.",
    },
];

/// The properties of the links that a helper makes, as its table's key `link`.
const LINK_FIELD: Field = Field {
    name: "link",
    form: Form::Table(PIPE_FIELDS),
    need: Need::Optional,
    doc: "What its links are like: all that a link may say but `ends`.",
};

/// What a helper makes, in order; names without the prefix.
#[derive(Debug, Default)]
pub struct Unfolded {
    /// Name and kind of each node.
    pub nodes: Vec<(String, &'static str)>,
    /// The links.
    pub links: Vec<UnfoldedLink>,
}

/// A link that a helper makes.
#[derive(Debug)]
pub struct UnfoldedLink {
    /// Its name.
    pub name: String,
    /// The nodes it joins.
    pub ends: [String; 2],
    /// The key of the helper's table that says what it is like.
    pub like: &'static str,
}

impl Unfolded {
    fn node(&mut self, name: impl Into<String>, kind: &'static str) {
        self.nodes.push((name.into(), kind));
    }

    /// A link named after its ends: `h1-sw1`.
    fn link(&mut self, a: &str, b: &str, like: &'static str) {
        self.links.push(UnfoldedLink { name: format!("{a}-{b}"), ends: [a.to_owned(), b.to_owned()], like });
    }
}

/// A whole number of a helper's table, in range; `default` if it may be left out.
fn count(
    table: &Table<'_>,
    key: &str,
    range: std::ops::RangeInclusive<usize>,
    default: Option<usize>,
) -> Option<usize> {
    let Some(item) = table.item(key) else { return default };
    let value = i64::read(&item)?;
    let count = usize::try_from(value).ok().filter(|count| range.contains(count));
    if count.is_none() {
        table.reader.report(Diagnostic::new(item.span, format!("`{}` is out of range", item.path)).label(format!(
            "from {} to {}",
            range.start(),
            range.end()
        )));
    }
    count
}

/// Replaces the section `topology` by the nodes and links it stands for.
pub(super) fn unfold<'t>(tree: &mut DeTable<'t>, reader: &Reader) {
    if !tree.contains_key("topology") {
        return;
    }
    let made = read(tree, reader);
    let total: usize = made.iter().map(|made| made.unfolded.nodes.len().max(made.unfolded.links.len())).sum();
    if let Some(made) = made.iter().find(|_| total > ENTRIES_MAX) {
        reader.report(Diagnostic::new(
            made.span.clone(),
            format!("the topology helpers make {total} nodes or links; at most {ENTRIES_MAX} are read"),
        ));
        return;
    }
    for made in made {
        made.unfold_into(tree);
    }
}

/// One helper, read.
struct Made<'t> {
    span: Span,
    prefix: String,
    unfolded: Unfolded,
    /// What links of each key are like.
    like: BTreeMap<&'static str, DeTable<'t>>,
}

fn read<'t>(tree: &DeTable<'t>, reader: &Reader) -> Vec<Made<'t>> {
    let top = Table::new(tree, 0..0, String::new(), reader);
    let Some(section) = top.get::<Table<'_>>("topology") else { return Vec::new() };
    let mut makers: BTreeMap<String, Located<String>> = BTreeMap::new();
    let mut all = Vec::new();
    for (name, item) in section.entries() {
        let Some(table) = Table::read(&item) else { continue };
        let Some(unfolded) = read_one(&table) else { continue };
        let prefix = table.get_or("prefix", String::new());
        let names = unfolded.nodes.iter().map(|(name, _)| format!("{prefix}{name}"));
        let mut is_new = true;
        for made in names {
            let maker = Located { value: name.value.to_owned(), span: name.span.clone() };
            if let Some(other) = makers.insert(made.clone(), maker).filter(|_| is_new) {
                is_new = false;
                reader.report(
                    Diagnostic::new(
                        name.span.clone(),
                        format!("`{}` makes a node `{made}`, and so does `{}`", name.value, other.value),
                    )
                    .label("give one of them a prefix: `prefix = \"a-\"`"),
                );
            }
        }
        let mut like = BTreeMap::new();
        for link in &unfolded.links {
            let table = tree
                .get("topology")
                .and_then(|section| section.get_ref().as_table()?.get(name.value)?.get_ref().as_table());
            let properties = table.and_then(|table| table.get(link.like)?.get_ref().as_table());
            if let Some(properties) = properties.filter(|_| !like.contains_key(link.like)) {
                like.insert(link.like, properties.clone());
            }
        }
        if is_new {
            all.push(Made { span: name.span, prefix, unfolded, like });
        }
    }
    all
}

fn read_one(table: &Table<'_>) -> Option<Unfolded> {
    let word = table.need::<Located<String>>("kind")?;
    let Some(kind) = KINDS.iter().find(|kind| kind.name == word.value) else {
        table.reader.report(
            Diagnostic::new(word.span, format!("no topology is called `{}`", word.value))
                .not_among(&word.value, KINDS.iter().map(|kind| kind.name)),
        );
        return None;
    };
    let before = table.reader.problem_count();
    table.check(&[COMMON, kind.fields], &[]);
    for field in kind.fields {
        // Unknown keys are told of here, once; wrong values where the links are read.
        if let (Form::Table(fields), Some(link)) = (field.form, table.item(field.name))
            && let Some(link) = Table::read(&link)
        {
            link.check(&[fields, LINK_FIELDS], &[]);
        }
    }
    (kind.build)(table).filter(|_| table.reader.problem_count() == before)
}

impl<'t> Made<'t> {
    fn unfold_into(self, tree: &mut DeTable<'t>) {
        let Self { span, prefix, unfolded, like } = self;
        let text = |text: String| Spanned::new(span.clone(), DeValue::String(text.into()));
        if let Some(nodes) = section_mut(tree, "nodes", &span) {
            for (name, kind) in unfolded.nodes {
                let mut node = DeTable::new();
                node.insert(Spanned::new(span.clone(), "kind".into()), text(kind.to_owned()));
                add(nodes, format!("{prefix}{name}"), node, &span);
            }
        }
        if let Some(links) = section_mut(tree, "links", &span) {
            for link in unfolded.links {
                let mut properties = like.get(link.like).cloned().unwrap_or_default();
                let ends = link.ends.map(|end| text(format!("{prefix}{end}")));
                let ends = DeValue::Array(ends.into_iter().collect());
                properties.insert(Spanned::new(span.clone(), "ends".into()), Spanned::new(span.clone(), ends));
                add(links, format!("{prefix}{}", link.name), properties, &span);
            }
        }
    }
}

/// A section that is a table, made if it is not there.
fn section_mut<'r, 't>(tree: &'r mut DeTable<'t>, key: &'static str, span: &Span) -> Option<&'r mut DeTable<'t>> {
    if !tree.contains_key(key) {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        tree.insert(Spanned::new(span.clone(), key.into()), empty);
    }
    match tree.get_mut(key).map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => Some(table),
        // Reported when the section is read.
        _ => None,
    }
}

/// Adds an entry; where one is written already, adds the keys that it does not have.
fn add<'t>(section: &mut DeTable<'t>, name: String, made: DeTable<'t>, span: &Span) {
    match section.get_mut(name.as_str()).map(Spanned::get_mut) {
        None => {
            section.insert(Spanned::new(span.clone(), name.into()), Spanned::new(span.clone(), DeValue::Table(made)));
        }
        Some(DeValue::Table(written)) => {
            for (key, value) in made {
                if !written.contains_key(key.get_ref().as_ref()) {
                    written.insert(key, value);
                }
            }
        }
        // Reported when the entry is read.
        Some(_) => {}
    }
}
