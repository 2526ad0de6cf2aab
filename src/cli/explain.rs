//! `hopwise explain`: one packet of a run, header by header and hop by hop.

use std::path::Path;

use super::Verdict;
use super::arguments;
use super::load::{load, show};
use super::outputs::{is_same_file, read_filter, read_time};
use super::progress::run_to_end;
use super::terminal::Terminal;
use crate::output::{Explanation, Story};

/// Runs the scenario and explains the packet that is asked for, or lists all.
pub(super) fn explain(arguments: &arguments::Explain, terminal: &Terminal) -> Verdict {
    try_explain(arguments, terminal).unwrap_or_else(|verdict| verdict)
}

fn try_explain(arguments: &arguments::Explain, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let scenario = load(&arguments.which, terminal)?;
    let number = arguments.number.as_deref().map(|text| read_number(text, terminal)).transpose()?;
    check_place(arguments, number, scenario.source_name(), terminal)?;
    let filter = arguments.trace.as_deref().map(|text| read_filter(text, terminal)).transpose()?;
    let until = arguments.until.as_deref().map(|text| read_time("--until", text, terminal)).transpose()?;
    let (mut run, story) = scenario.build_with_story().map_err(|mistakes| show(&mistakes, terminal))?;
    if let Some(until) = until {
        run.set_stop(until);
    }
    if let Some(filter) = filter {
        story.set_filter(filter);
    }
    if let Some(number) = number {
        story.keep(number);
    }
    run_to_end(&mut run, terminal);
    let report = run.finish();
    if let Some(failure) = &report.failure {
        terminal.tell(&format!("the run was given up: {failure}"));
    }
    match number {
        Some(number) => explain_one(arguments, &story, number, terminal),
        None => list(arguments, &story, scenario.source_name(), terminal),
    }
}

fn explain_one(
    arguments: &arguments::Explain,
    story: &Story,
    number: u64,
    terminal: &Terminal,
) -> Result<Verdict, Verdict> {
    let explanation = story.explain(number).map_err(|error| {
        let near = match story.count() {
            0 => String::new(),
            _ => format!("\nnear it are:\n{}", story.near(number).trim_end()),
        };
        terminal.complain(&format!("{error}{near}"))
    })?;
    Ok(match (&arguments.html, arguments.json) {
        (Some(path), _) if path == "-" => terminal.print(&explanation.html()),
        (Some(path), _) => write_page(path, &explanation, terminal)?,
        (None, true) => {
            let json = serde_json::to_string_pretty(&explanation.json()).expect("a JSON value can be written");
            terminal.print(&format!("{json}\n"))
        }
        (None, false) => terminal.print(&explanation.text(terminal.style(), arguments.bytes)),
    })
}

fn write_page(path: &str, explanation: &Explanation, terminal: &Terminal) -> Result<Verdict, Verdict> {
    std::fs::write(path, explanation.html())
        .map_err(|error| terminal.complain(&format!("cannot write {path}: {error}")))?;
    terminal.tell(&format!("wrote {path}"));
    Ok(Verdict::Met)
}

fn list(arguments: &arguments::Explain, story: &Story, name: &str, terminal: &Terminal) -> Result<Verdict, Verdict> {
    if arguments.html.is_some() || arguments.json || arguments.bytes {
        return Err(
            terminal.complain(&format!("which packet? `hopwise explain {name} NUMBER`; without more they are listed"))
        );
    }
    let list = story.list();
    if list.is_empty() {
        let why = if arguments.trace.is_some() { "no packet matches" } else { "the run sends no packet" };
        return Err(terminal.complain(why));
    }
    Ok(terminal.print(&format!("{list}\nExplain one: hopwise explain {name} NUMBER.\n")))
}

/// A number as outputs write it: `#17`, or `17`.
fn read_number(text: &str, terminal: &Terminal) -> Result<u64, Verdict> {
    text.strip_prefix('#').unwrap_or(text).parse().map_err(|_| {
        terminal.complain(&format!("`{text}` is no packet's number: outputs call them #1, #2, …; write `17` or `#17`"))
    })
}

/// Refuses a file that a page would spoil, and a number that is taken for a file.
fn check_place(
    arguments: &arguments::Explain,
    number: Option<u64>,
    scenario: &str,
    terminal: &Terminal,
) -> Result<(), Verdict> {
    match arguments.html.as_deref() {
        Some(path) if number.is_none() && path.trim_start_matches('#').parse::<u64>().is_ok() => {
            let title =
                format!("`--html {path}` names a file; for the packet: `hopwise explain {scenario} {path} --html`");
            Err(terminal.complain(&title))
        }
        Some(path) if path != "-" && is_same_file(Path::new(path), Path::new(scenario)) => {
            Err(terminal.complain(&format!("{path} is the scenario; the page would overwrite it")))
        }
        _ => Ok(()),
    }
}
