//! `hopwise sweep`: a campaign, its progress, its table, its file of records.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Verdict;
use super::arguments::{self, Which};
use super::load::{load, show};
use super::terminal::Terminal;
use crate::sweep::file::{self, Header};
use crate::sweep::{Axis, Campaign, Record, Shard, Table};

/// How many runs that are not met are listed with the command that repeats each.
const LISTED_MAX: usize = 20;

/// Does a campaign, or goes on with one.
pub(super) fn sweep(arguments: &arguments::Sweep, terminal: &Terminal) -> Verdict {
    try_sweep(arguments, terminal).unwrap_or_else(|verdict| verdict)
}

fn try_sweep(arguments: &arguments::Sweep, terminal: &Terminal) -> Result<Verdict, Verdict> {
    let campaign = campaign(arguments, terminal)?;
    let total = campaign.numbers(0).size_hint().0 as u64;
    let mut tally = Tally::default();
    let (mut keeper, done) = Keeper::open(arguments, &campaign, &mut tally, terminal)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second time is meant seriously. Without a handler the process just ends, as it would have anyway.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted));
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    let bar = bar(total, done, terminal);
    let mut failure = None;
    let is_complete = campaign.run_from(done, arguments.threads, &interrupted, |record| {
        tally.add(&campaign, &record);
        bar.inc(1);
        failure = keeper.as_mut().and_then(|keeper| keeper.keep(&record).err());
        failure.is_none()
    });
    bar.finish_and_clear();
    let failure = failure.or_else(|| keeper.as_mut().and_then(|keeper| keeper.file.flush().err()));
    if let (Some(error), Some(path)) = (failure, &arguments.out) {
        return Err(terminal.complain(&format!("cannot write {}: {error}", path.display())));
    }
    let table = &tally.table;
    if !arguments.quiet {
        let text = told(&campaign, table, is_complete.then_some(total));
        if terminal.print(&(text + &table.to_text(&arguments.measure))) != Verdict::Met {
            return Err(Verdict::Wrong);
        }
        if let Some(path) = &arguments.out {
            terminal.tell(&format!("wrote {}", path.display()));
        }
    }
    tally.tell_unmet(terminal);
    if !is_complete {
        let hint = if arguments.out.is_some() { "; `--resume` goes on from here" } else { "" };
        terminal.tell(&format!("interrupted after {} of {total} runs{hint}", table.runs()));
        return Ok(Verdict::Interrupted);
    }
    Ok(if table.met() == table.runs() { Verdict::Met } else { Verdict::NotMet })
}

/// The campaign that the command line means.
fn campaign(arguments: &arguments::Sweep, terminal: &Terminal) -> Result<Campaign, Verdict> {
    let which = Which { scenario: arguments.scenario.clone(), seed: None, set: arguments.set.clone() };
    let scenario = load(&which, terminal)?;
    let Some(seeds) = read_seeds(&arguments.seeds) else {
        let text = format!("`--seeds {}` is no range of seeds: `--seeds 0..1000`", arguments.seeds);
        return Err(terminal.complain(&text));
    };
    let programs = scenario.program_names().map_err(|mistakes| show(&mistakes, terminal))?;
    let mut campaign = Campaign::new(scenario, seeds);
    for name in &arguments.measure {
        let program = name.split_once('.').map(|(program, _)| program);
        if !program.is_some_and(|program| programs.iter().any(|known| known == program)) {
            let near = crate::read::nearest(program.unwrap_or(name), programs.iter().map(String::as_str));
            let hint = near
                .map_or_else(|| format!("programs: {}", programs.join(", ")), |near| format!("did you mean `{near}`?"));
            let text = format!("`--measure {name}` names no outcome of a program, as in `PROGRAM.OUTCOME`: {hint}");
            return Err(terminal.complain(&text));
        }
        campaign.measure(name);
    }
    for text in &arguments.vary {
        let axis = Axis::read(text).map_err(|error| terminal.complain(&format!("`--vary`: {error}")))?;
        campaign.vary(axis).map_err(|mistakes| show(&mistakes, terminal))?;
    }
    if let Some(text) = &arguments.shard {
        let Some(shard) = Shard::read(text) else {
            return Err(terminal.complain(&format!("`--shard {text}` is no part of a whole: `--shard 3/16`")));
        };
        campaign.take_shard(shard);
    }
    Ok(campaign)
}

fn read_seeds(text: &str) -> Option<Range<u64>> {
    let (first, end) = text.split_once("..")?;
    let seeds: Range<u64> = first.trim().parse().ok()?..end.trim().parse().ok()?;
    (seeds.start < seeds.end).then_some(seeds)
}

/// What was done, in a line or two.
fn told(campaign: &Campaign, table: &Table, total: Option<u64>) -> String {
    let Range { start, end } = campaign.seeds();
    let mut text =
        format!("{}: {} runs, seeds {start} to {}", campaign.scenario().source_name(), table.runs(), end - 1);
    if campaign.points() > 1 {
        let _ = write!(text, ", {} combinations", campaign.points());
    }
    if campaign.shard() != Shard::WHOLE {
        let _ = write!(text, ", shard {}", campaign.shard());
    }
    if total.is_none() {
        text.push_str(" (not all)");
    }
    text.push_str("\n\n");
    text
}

fn bar(total: u64, done: u64, terminal: &Terminal) -> ProgressBar {
    if !terminal.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{bar:30} {pos} of {len} runs, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant and right"));
    bar.set_position(done);
    bar.reset_eta();
    bar
}

/// The table, and the first runs that are not met.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) table: Table,
    unmet: Vec<String>,
}

impl Tally {
    fn add(&mut self, campaign: &Campaign, record: &Record) {
        self.table.add(record);
        if !record.is_met() && self.unmet.len() < LISTED_MAX {
            let why = record.failure.clone().unwrap_or_else(|| record.unmet.join(", "));
            let set: String = record.set.iter().map(|(path, value)| format!(", {path}={value}")).collect();
            self.unmet.push(format!("seed {}{set}: {why}\n    {}", record.seed, campaign.repeat_command(record)));
        }
    }

    fn tell_unmet(&self, terminal: &Terminal) {
        let count = self.table.runs() - self.table.met();
        for line in &self.unmet {
            terminal.tell(line);
        }
        let more = count.saturating_sub(self.unmet.len() as u64);
        if more > 0 {
            terminal.tell(&format!("and {more} more runs that are not met"));
        }
    }
}

/// Writes records to a file.
struct Keeper {
    file: BufWriter<File>,
    is_csv: bool,
    /// What the columns of comma-separated values are.
    measures: Vec<String>,
}

impl Keeper {
    /// The file of `--out`, if there is one, and how many runs it holds already; these are counted.
    fn open(
        arguments: &arguments::Sweep,
        campaign: &Campaign,
        tally: &mut Tally,
        terminal: &Terminal,
    ) -> Result<(Option<Self>, u64), Verdict> {
        let Some(path) = &arguments.out else { return Ok((None, 0)) };
        let is_csv = path.extension().is_some_and(|extension| extension == "csv");
        if is_csv && (arguments.resume || arguments.shard.is_some()) {
            let text = "comma-separated values cannot be resumed or merged: give `--out` a name that ends in `.jsonl`";
            return Err(terminal.complain(text));
        }
        let failed = |error: io::Error| terminal.complain(&format!("cannot write {}: {error}", path.display()));
        let mut done = 0;
        let file = if arguments.resume && path.exists() {
            let (records, whole) = resumable(path, campaign, terminal)?;
            done = records.len() as u64;
            records.iter().for_each(|record| tally.add(campaign, record));
            let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
            // A line that was cut off is written again.
            file.set_len(whole as u64).map_err(failed)?;
            file
        } else {
            let mut file = File::create(path).map_err(failed)?;
            let head = if is_csv { csv_head(campaign) } else { Header::of(campaign).to_json() };
            writeln!(file, "{head}").map_err(failed)?;
            file
        };
        let measures = campaign.measured().to_vec();
        Ok((Some(Self { file: BufWriter::new(file), is_csv, measures }), done))
    }

    fn keep(&mut self, record: &Record) -> io::Result<()> {
        let line = if self.is_csv { csv_line(record, &self.measures) } else { record.to_json() };
        // One write for a line: whatever interrupts, no more than the last line is cut off.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// The records of a file that is to be gone on with, and the length of what is whole in it.
fn resumable(path: &Path, campaign: &Campaign, terminal: &Terminal) -> Result<(Vec<Record>, usize), Verdict> {
    let name = path.display().to_string();
    let text = read_text(path, terminal)?;
    let refused = |error: file::FileError| terminal.complain(&error.to_string());
    let (header, records, whole) = file::read(&name, &text).map_err(refused)?;
    Header::of(campaign).check(&name, &header, true).map_err(refused)?;
    let expected = campaign.numbers(0);
    if records.iter().zip(expected).any(|(record, run)| record.run != run) {
        return Err(terminal.complain(&format!("{name} lacks runs in its middle: it cannot be gone on with")));
    }
    Ok((records, whole))
}

pub(super) fn read_text(path: &Path, terminal: &Terminal) -> Result<String, Verdict> {
    std::fs::read_to_string(path)
        .map_err(|error| terminal.complain(&format!("cannot read {}: {error}", path.display())))
}

/// The names of the columns of comma-separated values (RFC 4180).
fn csv_head(campaign: &Campaign) -> String {
    let mut cells = vec!["run".to_owned(), "seed".to_owned()];
    cells.extend(campaign.axes().iter().map(|axis| axis.path.clone()));
    cells.extend(["met", "unmet", "failure", "ended_at", "events"].map(str::to_owned));
    cells.extend(campaign.measured().iter().cloned());
    csv(&cells)
}

fn csv_line(record: &Record, measures: &[String]) -> String {
    let mut cells = vec![record.run.to_string(), record.seed.to_string()];
    cells.extend(record.set.iter().map(|(_, value)| value.clone()));
    cells.extend([record.is_met().to_string(), record.unmet.join("; "), record.failure.clone().unwrap_or_default()]);
    cells.extend([record.ended_at.to_string(), record.events.to_string()]);
    for name in measures {
        let value = record.outcomes.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        cells.push(text.unwrap_or_default());
    }
    csv(&cells)
}

fn csv(cells: &[String]) -> String {
    let quoted = cells.iter().map(|cell| {
        let is_plain = !cell.contains(['"', ',', '\n', '\r']);
        if is_plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    });
    quoted.collect::<Vec<_>>().join(",")
}
