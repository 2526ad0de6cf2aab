//! `that`: something is true of outcomes and counters.
//!
//! ```text
//! apps.fetch.status == 200 && apps.fetch.elapsed < 2s
//! abs(apps.a.bytes - apps.b.bytes) <= 10kB
//! links.wan.dropped_loss / links.wan.sent < 2%
//! "refused" in apps.fetch.error || !has(apps.fetch.error)
//! ```
//!
//! [`lexer`] splits the text into words, [`parse`] finds its shape, [`value`] works it out.

mod lexer;
mod parse;
mod value;

#[cfg(test)]
mod tests;

use self::parse::{Expression, Form, Function, Sign};
use self::value::{Trouble, evaluate, truth};
use super::{Builder, Claim, Expectation, Verdict};
use crate::app;
use crate::network::Network;
use crate::read::{Diagnostic, Field, Form as FieldForm, Item, Kind, Need, Span, Table, fits, nearest};
use crate::record::Value;

/// How many facts are listed where one is missing: all causes of drops, and some more.
const KNOWN_MAX: usize = 40;

/// `that = '…'`.
pub(super) const KIND: Kind<Builder> = Kind {
    name: "that",
    doc: "Something is true of what programs report and of what links and nodes count.",
    example: "[[expect]]\nthat = 'links.wan.dropped == 0 && run.time < 30s'\n",
    fields: &[Field {
        name: "that",
        form: FieldForm::Text,
        need: Need::Required,
        doc: "An expression: facts (`apps.fetch.status`, `links.wan.ab.dropped`, `nodes.r1.ip.forwarded`, `run.time`), numbers \
              with units (`2s`, `1%`, `10kB`, `10Mbit`), texts, lists; `== != < <= > >= in`, `&& || !`, `+ - * /`, \
              `abs`, `count`, `has`, `len`, `min`, `max`, `sum`. Of a program that runs on many nodes, `apps.talk@h1.reply` is one \
              outcome and `apps.talk@*.reply` the list of all that were reported.",
    }],
    build: |table| build(table),
};

/// A mistake in the text: where, what is wrong, what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mistake {
    span: Span,
    title: String,
    label: String,
    notes: Vec<String>,
}

impl Mistake {
    fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: label.into(), notes: Vec::new() }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

fn build(table: &Table<'_>) -> Option<Box<dyn Claim>> {
    let item = table.item("that")?;
    let text = item.text("an expression in quotes")?;
    let expression = match parse::parse(text) {
        Ok(expression) => expression,
        Err(Mistake { span, title, label, notes }) => {
            // At the end of the text nothing would be underlined: show its last letter.
            let span = if span.is_empty() { span.start.saturating_sub(1)..span.start.max(1) } else { span };
            let diagnostic = Diagnostic::new(item.part(span), title).label(label);
            item.reader.report(notes.into_iter().fold(diagnostic, Diagnostic::note));
            return None;
        }
    };
    let mut facts = Vec::new();
    collect_facts(&expression, &mut facts);
    let before = item.reader.problem_count();
    facts.iter().for_each(|(path, span)| check_names(&item, path, span));
    let facts = facts.into_iter().map(|(path, span)| (path, item.part(span))).collect();
    (item.reader.problem_count() == before).then(|| Box::new(That { expression, facts }) as Box<dyn Claim>)
}

fn collect_facts(expression: &Expression, facts: &mut Vec<(String, Span)>) {
    match &expression.form {
        Form::Binary { left, right, .. } | Form::Index { list: left, index: right } => {
            collect_facts(left, facts);
            collect_facts(right, facts);
        }
        Form::Call { arguments: items, .. } | Form::List(items) => {
            items.iter().for_each(|item| collect_facts(item, facts));
        }
        Form::Fact(path) => facts.push((path.clone(), expression.span.clone())),
        Form::Minus(inner) | Form::Not(inner) => collect_facts(inner, facts),
        Form::Boolean(_) | Form::Number(_) | Form::Text(_) => {}
    }
}

/// Reports a program, link or node that is not in the scenario, and a path that stops short.
fn check_names(item: &Item<'_>, path: &str, span: &Span) {
    let mut parts = path.splitn(3, '.');
    let (section, name, key) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let scope = &item.reader.scope;
    let (what, known) = match section {
        "apps" => ("app", &scope.apps),
        "links" => ("link", &scope.links),
        "nodes" => ("node", &scope.nodes),
        _ => return,
    };
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        item.report_part(span.clone(), format!("`{path}` names no {what}"), format!("such as `{section}.NAME.…`"));
        return;
    };
    let start = span.start + section.len() + 1;
    let place = item.part(start..start + name.len());
    if name.contains('*') {
        if !known.iter().any(|known| fits(name, known)) {
            let diagnostic = Diagnostic::new(place, format!("no {what} has a name like `{name}`"));
            item.reader.report_unknown(diagnostic.label("`*` stands for any letters"), &[section]);
        }
    } else if let Some(one) = known.iter().find(|known| known.split_once('@').is_some_and(|(of, _)| of == name))
        && !known.iter().any(|known| known == name)
    {
        let diagnostic = Diagnostic::new(place, format!("`{name}` runs on several nodes"));
        let label = format!("`{one}` is one of them, `{name}@*` means all");
        item.reader.report(diagnostic.label(label));
    } else if !known.iter().any(|known| known == name) {
        let diagnostic = Diagnostic::new(place, format!("no {what} is called `{name}`"));
        item.reader.report_unknown(diagnostic.not_among(name, known.iter().map(String::as_str)), &[section]);
    } else if key.is_none_or(str::is_empty) {
        item.report_part(span.clone(), format!("`{path}` does not say what of it"), format!("such as `{path}.…`"));
    }
}

/// What an entry says.
#[derive(Debug)]
struct That {
    expression: Expression,
    /// Every fact in it, and where it stands in the file.
    facts: Vec<(String, Span)>,
}

impl Claim for That {
    fn watch(&self, network: &Network) -> Result<Box<dyn Expectation>, Diagnostic> {
        for (path, span) in &self.facts {
            if !may_be_known(path, network) {
                return Err(unknown_fact(path, span, network));
            }
        }
        Ok(Box::new(Expected { expression: self.expression.clone() }))
    }

    fn describe(&self) -> String {
        self.expression.to_string()
    }
}

/// Whether there is such a fact, or may be in the end: what links and nodes count is there from the beginning; what the
/// programs of a scenario report is listed; what other programs report is known only when they have done so.
fn may_be_known(path: &str, network: &Network) -> bool {
    if !path.starts_with("apps.") {
        return network.fact(path).is_some();
    }
    reports(path, network).is_none_or(|listed| listed.iter().any(|known| known == path))
}

/// Everything that the program of a path may report, if it is one of a scenario's.
fn reports(path: &str, network: &Network) -> Option<Vec<String>> {
    let (name, _) = path.strip_prefix("apps.")?.split_once('.')?;
    let program = network.names().apps.iter().find(|program| fits(name, &program.name))?;
    app::kind(&program.kind)?;
    let listed = app::COMMON_OUTCOMES.iter().chain(app::outcomes(&program.kind));
    Some(listed.map(|(key, _)| format!("apps.{name}.{key}")).collect())
}

fn unknown_fact(path: &str, span: &Span, network: &Network) -> Diagnostic {
    let known = reports(path, network).unwrap_or_else(|| network.fact_names());
    let diagnostic = Diagnostic::new(span.clone(), format!("there is no fact called `{path}`"));
    let mut diagnostic = match nearest(path, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
        None => diagnostic,
    };
    if path.contains('-') && diagnostic.label.is_empty() {
        diagnostic = diagnostic.note("to subtract, write blanks around the `-`");
    }
    let (prefix, siblings) = siblings(path, &known);
    if siblings.is_empty() {
        return diagnostic;
    }
    let siblings: Vec<&str> = siblings.iter().map(|name| &name[prefix.len()..]).collect();
    diagnostic.note(format!("known of `{}`: {}", prefix.trim_end_matches('.'), siblings.join(", ")))
}

/// The facts nearest to a path: those with all of its words but the last, or else those of the same program, link or
/// node; and what they have in common.
fn siblings<'k>(path: &str, known: &'k [String]) -> (String, Vec<&'k str>) {
    let words: Vec<&str> = path.split('.').collect();
    let least = if path.starts_with("run") { 1 } else { 2 };
    for length in (least..words.len().max(least + 1)).rev() {
        let prefix = format!("{}.", words[..length.min(words.len())].join("."));
        let relatives = known.iter().filter_map(|name| Some((name, name.strip_prefix(&prefix)?)));
        // What each direction counts has the same names as what both count.
        let relatives = relatives.filter(|(_, key)| !key.starts_with("ab.") && !key.starts_with("ba."));
        let relatives: Vec<&str> = relatives.map(|(name, _)| name.as_str()).take(KNOWN_MAX).collect();
        if !relatives.is_empty() {
            return (prefix, relatives);
        }
    }
    (String::new(), Vec::new())
}

/// The expectation during a run.
#[derive(Debug)]
struct Expected {
    expression: Expression,
}

impl Expectation for Expected {
    fn is_watching(&self) -> bool {
        false
    }

    fn conclude(&mut self, network: &Network) -> Verdict {
        let fact = |path: &str| network.fact(path);
        match truth(&self.expression, &fact) {
            Ok(true) => Verdict::met(facts_of(&self.expression, &fact)),
            Ok(false) => Verdict::unmet(reasons(&self.expression, false, &fact).join("\n")),
            Err(Trouble::Missing(path)) => Verdict::unmet(missing(&path, network)),
            Err(Trouble::Unfit { message, .. }) => {
                let facts = facts_of(&self.expression, &fact);
                Verdict::unmet(if facts.is_empty() { message } else { format!("{message}\n{facts}") })
            }
        }
    }
}

/// Every fact in an expression with its value.
fn facts_of(expression: &Expression, fact: &impl Fn(&str) -> Option<Value>) -> String {
    let mut looked_at = Vec::new();
    collect_looked_at(expression, &mut looked_at);
    let mut lines: Vec<String> = Vec::new();
    for part in looked_at {
        let value = match &part.form {
            Form::Fact(path) => fact(path).map(|value| value.brief()),
            _ => evaluate(part, fact).ok().map(|value| value.to_string()),
        };
        let Some(value) = value else { continue };
        let line = format!("{part} = {value}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join(", ")
}

/// What an expression looks at: facts, and of a list the elements or the length that it asks for.
fn collect_looked_at<'e>(expression: &'e Expression, parts: &mut Vec<&'e Expression>) {
    match &expression.form {
        Form::Fact(_) => parts.push(expression),
        Form::Index { list, index } if matches!((&list.form, &index.form), (Form::Fact(_), Form::Number(_))) => {
            parts.push(expression);
        }
        Form::Call { function: Function::Length, arguments }
            if matches!(arguments[..], [Expression { form: Form::Fact(_), .. }]) =>
        {
            parts.push(expression);
        }
        Form::Binary { left, right, .. } | Form::Index { list: left, index: right } => {
            collect_looked_at(left, parts);
            collect_looked_at(right, parts);
        }
        Form::Call { arguments: items, .. } | Form::List(items) => {
            items.iter().for_each(|item| collect_looked_at(item, parts));
        }
        Form::Minus(inner) | Form::Not(inner) => collect_looked_at(inner, parts),
        Form::Boolean(_) | Form::Number(_) | Form::Text(_) => {}
    }
}

/// Why an expression is not what it was wanted to be: the smallest parts that decide it.
fn reasons(expression: &Expression, is: bool, fact: &impl Fn(&str) -> Option<Value>) -> Vec<String> {
    match &expression.form {
        Form::Binary { sign: Sign::And | Sign::Or, left, right } => {
            let sides = [left, right].into_iter().filter(|side| truth(side, fact) == Ok(is));
            sides.flat_map(|side| reasons(side, is, fact)).collect()
        }
        Form::Not(inner) => reasons(inner, !is, fact),
        Form::Binary { sign, left, right } if sign.compares() => {
            let value = |side: &Expression| {
                let is_literal = matches!(side.form, Form::Number(_) | Form::Text(_) | Form::Boolean(_));
                let value = evaluate(side, fact).ok().filter(|_| !is_literal)?;
                Some(format!("{side} is {value}"))
            };
            let values: Vec<String> = [left, right].into_iter().filter_map(|side| value(side)).collect();
            let is_true = if is { " is true" } else { "" };
            vec![format!("{expression}{is_true}: {}", values.join(", "))]
        }
        _ => vec![format!("{expression} is {is}")],
    }
}

/// That a fact is missing, and what there is in its place.
fn missing(path: &str, network: &Network) -> String {
    let known = network.fact_names();
    let mut text = format!("nothing was reported as `{path}`");
    let is_listed = reports(path, network).is_some();
    if let Some(near) = nearest(path, known.iter().map(String::as_str)).filter(|_| !is_listed) {
        text.push_str(&format!(" (did you mean `{near}`?)"));
    }
    let values =
        siblings(path, &known).1.into_iter().filter_map(|name| Some(format!("{name} = {}", network.fact(name)?)));
    let values: Vec<String> = values.collect();
    if !values.is_empty() {
        text.push_str(&format!("\nreported: {}", values.join(", ")));
    }
    text
}
