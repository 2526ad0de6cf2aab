//! Commands that only tell: `ca`, `check`, `examples`, `kinds`, `schema`, `new`.

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

/// `hopwise ca`: whom the clients of a scenario trust.
pub(super) fn ca(arguments: &arguments::Ca, terminal: &Terminal) -> Verdict {
    let scenario = match load(&arguments.which, terminal) {
        Ok(scenario) => scenario,
        Err(verdict) => return verdict,
    };
    #[cfg(feature = "tls")]
    return match scenario.authority() {
        Ok(authority) => terminal.print(&authority.pem()),
        Err(mistakes) => show(&mistakes, terminal),
    };
    #[cfg(not(feature = "tls"))]
    match scenario.check() {
        Ok(()) => terminal.complain("this build speaks no TLS: it was made without the feature `tls`"),
        Err(mistakes) => show(&mistakes, terminal),
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
    let (course, others): (Vec<_>, Vec<_>) = examples.iter().partition(|example| example.is_of_course());
    let list = |examples: &[&scenario::Example]| -> String {
        let width = examples.iter().map(|example| example.name.len()).max().unwrap_or(0);
        examples.iter().map(|example| format!("{:width$}  {}\n", example.name, example.about())).collect()
    };
    terminal.print(&format!(
        "{}\nThe course, to be read in order (docs/course):\n\n{}\nRun one: hopwise run NAME. See its file: hopwise examples NAME.\n",
        list(&others),
        list(&course)
    ))
}

/// `hopwise kinds`: everything that a scenario may name, or one part of the page, or what has a word in its heading.
pub(super) fn kinds(arguments: &arguments::Kinds, terminal: &Terminal) -> Verdict {
    let reference = scenario::reference();
    let Some(word) = &arguments.name else { return terminal.print(&reference) };
    let word = word.to_lowercase();
    if let Some(part) = parts(&reference, 2).into_iter().find(|part| is_about(heading(part), &word)) {
        return terminal.print(part);
    }
    let sections = parts(&reference, 3);
    let found: Vec<&str> = sections.iter().copied().filter(|section| heading(section).contains(&word)).collect();
    if found.is_empty() {
        let headings = sections.iter().map(|section| heading(section));
        let hint = match nearest(&word, headings) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`hopwise kinds` shows everything".to_owned(),
        };
        return terminal.complain(&format!("nothing in a scenario is called `{word}`: {hint}"));
    }
    terminal.print(&found.concat())
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

/// The parts of the reference page that have a heading of this level, each up to the next heading of that level or a
/// higher one.
fn parts(reference: &str, level: usize) -> Vec<&str> {
    let level_of = |at: usize| reference[at..].bytes().take_while(|byte| *byte == b'#').count();
    // A TOML comment in an example is no heading.
    let is_heading = |at: &usize| reference[at + level_of(*at)..].starts_with(' ') && !is_in_code(reference, *at);
    let starts = reference.match_indices("\n#").map(|(at, _)| at + 1).filter(is_heading);
    let starts: Vec<usize> = starts.filter(|at| level_of(*at) <= level).chain([reference.len()]).collect();
    let parts = starts.windows(2).filter(|pair| level_of(pair[0]) == level);
    parts.map(|pair| &reference[pair[0]..pair[1]]).collect()
}

/// Whether a place is inside a fenced example.
fn is_in_code(reference: &str, at: usize) -> bool {
    reference[..at].matches("\n```").count() % 2 == 1
}

/// The words of a part's heading.
fn heading(part: &str) -> &str {
    part.lines().next().unwrap_or_default().trim_start_matches('#').trim().trim_matches('`')
}

/// Whether a chapter is what a word means: by its title, or by the section of a scenario that it is about.
fn is_about(title: &str, word: &str) -> bool {
    let section = match word {
        "apps" => "Programs",
        "at" => "Timed actions",
        "expect" => "Expectations",
        "record" => "Outputs",
        "topology" => "Topology helpers",
        _ => word,
    };
    title.eq_ignore_ascii_case(section)
}
