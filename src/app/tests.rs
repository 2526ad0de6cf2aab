//! Manners of the registry: every row holds what it promises.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::{COMMON_OUTCOMES, KINDS, OUTCOMES, kind, outcomes};
use crate::net::Program;
use crate::read::{Diagnostic, Field, Form, Kind, Need, Reader, Scope, Source, Table};

/// The keys of every program, as the scenario checks them.
const COMMON: &[&str] = &["on", "kind", "start", "stop"];

/// Reads the one program of an `[apps]` section, with checked keys: the program, and the mistakes.
fn read(line: &str) -> (Option<Program>, Vec<Diagnostic>) {
    let text = format!("[apps]\n{line}\n");
    let document = DeTable::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let scope = Scope { nodes: vec!["client".into(), "server".into()], ..Scope::default() };
    let reader = Reader::new(&text, scope);
    let top = Table::new(document.get_ref(), 0..0, String::new(), &reader);
    let apps: Table<'_> = top.need("apps").unwrap();
    let [(name, _)] = &apps.entries()[..] else { panic!("one program, please: {line}") };
    let table: Table<'_> = apps.need(name.value).unwrap();
    let kind = kind(&table.need::<String>("kind").unwrap()).unwrap();
    table.check(&[kind.fields], COMMON);
    let program = (kind.build)(&table);
    drop((table, apps, top));
    (program, reader.into_problems())
}

fn rendered(line: &str) -> String {
    let source = Source { name: "test.toml".into(), text: format!("[apps]\n{line}\n") };
    let (_, problems) = read(line);
    problems.iter().map(|problem| problem.render(&source, false)).collect::<Vec<_>>().join("\n\n")
}

/// The example of a kind with one key set, replaced or left out.
fn example_with<B>(kind: &Kind<B>, key: &str, value: Option<&str>) -> String {
    let (head, body) = kind.example.split_once('{').unwrap();
    let body = body.trim().strip_suffix('}').unwrap();
    // No value of an example has a comma in it.
    let is_other = |pair: &&str| pair.split_once('=').unwrap().0.trim() != key;
    let mut pairs: Vec<String> = body.split(',').filter(is_other).map(|pair| pair.trim().to_owned()).collect();
    pairs.extend(value.map(|value| format!("{key} = {value}")));
    format!("{head}{{ {} }}", pairs.join(", "))
}

/// A default as it is written in a scenario.
fn written(field: &Field, default: &str) -> String {
    match field.form {
        Form::Boolean | Form::Either([Form::Boolean, ..]) | Form::Integer { .. } => default.to_owned(),
        _ => format!("\"{default}\""),
    }
}

#[test]
fn every_example_is_read_without_a_mistake() {
    for kind in KINDS {
        let (program, problems) = read(kind.example);
        assert!(program.is_some() && problems.is_empty(), "{}: {}", kind.name, rendered(kind.example));
    }
}

#[test]
fn every_default_can_be_written_out() {
    for kind in KINDS {
        for field in kind.fields {
            if let Need::Default(default) = field.need {
                let line = example_with(kind, field.name, Some(&written(field, default)));
                let (program, problems) = read(&line);
                assert!(program.is_some() && problems.is_empty(), "{}", rendered(&line));
            }
        }
    }
}

fn takes_table(form: &Form) -> bool {
    match form {
        Form::Either(forms) => forms.iter().any(takes_table),
        Form::Map(_) | Form::Table(_) => true,
        _ => false,
    }
}

#[test]
fn every_field_is_read() {
    for kind in KINDS {
        for field in kind.fields {
            // Nobody can read a table where none belongs, nor a number where one does.
            let wrong = if takes_table(&field.form) { "7" } else { "{}" };
            let line = example_with(kind, field.name, Some(wrong));
            let (_, problems) = read(&line);
            assert!(!problems.is_empty(), "nobody minds `{line}`");
        }
    }
}

#[test]
fn every_required_field_is_missed() {
    for kind in KINDS {
        for field in kind.fields.iter().filter(|field| field.need == Need::Required) {
            let line = example_with(kind, field.name, None);
            let (program, problems) = read(&line);
            assert!(program.is_none() && problems.len() == 1, "{line}: {problems:?}");
        }
    }
}

#[test]
fn every_range_ends_where_it_says() {
    for kind in KINDS {
        for field in kind.fields {
            let Form::Integer { min, max } = field.form else { continue };
            for (value, is_in) in [(min - 1, false), (min, true), (max, true), (max + 1, false)] {
                let line = example_with(kind, field.name, Some(&value.to_string()));
                assert_eq!(read(&line).1.is_empty(), is_in, "{line}");
            }
        }
    }
}

#[test]
fn the_rows_are_in_order_and_the_outcomes_beside_them() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let sorted: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    assert_eq!(names, OUTCOMES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn every_file_of_a_program_has_its_row() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let stem = path.file_stem().unwrap().to_str().unwrap().replace('_', "-");
        let is_program = std::fs::read_to_string(&path).unwrap().contains("\npub(super) const KIND: Kind<AppBuilder>");
        assert_eq!(is_program, kind(&stem).is_some(), "{}", path.display());
    }
}

#[test]
fn every_row_says_what_it_is_in_one_sentence() {
    for kind in KINDS {
        let docs = kind.fields.iter().map(|field| field.doc).chain([kind.doc]);
        let outcomes = outcomes(kind.name).iter().chain(COMMON_OUTCOMES).map(|(_, doc)| *doc);
        for doc in docs.chain(outcomes) {
            assert!(doc.ends_with('.') && doc.starts_with(char::is_uppercase), "{}: {doc}", kind.name);
        }
        let mut seen = BTreeSet::new();
        for (name, _) in outcomes_of(kind.name) {
            assert!(seen.insert(name), "{} reports {name} twice", kind.name);
        }
    }
}

fn outcomes_of(kind: &str) -> impl Iterator<Item = super::Outcome> {
    outcomes(kind).iter().chain(COMMON_OUTCOMES).copied()
}

#[test]
fn an_unknown_kind_has_neither_row_nor_outcomes() {
    assert!(kind("tcp-ecko").is_none() && outcomes("tcp-ecko").is_empty());
}

#[test]
fn mistakes_say_what_would_be_right() {
    let lines = [
        "talk = { on = \"client\", kind = \"tcp-send\", to = \"server\", text = \"x\" }",
        "talk = { on = \"client\", kind = \"tcp-send\", to = \"server:0\", txt = \"x\" }",
        "talk = { on = \"client\", kind = \"tcp-send\", to = \"server:7\", text = \"x\", bytes = \"1kB\" }",
        "talk = { on = \"client\", kind = \"tcp-send\", to = \"server:7\", text = 3, close = \"abrt\", hold = 5 }",
        "load = { on = \"client\", kind = \"tcp-bulk\", to = \"server:9\" }",
        "echo = { on = \"server\", kind = \"tcp-echo\", port = 70000, backlog = 0 }",
        "ask = { on = \"client\", kind = \"ping\", to = \"server:7\", size = \"1MB\" }",
        "ask = { on = \"client\", kind = \"udp-send\", to = \"server:7\", bytes = \"64KiB\" }",
        "voice = { on = \"client\", kind = \"udp-stream\", to = \"server:7\", rate = \"0bit\", size = \"0B\" }",
        "trace = { on = \"client\", kind = \"traceroute\", to = \"servre\", method = \"tcp\", size = \"20B\" }",
    ];
    insta::assert_snapshot!(lines.map(rendered).join("\n\n"));
}

#[test]
fn all_mistakes_of_one_table_are_told_at_once() {
    let line = "talk = { on = \"client\", kind = \"tcp-send\", to = \"sever:7\", text = 3, hold = 5, reply = 1, timeout = \"x\" }";
    assert_eq!(read(line).1.len(), 5, "{}", rendered(line));
}
