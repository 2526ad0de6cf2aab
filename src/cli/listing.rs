//! Commands that only tell: `check`, `examples`, `kinds`, `schema`, `new`.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::Verdict;
use super::arguments;
use super::load::{load, show};
use super::terminal::Terminal;
use crate::read::nearest;
use crate::scenario;

/// `hopwise check`: the network that a scenario makes.
pub(super) fn check(arguments: &arguments::Check, terminal: &Terminal) -> Verdict {
    let described = load(&arguments.which, terminal)
        .and_then(|scenario| scenario.describe().map_err(|mistakes| show(&mistakes, terminal)));
    match described {
        Ok(text) => terminal.print(&text),
        Err(verdict) => verdict,
    }
}

/// `hopwise examples`: all bundled scenarios with what they are about, or one of them whole.
pub(super) fn examples(arguments: &arguments::Examples, terminal: &Terminal) -> Verdict {
    let examples = scenario::examples();
    if let Some(name) = &arguments.name {
        return match examples.iter().find(|example| example.name == name) {
            Some(example) => terminal.print(example.text),
            None => {
                let near = nearest(name, examples.iter().map(|example| example.name));
                let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
                terminal.complain(&format!("no example is called `{name}`{hint}"))
            }
        };
    }
    if arguments.names {
        return terminal.print(&examples.iter().map(|example| format!("{}\n", example.name)).collect::<String>());
    }
    let width = examples.iter().map(|example| example.name.len()).max().unwrap_or(0);
    let lines = examples.iter().map(|example| format!("{:width$}  {}\n", example.name, example.about()));
    let list: String = lines.collect();
    terminal.print(&format!("{list}\nRun one: hopwise run NAME. See its file: hopwise examples NAME.\n"))
}

/// `hopwise kinds`: everything that a scenario may name, or what has a word in its heading.
pub(super) fn kinds(arguments: &arguments::Kinds, terminal: &Terminal) -> Verdict {
    let reference = scenario::reference();
    let Some(word) = &arguments.name else { return terminal.print(&reference) };
    let sections: Vec<&str> = sections(&reference).filter(|section| heading(section).contains(word.as_str())).collect();
    if sections.is_empty() {
        let headings: Vec<&str> = sections_words(&reference);
        let near = nearest(word, headings.iter().copied());
        let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return terminal.complain(&format!("nothing in a scenario is called `{word}`{hint}"));
    }
    terminal.print(&sections.concat())
}

/// `hopwise schema`: the JSON Schema of scenarios.
pub(super) fn schema(terminal: &Terminal) -> Verdict {
    let schema = serde_json::to_string_pretty(&scenario::schema()).expect("a JSON value can be written");
    terminal.print(&format!("{schema}\n"))
}

/// `hopwise new`: a commented scenario to start from. Never writes over a file.
pub(super) fn new(arguments: &arguments::New, terminal: &Terminal) -> Verdict {
    let Some(path) = &arguments.path else { return terminal.print(scenario::starter()) };
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    match written.and_then(|mut file| file.write_all(scenario::starter().as_bytes())) {
        Ok(()) => {
            terminal.tell(&format!("wrote {0}; run it: hopwise run {0}", path.display()));
            Verdict::Met
        }
        Err(error) => terminal.complain(&format!("cannot write {}: {error}", path.display())),
    }
}

/// The parts of the reference page, each from one heading of the third level to the next heading.
fn sections(reference: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = reference.match_indices("\n#").map(|(at, _)| at + 1).chain([reference.len()]).collect();
    let parts: Vec<&str> = starts.windows(2).map(|pair| &reference[pair[0]..pair[1]]).collect();
    parts.into_iter().filter(|part| part.starts_with("### "))
}

fn heading(section: &str) -> &str {
    section.lines().next().unwrap_or_default()
}

fn sections_words(reference: &str) -> Vec<&str> {
    sections(reference).map(|section| heading(section).trim_start_matches("### ").trim_matches('`')).collect()
}
