//! Reading a scenario's tables: values with their places, mistakes collected.
//!
//! A [`Table`] is a TOML table that knows where each key and value stands. Whoever builds something from it asks for
//! what it needs ([`Table::need`], [`Table::get`]); what is wrong becomes a [`Diagnostic`] in the one list of the
//! [`Reader`], and reading goes on, so that a person sees all mistakes at once. What each kind of thing may say is a
//! list of [`Field`]s, from which the check for unknown keys, the reference page and the JSON Schema are made.

mod diagnostic;
mod item;
mod kind;
mod pattern;
mod table;

pub use diagnostic::{Diagnostic, Source, nearest};
pub use item::{Endpoint, Item, Located, Read};
pub use kind::{Field, Form, Kind, Need};
pub use pattern::fits;
pub use table::Table;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

/// Where something stands in a file: byte offsets.
pub type Span = Range<usize>;

/// The names that a scenario defines, for references between its sections.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Node names in the order of the file.
    pub nodes: Vec<String>,
    /// Link names in the order of the file.
    pub links: Vec<String>,
    /// App names in the order of the file.
    pub apps: Vec<String>,
    /// Which names beside those of nodes may be somebody's.
    pub names: Names,
}

/// Which names beside those of nodes somebody may have: that shows only when they are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Any: there is a name server, and a machine that completes short names.
    Any,
    /// Names with a dot in them: there is a name server.
    Dotted,
    /// None: nobody could be asked.
    #[default]
    NoneElse,
}

/// How many mistakes one pass looks for, more or less. Each may have to be compared with every known name.
const PROBLEMS_MAX: usize = 200;

/// One pass over one file: its names, and the mistakes found so far.
#[derive(Debug, Default)]
pub struct Reader {
    /// What the file defines.
    pub scope: Scope,
    /// The same names, to be looked up: a scenario may have ten thousand of each.
    known: Known,
    text: String,
    /// Where each line but the first begins.
    lines: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    /// Keys that are there in another spelling or shape: the path of the table, and the key.
    distrusted: RefCell<BTreeSet<(String, String)>>,
}

/// A mistake that has been noted.
#[derive(Debug)]
struct Problem {
    diagnostic: Diagnostic,
    /// It is no mistake of its own, but the consequence of another, if one of these keys is distrusted.
    follows_from: Vec<(String, String)>,
}

/// The names of a [`Scope`] as sets.
#[derive(Debug, Default)]
struct Known {
    nodes: BTreeSet<String>,
    links: BTreeSet<String>,
    apps: BTreeSet<String>,
}

impl Known {
    fn of(scope: &Scope) -> Self {
        let set = |names: &[String]| names.iter().cloned().collect();
        Self { nodes: set(&scope.nodes), links: set(&scope.links), apps: set(&scope.apps) }
    }
}

impl Reader {
    /// A reader of a file with this text.
    #[must_use]
    pub fn new(text: &str, scope: Scope) -> Self {
        let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Self { known: Known::of(&scope), scope, text: text.to_owned(), lines, ..Self::default() }
    }

    /// The same reader for a scope that has become known since: mistakes are kept.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { known: Known::of(&scope), scope, ..self }
    }

    /// Whether the scenario has a node of this name.
    #[must_use]
    pub fn knows_node(&self, name: &str) -> bool {
        self.known.nodes.contains(name)
    }

    /// Whether somebody may have this name: a node, or whomever a name server knows by it.
    #[must_use]
    pub fn may_be_host(&self, name: &str) -> bool {
        self.knows_node(name)
            || match self.scope.names {
                Names::Any => true,
                Names::Dotted => name.contains('.'),
                Names::NoneElse => false,
            }
    }

    /// Whether the scenario has a link of this name.
    #[must_use]
    pub fn knows_link(&self, name: &str) -> bool {
        self.known.links.contains(name)
    }

    /// Whether the scenario has a program of this name.
    #[must_use]
    pub fn knows_app(&self, name: &str) -> bool {
        self.known.apps.contains(name)
    }

    /// Notes a mistake.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.problems.borrow_mut().push(Problem { diagnostic, follows_from: Vec::new() });
    }

    /// Notes a mistake that is none if one of these keys of a table is [distrusted](Self::distrust).
    fn report_unless(&self, diagnostic: Diagnostic, path: &str, keys: &[&str]) {
        let follows_from = keys.iter().map(|key| (path.to_owned(), (*key).to_owned())).collect();
        self.problems.borrow_mut().push(Problem { diagnostic, follows_from });
    }

    /// Notes that a name is not among those of these sections; told only if the sections themselves could be read.
    pub fn report_unknown(&self, diagnostic: Diagnostic, sections: &[&str]) {
        self.report_unless(diagnostic, "", sections);
    }

    /// Notes that a table's key could not be made out, and that this has been reported: what it would have said is not
    /// missed elsewhere.
    pub fn distrust(&self, path: &str, key: &str) {
        self.distrusted.borrow_mut().insert((path.to_owned(), key.to_owned()));
    }

    /// Whether a table's key could not be made out.
    #[must_use]
    pub fn is_distrusted(&self, path: &str, key: &str) -> bool {
        self.distrusted.borrow().iter().any(|(table, known)| table == path && known == key)
    }

    /// Whether so many mistakes have been noted that there is no point in looking for more: long sections stop here.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.problem_count() >= PROBLEMS_MAX
    }

    /// How many mistakes have been noted: lets a caller see whether a step added any.
    #[must_use]
    pub fn problem_count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// All mistakes, in the order of their places in the file.
    #[must_use]
    pub fn into_problems(self) -> Vec<Diagnostic> {
        let distrusted = self.distrusted.into_inner();
        let problems = self.problems.into_inner().into_iter();
        let problems = problems.filter(|problem| !problem.follows_from.iter().any(|key| distrusted.contains(key)));
        let mut problems: Vec<Diagnostic> = problems.map(|problem| problem.diagnostic).collect();
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        // What is read twice, or stands for many things, is told once.
        let mut told: BTreeSet<(usize, usize, String)> = BTreeSet::new();
        problems.retain(|problem| told.insert((problem.span.start, problem.span.end, without_owner(&problem.title))));
        problems
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line on which a byte offset stands, from 1.
    #[must_use]
    pub fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// A title without whose key it is about: one `link` of a helper that makes a hundred links has one mistake, not a hundred.
fn without_owner(title: &str) -> String {
    let Some(rest) = title.strip_prefix('`') else { return title.to_owned() };
    match rest.split_once('`') {
        Some((path, after)) => format!("`{}`{after}", path.rsplit('.').next().unwrap_or(path)),
        None => title.to_owned(),
    }
}
