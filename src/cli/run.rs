//! `hopwise run`: the main job.

use std::fmt::Write as _;

use super::Verdict;
use super::arguments::{self, How};
use super::load::{load, show};
use super::outputs::{Outputs, Wanted, check_written, judge, print, read_time};
use super::progress::run_to_end;
use super::terminal::Terminal;
use crate::network::Threads;
use crate::network::action::View;
use crate::scenario::{Report, Run, Scenario};
use crate::time::Time;

/// What is printed when nothing is asked for.
const BY_DEFAULT: [&str; 2] = ["ladder", "summary"];

/// Runs a scenario, prints what was asked for, judges.
pub(super) fn run(arguments: &arguments::Run, terminal: &Terminal) -> Verdict {
    match try_run(arguments, terminal) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn try_run(arguments: &arguments::Run, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let scenario = load(&arguments.which, terminal)?;
    let mut prepared = Prepared::new(&scenario, &arguments.how, true, terminal)?;
    prepared.run.set_threads(match arguments.threads {
        Some(threads) => Threads::Exactly(usize::from(threads)),
        None => Threads::UpTo(std::thread::available_parallelism().map_or(1, usize::from)),
    });
    run_to_end(&mut prepared.run, terminal);
    Ok(prepared.finish(&arguments.how, terminal))
}

/// A run that is ready, with what it is to produce.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// When it was said to end.
    pub(super) until: Option<Time>,
    wanted: Vec<Wanted>,
}

impl Prepared {
    /// Makes a run of a scenario; `records` says whether its `[record]` counts.
    pub(super) fn new(scenario: &Scenario, how: &How, records: bool, terminal: &Terminal) -> Result<Self, Verdict> {
        let outputs = Outputs { said: &how.outputs, by_default: &BY_DEFAULT, screen: None, records };
        let until = how.until.as_deref().map(|text| read_time("--until", text, terminal)).transpose()?;
        let views: Vec<(&str, Time)> =
            how.show.iter().map(|text| read_view(text, terminal)).collect::<Result<_, Verdict>>()?;
        let wanted = outputs.wanted(scenario, terminal)?;
        let asked = outputs.asked(&wanted, terminal)?;
        let mut run = scenario.build_with(&asked).map_err(|mistakes| show(&mistakes, terminal))?;
        if let Some(until) = until {
            run.set_stop(until);
        }
        for (view, at) in views {
            ask_for_view(view, at, &mut run, terminal)?;
        }
        Ok(Self { run, until, wanted })
    }

    /// Prints what was asked for of a run that is at its end, and judges.
    pub(super) fn finish(self, how: &How, terminal: &Terminal) -> Verdict {
        let Self { run, wanted, .. } = self;
        let title = title(&run);
        let report = run.finish();
        let is_quiet = how.outputs.quiet;
        let title = (how.outputs.output.is_empty() && !is_quiet).then(|| format!("{title}\n\n"));
        let is_printed = print(title, &report, &wanted, terminal);
        let is_printed = print_views(&report, how, &wanted, terminal) && is_printed;
        let are_written = check_written(&report, &wanted, is_quiet, terminal);
        let shows_findings = wanted.iter().any(|wanted| wanted.kind == "summary" && wanted.path.is_none());
        let is_met = judge(&report, shows_findings, terminal);
        match (is_printed && are_written, is_met) {
            (false, _) => Verdict::Wrong,
            (true, false) => Verdict::NotMet,
            (true, true) => Verdict::Met,
        }
    }
}

/// The scenario's name and, if it says so, what it shows.
fn title(run: &Run) -> String {
    if run.about.is_empty() { run.name.clone() } else { format!("{}: {}", run.name, run.about) }
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
fn print_views(report: &Report, how: &How, wanted: &[Wanted], terminal: &Terminal) -> bool {
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
    let missing = how.show.len().saturating_sub(report.views.len());
    if missing > 0 {
        let (ended_at, plural) = (report.ended_at, if missing == 1 { "" } else { "s" });
        terminal.tell(&format!("the run ended at {ended_at} s, too early for {missing} view{plural} of --show"));
    }
    text.is_empty() || terminal.print(&text) == Verdict::Met
}
