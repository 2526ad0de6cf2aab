//! Finding the scenario that a command line means.

use std::path::Path;

use super::Verdict;
use super::arguments::Which;
use super::terminal::Terminal;
use crate::read::nearest;
use crate::scenario::{LoadError, Mistakes, Scenario, examples};

/// The scenario that is meant, with `--set` and `--seed` applied; a file counts before an example of the same name.
/// Otherwise the user has been told what is wrong.
pub(super) fn load(which: &Which, terminal: &Terminal) -> Result<Scenario, Verdict> {
    let mut scenario = find(&which.scenario, terminal)?;
    if let Some(wrong) = which.set.iter().find(|setting| !setting.contains('=')) {
        return Err(terminal.complain(&format!("`--set {wrong}` has no value: `--set {wrong}=VALUE`")));
    }
    scenario.set_all(&which.set).map_err(|mistakes| show(&mistakes, terminal))?;
    if let Some(seed) = which.seed {
        scenario = scenario.seed(seed);
    }
    Ok(scenario)
}

/// Shows every mistake.
pub(super) fn show(mistakes: &Mistakes, terminal: &Terminal) -> Verdict {
    terminal.tell(mistakes.render(terminal.colours_errors()).trim_end());
    let count = mistakes.diagnostics.len();
    terminal.complain(&format!("{} has {count} mistake{}", mistakes.source.name, if count == 1 { "" } else { "s" }))
}

fn find(name: &str, terminal: &Terminal) -> Result<Scenario, Verdict> {
    if Path::new(name).exists() {
        return Scenario::from_file(name).map_err(|error| match error {
            LoadError::Mistakes(mistakes) => show(&mistakes, terminal),
            LoadError::Io { .. } | LoadError::TooLarge { .. } => terminal.complain(&with_source(&error)),
        });
    }
    let Some(example) = examples().iter().find(|example| example.name == name) else {
        let near = nearest(name, examples().iter().map(|example| example.name));
        let hint = match near {
            Some(near) => format!("did you mean the example `{near}`?"),
            None => "`hopwise examples` lists the bundled ones".to_owned(),
        };
        return Err(terminal.complain(&format!("there is no file and no example called `{name}`: {hint}")));
    };
    Scenario::from_toml(example.name, example.text).map_err(|mistakes| show(&mistakes, terminal))
}

/// An error with what is behind it, on one line.
pub(super) fn with_source(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
