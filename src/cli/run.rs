//! `hopwise run`: the main job.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::Verdict;
use super::arguments;
use super::load::{load, show, with_source};
use super::progress::run_to_end;
use super::terminal::Terminal;
use crate::filter::Filter;
use crate::network::action::View;
use crate::output::{self, OutputError, Sink, Style};
use crate::read::{Diagnostic, Source, nearest};
use crate::scenario::{Asked, Report, Run, Scenario};
use crate::time::Time;
use crate::units::parse_duration;

/// What is printed when nothing is asked for.
const BY_DEFAULT: [&str; 2] = ["ladder", "summary"];

/// The kind that is no text: it wants the standard output for itself, and no screen.
const BINARY: &str = "pcapng";

/// One output that the command line, or the scenario, asks for.
struct Wanted {
    kind: &'static str,
    /// `None`: the standard output.
    path: Option<PathBuf>,
    sink: Sink,
}

/// Runs a scenario, prints what was asked for, judges.
pub(super) fn run(arguments: &arguments::Run, terminal: &Terminal) -> Verdict {
    match try_run(arguments, terminal) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn try_run(arguments: &arguments::Run, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let scenario = load(&arguments.which, terminal)?;
    let filter = arguments.trace.as_deref().map(|text| read_filter(text, terminal)).transpose()?;
    let until = arguments.until.as_deref().map(|text| read_time("--until", text, terminal)).transpose()?;
    let views: Vec<(&str, Time)> =
        arguments.show.iter().map(|text| read_view(text, terminal)).collect::<Result<_, Verdict>>()?;
    let wanted = outputs(arguments, &scenario, terminal)?;
    let asked: Vec<Asked> = wanted
        .iter()
        .map(|wanted| Asked {
            kind: wanted.kind,
            sink: wanted.sink.clone(),
            style: if wanted.path.is_none() { terminal.style() } else { Style::Plain },
            filter: filter.clone(),
        })
        .collect();
    let mut run = scenario.build_with(&asked).map_err(|mistakes| show(&mistakes, terminal))?;
    if let Some(until) = until {
        run.set_stop(until);
    }
    for (view, at) in views {
        ask_for_view(view, at, &mut run, terminal)?;
    }
    let title = title(&run);
    run_to_end(&mut run, terminal);
    let report = run.finish();
    let title = (arguments.output.is_empty() && !arguments.quiet).then(|| format!("{title}\n\n"));
    let is_printed = print(title, &report, &wanted, terminal);
    let is_printed = print_views(&report, arguments, &wanted, terminal) && is_printed;
    let are_written = check_written(&report, &wanted, arguments.quiet, terminal);
    let shows_findings = wanted.iter().any(|wanted| wanted.kind == "summary" && wanted.path.is_none());
    let is_met = judge(&report, shows_findings, terminal);
    Ok(match (is_printed && are_written, is_met) {
        (false, _) => Verdict::Wrong,
        (true, false) => Verdict::NotMet,
        (true, true) => Verdict::Met,
    })
}

/// The scenario's name and, if it says so, what it shows.
fn title(run: &Run) -> String {
    if run.about.is_empty() { run.name.clone() } else { format!("{}: {}", run.name, run.about) }
}

/// Prints, in the order asked for, what goes to the standard output. Whether that could be done.
fn print(title: Option<String>, report: &Report, wanted: &[Wanted], terminal: &Terminal) -> bool {
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

/// Reads what `--show` asks for: the node and the view behind the first colon, and when.
fn read_view<'t>(text: &'t str, terminal: &Terminal) -> Result<(&'t str, Time), Verdict> {
    match text.split_once(':') {
        Some((time, view)) if view.contains(':') => Ok((view, read_time("--show", time, terminal)?)),
        _ => {
            Err(terminal
                .complain(&format!("`--show {text}` does not say when, of which node, and what: `3s:r1:route`")))
        }
    }
}

/// Plans what `--show` asks for: `r1:route`.
fn ask_for_view(view: &str, at: Time, run: &mut Run, terminal: &Terminal) -> Result<(), Verdict> {
    let (node, what) = view.split_once(':').unwrap_or((view, ""));
    run.show_at(at, node, what).map_err(|message| terminal.complain(&format!("`--show`: {message}")))
}

/// Prints what `--show` asked for, in the order of time; whether that went well.
fn print_views(report: &Report, arguments: &arguments::Run, wanted: &[Wanted], terminal: &Terminal) -> bool {
    let mut text = String::new();
    let mut gap = if wanted.iter().all(|wanted| wanted.path.is_some()) { "" } else { "\n" };
    for View { at, node, what, text: lines } in &report.views {
        let lines = if lines.is_empty() { "nothing" } else { lines };
        let _ = writeln!(text, "{gap}{node}: {what} at {at} s");
        for line in lines.lines() {
            let _ = writeln!(text, "    {line}");
        }
        gap = "\n";
    }
    let missing = arguments.show.len().saturating_sub(report.views.len());
    if missing > 0 {
        let (ended_at, plural) = (report.ended_at, if missing == 1 { "" } else { "s" });
        terminal.tell(&format!("the run ended at {ended_at} s, too early for {missing} view{plural} of --show"));
    }
    text.is_empty() || terminal.print(&text) == Verdict::Met
}

/// Tells of outputs that could not be written, and where the others are.
fn check_written(report: &Report, wanted: &[Wanted], is_quiet: bool, terminal: &Terminal) -> bool {
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
fn judge(report: &Report, shows_findings: bool, terminal: &Terminal) -> bool {
    if report.is_met() {
        return true;
    }
    if !shows_findings || report.failure.is_some() {
        terminal.tell(report.objections().trim_end());
    }
    terminal.tell(&format!("repeat with: {}", report.repeat_command));
    false
}

/// What is to be produced: what `--output` says, or the default and what `[record]` says.
fn outputs(arguments: &arguments::Run, scenario: &Scenario, terminal: &Terminal) -> Result<Vec<Wanted>, Verdict> {
    let mut wanted = Vec::new();
    for text in &arguments.output {
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
        check_place(kind.name, path.as_deref(), &wanted, scenario, arguments.output.len(), terminal)?;
        wanted.push(open(kind.name, path, terminal)?);
    }
    if arguments.output.is_empty() {
        if !arguments.quiet {
            for kind in BY_DEFAULT {
                wanted.push(open(kind, None, terminal)?);
            }
        }
        let recorded = scenario.recorded().map_err(|mistakes| show(&mistakes, terminal))?;
        for kind in recorded.into_iter().filter(|kind| !BY_DEFAULT.contains(kind)) {
            let path = default_path(scenario, kind);
            check_place(kind, Some(&path), &wanted, scenario, 1, terminal)?;
            wanted.push(open(kind, Some(path), terminal)?);
        }
    }
    Ok(wanted)
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

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn open(kind: &'static str, path: Option<PathBuf>, terminal: &Terminal) -> Result<Wanted, Verdict> {
    let sink = match &path {
        None => Sink::memory(),
        Some(path) => {
            let file = File::create(path)
                .map_err(|error| terminal.complain(&format!("cannot write {}: {error}", path.display())))?;
            Sink::writer(path.display().to_string(), file)
        }
    };
    Ok(Wanted { kind, path, sink })
}

fn read_filter(text: &str, terminal: &Terminal) -> Result<Filter, Verdict> {
    Filter::parse(text).map_err(|error| {
        let diagnostic = error.into_diagnostic();
        tell_about_argument("--trace", text, &diagnostic, terminal)
    })
}

fn read_time(argument: &str, text: &str, terminal: &Terminal) -> Result<Time, Verdict> {
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
