//! One scenario, many times: over seeds, over values, over all processors, over machines.
//!
//! A [`Campaign`] is a scenario, a range of seeds and [axes](Axis). Its runs are numbered: every combination of values
//! with the first seed, then every combination with the next. So a campaign that was stopped half-way has seen all
//! combinations, and what run 4711 is can be said without the others: a shard of a campaign is every *n*-th run, made
//! anywhere, and can be made again alone.
//!
//! ```text
//! run    0         1         2         3     …
//! seed   7         7         8         8
//! loss   0%        5%        0%        5%
//! ```
//!
//! Runs are independent, so they go to as many threads as there are, a batch at a time; [records](Record) come out in
//! the order of the runs whatever the number of threads, and no more than a batch is in memory. What the records add up
//! to is a [`Table`]; [`mod@file`] keeps them so that a campaign can be resumed and shards be put together.
//!
//! ```
//! use hopwise::Scenario;
//! use hopwise::sweep::{Axis, Campaign, Table};
//!
//! let scenario = Scenario::from_toml("loss", r#"
//!     [nodes]
//!     a = {}
//!     b = {}
//!     [links]
//!     wan = { ends = ["a", "b"], delay = "5ms" }
//!     [apps]
//!     ping = { on = "a", kind = "ping", to = "b", count = 3 }
//! "#)?;
//! let mut campaign = Campaign::new(scenario, 0..20);
//! campaign.vary(Axis::read("links.wan.loss=0%,50%")?)?;
//! campaign.measure("ping.loss");
//! let mut table = Table::default();
//! campaign.run_all(2, |record| { table.add(&record); true });
//! assert_eq!(table.rows().len(), 2);
//! assert!(table.rows()[0].measures["ping.loss"].mean() < table.rows()[1].measures["ping.loss"].mean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
pub mod file;
mod record;
mod table;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

pub use axis::{Axis, AxisError, VALUES_MAX};
pub use record::Record;
pub use table::{Measure, Row, Table};

use crate::scenario::{Mistakes, Scenario};

/// How many runs each thread gets at most before the records of all are handed out. The first batch has one for each, and
/// every further one twice as many, so that long runs are heard of soon and short ones do not wait for one another.
const RUNS_PER_THREAD: usize = 64;

/// Every *n*-th run of a campaign, beginning with the *i*-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub index: u64,
    /// Of how many, at least 1.
    pub count: u64,
}

impl Shard {
    /// The whole campaign.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Reads `3/16`; `None` if it is no shard.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (index, count) = text.split_once('/')?;
        let shard = Self { index: index.trim().parse().ok()?, count: count.trim().parse().ok()? };
        (1..=shard.count).contains(&shard.index).then_some(shard)
    }

    /// Whether this run of the campaign is one of the shard.
    #[must_use]
    pub fn has(self, run: u64) -> bool {
        run % self.count == self.index - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// A scenario and how it is varied.
#[derive(Debug, Clone)]
pub struct Campaign {
    scenario: Scenario,
    seeds: Range<u64>,
    axes: Vec<Axis>,
    measured: Vec<String>,
    shard: Shard,
}

impl Campaign {
    /// The scenario once for each seed.
    #[must_use]
    pub fn new(scenario: Scenario, seeds: Range<u64>) -> Self {
        Self { scenario, seeds, axes: Vec::new(), measured: Vec::new(), shard: Shard::WHOLE }
    }

    /// Has a value of the scenario vary, too.
    ///
    /// # Errors
    ///
    /// The mistakes that the first wrong value makes in the scenario. That only a combination of values is wrong shows
    /// in the records.
    pub fn vary(&mut self, axis: Axis) -> Result<(), Mistakes> {
        for value in &axis.values {
            self.scenario.clone().set(axis.path.as_str(), value.as_str())?;
        }
        self.axes.push(axis);
        Ok(())
    }

    /// Keeps an outcome in the records, `PROGRAM.OUTCOME`; all outcomes are kept while none is named.
    pub fn measure(&mut self, name: impl Into<String>) {
        self.measured.push(name.into());
    }

    /// Confines it to one shard.
    pub fn take_shard(&mut self, shard: Shard) {
        self.shard = shard;
    }

    /// The seeds.
    #[must_use]
    pub fn seeds(&self) -> &Range<u64> {
        &self.seeds
    }

    /// What varies beside the seed.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// What is measured.
    #[must_use]
    pub fn measured(&self) -> &[String] {
        &self.measured
    }

    /// Which part of it is made here.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// What messages call the scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How many combinations of values there are; saturates.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.axes.iter().fold(1, |points: u64, axis| points.saturating_mul(axis.values.len() as u64))
    }

    /// How many runs the whole campaign has, all shards together; saturates.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.points().saturating_mul(self.seeds.end.saturating_sub(self.seeds.start))
    }

    /// The runs of this shard that are not among the first `done` of it.
    pub fn numbers(&self, done: u64) -> impl Iterator<Item = u64> + use<> {
        let Shard { index, count } = self.shard;
        let first = done.saturating_mul(count).saturating_add(index - 1);
        (first..self.runs()).step_by(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The seed and the values of a run.
    ///
    /// # Panics
    ///
    /// When the campaign does not have that many runs.
    #[must_use]
    pub fn place(&self, run: u64) -> (u64, Vec<(String, String)>) {
        assert!(run < self.runs(), "run {run} of a campaign of {}", self.runs());
        let mut point = run % self.points();
        // The last axis turns fastest.
        let mut set: Vec<(String, String)> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let count = axis.values.len() as u64;
            set.push((axis.path.clone(), axis.values[(point % count) as usize].clone()));
            point /= count;
        }
        set.reverse();
        (self.seeds.start + run / self.points(), set)
    }

    /// Does one run.
    ///
    /// # Panics
    ///
    /// As [`place`](Self::place).
    #[must_use]
    pub fn run(&self, run: u64) -> Record {
        let (seed, set) = self.place(run);
        match self.variant(seed, &set).judge() {
            Ok(report) => Record::of(run, seed, set, &report, &self.measured),
            Err(mistakes) => Record::of_mistake(run, seed, set, first_line(&mistakes)),
        }
    }

    /// The command that repeats a run by itself.
    #[must_use]
    pub fn repeat_command(&self, record: &Record) -> String {
        self.variant(record.seed, &record.set).repeat_command()
    }

    /// Does all runs of the shard on so many threads, 0 for as many as there are processors, and hands out the records
    /// in the order of the runs, until `take` says that it has had enough. Returns whether it went to the end.
    ///
    /// # Panics
    ///
    /// When the threads cannot be made.
    pub fn run_all(&self, threads: usize, take: impl FnMut(Record) -> bool) -> bool {
        self.run_from(0, threads, &AtomicBool::new(false), take)
    }

    /// The same, without the first `done` runs of the shard, and only until `stop` becomes true: then runs that have
    /// begun are still done, and the records are handed out up to the first run that was not.
    ///
    /// # Panics
    ///
    /// As [`run_all`](Self::run_all).
    pub fn run_from(&self, done: u64, threads: usize, stop: &AtomicBool, mut take: impl FnMut(Record) -> bool) -> bool {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("the threads can be made");
        let mut batch = pool.current_num_threads();
        let most = batch * RUNS_PER_THREAD;
        let mut numbers = self.numbers(done);
        let run = |run| (!stop.load(Ordering::Relaxed)).then(|| self.run(run));
        loop {
            let next: Vec<u64> = numbers.by_ref().take(batch).collect();
            if next.is_empty() {
                return true;
            }
            let records: Vec<Option<Record>> = pool.install(|| next.into_par_iter().map(run).collect());
            for record in records {
                if !record.is_some_and(&mut take) {
                    return false;
                }
            }
            batch = (batch * 2).min(most);
        }
    }

    /// The scenario of a run, not checked: running it tells.
    fn variant(&self, seed: u64, set: &[(String, String)]) -> Scenario {
        let varied =
            |scenario: Scenario, (path, value): &(String, String)| scenario.with(path.as_str(), value.as_str());
        set.iter().fold(self.scenario.clone(), varied).seed(seed)
    }
}

fn first_line(mistakes: &Mistakes) -> String {
    mistakes.diagnostics.first().map_or_else(String::new, |diagnostic| diagnostic.title.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign() -> Campaign {
        let text = r#"
            [nodes]
            a = {}
            b = {}
            [links]
            wan = { ends = ["a", "b"], delay = "5ms" }
            [apps]
            ping = { on = "a", kind = "ping", to = "b", count = 4 }
            [[expect]]
            name = "no loss"
            that = "apps.ping.lost == 0"
        "#;
        let mut campaign = Campaign::new(Scenario::from_toml("pings", text).unwrap(), 7..47);
        campaign.vary(Axis::read("links.wan.loss=0%,20%").unwrap()).unwrap();
        campaign.vary(Axis::read("apps.ping.count=1..3:1").unwrap()).unwrap();
        campaign.measure("ping.lost");
        campaign
    }

    fn records(campaign: &Campaign, threads: usize) -> Vec<Record> {
        let mut records = Vec::new();
        assert!(campaign.run_all(threads, |record| {
            records.push(record);
            true
        }));
        records
    }

    #[test]
    fn every_combination_has_its_turn_with_every_seed() {
        let campaign = campaign();
        assert_eq!((campaign.points(), campaign.runs()), (6, 240));
        let spell = |run| {
            let (seed, set) = campaign.place(run);
            let values: Vec<String> = set.into_iter().map(|(_, value)| value).collect();
            format!("{seed} {}", values.join(" "))
        };
        assert_eq!([0, 1, 3, 6].map(spell), ["7 0% 1", "7 0% 2", "7 20% 1", "8 0% 1"]);
    }

    #[test]
    fn the_records_do_not_depend_on_the_number_of_threads() {
        let campaign = campaign();
        let alone = records(&campaign, 1);
        assert_eq!(alone.len(), 240);
        assert!(alone.iter().any(Record::is_met) && !alone.iter().all(Record::is_met));
        for threads in [2, 3, 8] {
            assert_eq!(records(&campaign, threads), alone);
        }
    }

    #[test]
    fn shards_are_the_campaign_in_parts() {
        let mut campaign = campaign();
        let whole = records(&campaign, 2);
        let mut parts = Vec::new();
        for index in 1..=7 {
            campaign.take_shard(Shard { index, count: 7 });
            parts.extend(records(&campaign, 1));
        }
        parts.sort_by_key(|record| record.run);
        assert_eq!(parts, whole);
    }

    #[test]
    fn a_shard_says_which_of_how_many() {
        assert_eq!(Shard::read("3/16"), Some(Shard { index: 3, count: 16 }));
        assert!(["0/3", "4/3", "1/0", "3", "a/b", "-1/2"].iter().all(|text| Shard::read(text).is_none()));
    }

    #[test]
    fn a_run_can_be_repeated_by_its_command_and_alone() {
        let campaign = campaign();
        let record = records(&campaign, 2).into_iter().find(|record| !record.is_met()).unwrap();
        assert_eq!(record.unmet, ["no loss"]);
        assert_eq!(campaign.run(record.run), record);
        let command = campaign.repeat_command(&record);
        assert!(command.starts_with("hopwise run pings --set links.wan.loss=20%"), "{command}");
        assert!(command.ends_with(&format!("--seed {}", record.seed)), "{command}");
    }

    #[test]
    fn a_wrong_value_is_found_before_anything_runs_and_a_wrong_combination_in_its_record() {
        let mut campaign = campaign();
        let mistakes = campaign.vary(Axis::read("links.wan.delay=5ms,fast").unwrap()).unwrap_err();
        assert!(mistakes.to_string().contains("fast"), "{mistakes}");
        for node in ["a", "b"] {
            let addresses = format!("nodes.{node}.addr=10.0.0.1/24,10.0.0.2/24");
            campaign.vary(Axis::read(&addresses).unwrap()).unwrap();
        }
        let both_the_same = campaign.run(0);
        assert!(both_the_same.failure.as_ref().unwrap().contains("10.0.0.1"), "{both_the_same:?}");
        assert!(!both_the_same.is_met() && campaign.run(1).failure.is_none());
    }

    #[test]
    fn a_campaign_that_is_stopped_goes_on_where_it_stood() {
        let campaign = campaign();
        let whole = records(&campaign, 2);
        let (stop, mut parts) = (AtomicBool::new(false), Vec::new());
        assert!(!campaign.run_from(0, 3, &stop, |record| {
            parts.push(record);
            stop.store(parts.len() >= 50, Ordering::Relaxed);
            true
        }));
        assert!((50..240).contains(&parts.len()), "{}", parts.len());
        assert!(campaign.run_from(parts.len() as u64, 2, &AtomicBool::new(false), |record| {
            parts.push(record);
            true
        }));
        assert_eq!(parts, whole);
    }

    #[test]
    fn who_has_had_enough_gets_no_more() {
        let mut taken = 0;
        assert!(!campaign().run_all(2, |_| {
            taken += 1;
            taken < 10
        }));
        assert_eq!(taken, 10);
    }
}
