//! How it went: counters, outcomes, findings.

use std::sync::{Arc, Mutex, PoisonError};

use super::places::Given;
use super::{Output, OutputBuilder, Settings, Sink, Style};
use crate::id::PipeId;
use crate::read::{Item, Kind};
use crate::record::{Names, Observer, Record, Value};
use crate::time::Time;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "summary",
    doc: "Counters of links and flows, what programs report, what was expected and found.",
    example: "[record]\nsummary = true\n",
    fields: &[],
    build,
};

/// What a [`Summary`] shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SummaryOptions {
    /// Whether it is coloured.
    pub style: Style,
}

/// What is known only when the run is over and has been judged.
#[derive(Debug, Clone, Default)]
pub struct Conclusion {
    /// What the scenario calls itself.
    pub scenario: String,
    /// The seed of all luck.
    pub seed: u64,
    /// When the run ended.
    pub ended_at: Time,
    /// How many events the network took from its agenda.
    pub events: u64,
    /// The most that ever waited at each pipe that has a rate.
    pub queues: Vec<QueuePeak>,
    /// What programs report, in the order of the scenario.
    pub programs: Vec<ProgramReport>,
    /// What was expected, in the order of the scenario.
    pub findings: Vec<FindingLine>,
}

/// The most that ever waited in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePeak {
    /// Which pipe's queue.
    pub pipe: PipeId,
    /// In frames.
    pub packets: u64,
    /// In bytes.
    pub bytes: u64,
}

/// What one program reports.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgramReport {
    /// The program's name: `fetch`.
    pub app: String,
    /// Its kind: `tcp-send`.
    pub kind: String,
    /// The node that it runs on.
    pub node: String,
    /// Name and value of each outcome, in the program's order.
    pub outcomes: Vec<(String, Value)>,
}

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingLine {
    /// What the scenario calls it.
    pub name: String,
    /// Whether it was met.
    pub is_met: bool,
    /// What was found instead, perhaps in several lines; may be empty.
    pub detail: String,
}

/// Counts while the run goes on. Clones share the counters: the network owns one, whoever concludes another.
#[derive(Debug, Clone)]
pub struct Summary {
    options: SummaryOptions,
    sink: Sink,
    counters: Arc<Mutex<Counters>>,
}

#[derive(Debug, Default)]
struct Counters {
    records: u64,
}

impl Summary {
    /// A summary into `sink`.
    #[must_use]
    pub fn new(options: SummaryOptions, sink: Sink) -> Self {
        Self { options, sink, counters: Arc::default() }
    }

    /// Writes the summary: to be called once, after the run.
    pub fn conclude(&self, conclusion: &Conclusion, names: &Names) {
        self.sink.put(self.render(conclusion, names).as_bytes());
    }

    /// The summary as text.
    #[must_use]
    pub fn render(&self, _conclusion: &Conclusion, _names: &Names) -> String {
        let _ = self.options;
        String::new()
    }
}

impl Observer for Summary {
    fn record(&mut self, _record: &Record<'_>, _names: &Names) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).records += 1;
    }
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    Given::read(item, KIND.fields)?;
    let summary = Summary::new(SummaryOptions { style: settings.style }, settings.sink.clone());
    Some(Output { kind: KIND.name, observer: Box::new(summary.clone()), sink: settings.sink, summary: Some(summary) })
}
