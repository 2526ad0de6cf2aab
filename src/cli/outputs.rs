//! What a command produces, and where it goes: `--output`, `--trace`.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::Verdict;
use super::arguments;
use super::load::{show, with_source};
use super::screen::Screen;
use super::terminal::Terminal;
use crate::filter::Filter;
use crate::output::{self, OutputError, Sink, Style};
use crate::read::{Diagnostic, Source, nearest};
use crate::scenario::{Asked, Report, Scenario};
use crate::time::Time;
use crate::units::parse_duration;

/// The kind that is no text: it wants the standard output for itself, and no screen.
const BINARY: &str = "pcapng";

/// The kind that is written in the end, in one piece.
const LAST: &str = "summary";

/// One output that the command line, or the scenario, asks for.
pub(super) struct Wanted {
    pub(super) kind: &'static str,
    /// `None`: the standard output.
    pub(super) path: Option<PathBuf>,
    sink: Sink,
}

/// What the command line says about outputs, and what it does not.
pub(super) struct Outputs<'a> {
    pub(super) said: &'a arguments::Outputs,
    /// What is printed when nothing is asked for.
    pub(super) by_default: &'a [&'static str],
    /// Where what goes to the standard output is shown while the run goes on; `None`: when it is over.
    pub(super) screen: Option<&'a Screen>,
    /// Whether what the scenario's `[record]` asks for is written when nothing else is.
    pub(super) records: bool,
}

impl Outputs<'_> {
    /// What is to be produced: what `--output` says, or the default and what `[record]` says.
    pub(super) fn wanted(&self, scenario: &Scenario, terminal: &Terminal) -> Result<Vec<Wanted>, Verdict> {
        let mut wanted = Vec::new();
        for text in &self.said.output {
            let (name, path) = text.split_once('=').map_or((text.as_str(), None), |(name, path)| (name, Some(path)));
            let kind = output::KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
                let known: Vec<&str> = output::KINDS.iter().map(|kind| kind.name).collect();
                let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
                let near = near.unwrap_or_default();
                terminal.complain(&format!("no output is called `{name}`: {near}known: {}", known.join(", ")))
            })?;
            let path = match path {
                Some("") => return Err(terminal.complain(&format!("`--output {text}` lacks a path: `{name}=FILE`"))),
                Some("-") | None => None,
                Some(path) => Some(PathBuf::from(path)),
            };
            check_place(kind.name, path.as_deref(), &wanted, scenario, self.said.output.len(), terminal)?;
            wanted.push(self.open(kind.name, path, terminal)?);
        }
        if self.said.output.is_empty() {
            if !self.said.quiet {
                for kind in self.by_default {
                    wanted.push(self.open(kind, None, terminal)?);
                }
            }
            let recorded = scenario.recorded().map_err(|mistakes| show(&mistakes, terminal))?;
            let is_new = |kind: &&'static str| self.records && !self.by_default.contains(kind);
            for kind in recorded.into_iter().filter(is_new) {
                let path = default_path(scenario, kind);
                check_place(kind, Some(&path), &wanted, scenario, 1, terminal)?;
                wanted.push(self.open(kind, Some(path), terminal)?);
            }
        }
        Ok(wanted)
    }

    /// The same, as a scenario is asked for it.
    pub(super) fn asked(&self, wanted: &[Wanted], terminal: &Terminal) -> Result<Vec<Asked>, Verdict> {
        let filter = self.said.trace.as_deref().map(|text| read_filter(text, terminal)).transpose()?;
        let asked = wanted.iter().map(|wanted| Asked {
            kind: wanted.kind,
            sink: wanted.sink.clone(),
            style: if wanted.path.is_none() { terminal.style() } else { Style::Plain },
            filter: filter.clone(),
        });
        Ok(asked.collect())
    }

    fn open(&self, kind: &'static str, path: Option<PathBuf>, terminal: &Terminal) -> Result<Wanted, Verdict> {
        let sink = match (&path, self.screen) {
            (None, Some(screen)) if kind != LAST => Sink::writer("the standard output", screen.clone()),
            (None, _) => Sink::memory(),
            (Some(path), _) => {
                let file = File::create(path)
                    .map_err(|error| terminal.complain(&format!("cannot write {}: {error}", path.display())))?;
                Sink::writer(path.display().to_string(), file)
            }
        };
        Ok(Wanted { kind, path, sink })
    }
}

/// Prints, in the order asked for, what goes to the standard output. Whether that could be done.
pub(super) fn print(title: Option<String>, report: &Report, wanted: &[Wanted], terminal: &Terminal) -> bool {
    let mut bytes = title.unwrap_or_default().into_bytes();
    let here = wanted.iter().filter(|wanted| wanted.path.is_none());
    for (index, wanted) in here.enumerate() {
        if index > 0 {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(report.output(wanted.kind));
    }
    terminal.print_bytes(&bytes) == Verdict::Met
}

/// Tells of outputs that could not be written, and where the others are.
pub(super) fn check_written(report: &Report, wanted: &[Wanted], is_quiet: bool, terminal: &Terminal) -> bool {
    let mut failed: Vec<&OutputError> = report.output_errors.iter().collect();
    failed.retain(|error| !error.is_broken_pipe());
    for error in &failed {
        terminal.complain(&with_source(*error));
    }
    if failed.is_empty() && !is_quiet {
        for wanted in wanted {
            if let Some(path) = &wanted.path {
                terminal.tell(&format!("wrote {}", path.display()));
            }
        }
    }
    failed.is_empty()
}

/// Tells what is not met, unless the summary has shown it, and how to see it again.
pub(super) fn judge(report: &Report, shows_findings: bool, terminal: &Terminal) -> bool {
    if report.is_met() {
        return true;
    }
    if !shows_findings || report.failure.is_some() {
        terminal.tell(report.objections().trim_end());
    }
    terminal.tell(&format!("repeat with: {}", report.repeat_command));
    false
}

/// Where a recording goes that the scenario asks for: the scenario's own name, in the present directory.
fn default_path(scenario: &Scenario, kind: &str) -> PathBuf {
    let extension = if kind == "text" { "txt" } else { kind };
    let stem = Path::new(scenario.source_name()).file_stem().unwrap_or_else(|| "run".as_ref());
    // Not `with_extension`: a scenario called `v1.2.toml` has the stem `v1.2`.
    let mut name = stem.to_owned();
    name.push(format!(".{extension}"));
    PathBuf::from(name)
}

/// Refuses places that an output would spoil: a screen for what is no text, the scenario itself, another output's file.
fn check_place(
    kind: &str,
    path: Option<&Path>,
    others: &[Wanted],
    scenario: &Scenario,
    count: usize,
    terminal: &Terminal,
) -> Result<(), Verdict> {
    let Some(path) = path else {
        return match kind {
            BINARY if terminal.shows_output() => {
                let hint = format!("`--output {kind}=FILE`, or into a pipe: `--output {kind} | wireshark -k -i -`");
                Err(terminal.complain(&format!("{kind} is not for a terminal: {hint}")))
            }
            BINARY if count > 1 => {
                let hint = format!("give it a file: `--output {kind}=FILE`");
                Err(terminal.complain(&format!("{kind} cannot share the standard output: {hint}")))
            }
            _ => Ok(()),
        };
    };
    if is_same_file(path, Path::new(scenario.source_name())) {
        return Err(terminal.complain(&format!("{} is the scenario; {kind} would overwrite it", path.display())));
    }
    let other = others.iter().find(|other| other.path.as_deref().is_some_and(|other| other == path));
    if let Some(other) = other {
        let title = format!("{} cannot hold both {} and {kind}", path.display(), other.kind);
        return Err(terminal.complain(&title));
    }
    Ok(())
}

pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

pub(super) fn read_filter(text: &str, terminal: &Terminal) -> Result<Filter, Verdict> {
    Filter::parse(text).map_err(|error| {
        let diagnostic = error.into_diagnostic();
        tell_about_argument("--trace", text, &diagnostic, terminal)
    })
}

pub(super) fn read_time(argument: &str, text: &str, terminal: &Terminal) -> Result<Time, Verdict> {
    parse_duration(text).map(|duration| Time::ZERO + duration).map_err(|error| {
        let diagnostic = Diagnostic::new(0..text.len(), error.message).label(error.hint);
        tell_about_argument(argument, text, &diagnostic, terminal)
    })
}

/// Shows a mistake in an argument where it stands.
fn tell_about_argument(name: &str, text: &str, diagnostic: &Diagnostic, terminal: &Terminal) -> Verdict {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    terminal.tell(&diagnostic.render(&source, terminal.colours_errors()));
    Verdict::Wrong
}
