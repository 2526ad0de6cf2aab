//! How it went, on one page: links, flows, nodes, programs, expectations.
//!
//! Counted from the records while the run goes on (`count`); what only others know (what programs report, what became
//! of expectations, how full queues were) is handed in when the run is over, as a [`Conclusion`].
//!
//! Bytes are those of whole frames, link header included. A flow counts what its sender sent, not what each hop passes
//! on, and what any place dropped of it.

mod count;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use self::count::{Altered, Counters, Drops, Tally};
use self::table::{Align, Table};
use super::cells::{cells, left};
use super::places::Given;
use super::style::Role;
use super::{Output, OutputBuilder, Settings, Sink, Style};
use crate::id::{Direction, LinkId, NodeId, PipeId};
use crate::read::{Item, Kind};
use crate::record::{Names, Observer, Record, Value};
use crate::time::Time;
use crate::wire::{Flow, Ports};

/// How many flows are printed; the others are added up.
const FLOWS_SHOWN: usize = 50;

/// The registry's row.
pub(super) const KIND: Kind<OutputBuilder> = Kind {
    name: "summary",
    doc: "Counters of links and flows, what programs report, what was expected and found.",
    example: "[record]\nsummary = true\n",
    fields: &[],
    build,
};

/// What a [`Summary`] shows.
#[derive(Debug, Clone, Default)]
pub struct SummaryOptions {
    /// Names to write in place of addresses. Empty: addresses as they are.
    pub hosts: Vec<(IpAddr, String)>,
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
    /// The most that ever waited in each queue that is worth telling of.
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

impl Summary {
    /// A summary into `sink`.
    #[must_use]
    pub fn new(options: SummaryOptions, sink: Sink) -> Self {
        Self { options, sink, counters: Arc::default() }
    }

    /// Writes the summary; nothing is written before this is called.
    pub fn conclude(&self, conclusion: &Conclusion, names: &Names) {
        self.sink.put(self.render(conclusion, names).as_bytes());
    }

    /// The summary as text.
    #[must_use]
    pub fn render(&self, conclusion: &Conclusion, names: &Names) -> String {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let page = Page { options: &self.options, names, conclusion };
        let scenario = if conclusion.scenario.is_empty() { "the run" } else { &conclusion.scenario };
        let mut text = format!(
            "{}: seed {}, {} s of virtual time, {} events\n",
            self.options.style.paint(Role::Strong, scenario),
            conclusion.seed,
            conclusion.ended_at,
            conclusion.events
        );
        for section in
            [page.links(&counters), page.flows(&counters), page.nodes(&counters), page.programs(), page.findings()]
        {
            if !section.is_empty() {
                let _ = write!(text, "\n{section}");
            }
        }
        text
    }
}

impl Observer for Summary {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).record(record, names);
    }
}

/// One summary being written.
struct Page<'p> {
    options: &'p SummaryOptions,
    names: &'p Names,
    conclusion: &'p Conclusion,
}

impl Page<'_> {
    fn links(&self, counters: &Counters) -> String {
        let peaks: BTreeMap<PipeId, &QueuePeak> = self.conclusion.queues.iter().map(|peak| (peak.pipe, peak)).collect();
        let heads = ["links", "", "sent", "bytes", "received", "bytes", "most queued", "altered", "dropped"];
        let mut table = Table::new(
            heads,
            [
                Align::Left,
                Align::Left,
                Align::Right,
                Align::Right,
                Align::Right,
                Align::Right,
                Align::Right,
                Align::Left,
                Align::Left,
            ],
        );
        let links = (0..u32::try_from(self.names.links.len()).unwrap_or(u32::MAX)).map(LinkId);
        for pipe in links.flat_map(|link| Direction::BOTH.map(|direction| PipeId::new(link, direction))) {
            let Some(tally) = counters.pipes.get(&pipe) else { continue };
            let (from, to) = (self.names.source(pipe).0, self.names.destination(pipe).0);
            let queued = peaks.get(&pipe).filter(|peak| peak.packets > 0);
            table.row([
                self.names.link(pipe.link()).to_owned(),
                format!("{} > {}", self.names.node(from), self.names.node(to)),
                tally.sent.packets.to_string(),
                tally.sent.bytes.to_string(),
                tally.received.packets.to_string(),
                tally.received.bytes.to_string(),
                queued.map_or_else(String::new, |peak| format!("{} ({} B)", peak.packets, peak.bytes)),
                altered(&tally.altered),
                causes(&tally.dropped),
            ]);
        }
        table.print(self.options.style)
    }

    fn flows(&self, counters: &Counters) -> String {
        let heads = ["flows", "packets", "bytes", "dropped"];
        let mut table = Table::new(heads, [Align::Left, Align::Right, Align::Right, Align::Left]);
        let row = |name: String, tally: &Tally| {
            [name, tally.sent.packets.to_string(), tally.sent.bytes.to_string(), causes(&tally.dropped)]
        };
        let flows = counters.flows();
        for (flow, tally) in flows.iter().take(FLOWS_SHOWN) {
            table.row(row(self.flow(flow), tally));
        }
        let mut rest = counters.other_flows.clone();
        let rest_count = flows.len().saturating_sub(FLOWS_SHOWN);
        flows.iter().skip(FLOWS_SHOWN).for_each(|(_, tally)| rest.add(tally));
        if rest_count > 0 {
            let more_than = if counters.other_flows == Tally::default() { "" } else { "more than " };
            table.row(row(format!("{more_than}{rest_count} others"), &rest));
        }
        table.print(self.options.style)
    }

    /// What nodes dropped inside themselves.
    fn nodes(&self, counters: &Counters) -> String {
        let mut table = Table::new(["nodes", "dropped"], [Align::Left, Align::Left]);
        for (node, drops) in &counters.nodes {
            table.row([self.node(*node), causes(drops)]);
        }
        table.print(self.options.style)
    }

    /// Two lines for each program: how it ended, and what it reported.
    fn programs(&self) -> String {
        let programs = &self.conclusion.programs;
        if programs.is_empty() {
            return String::new();
        }
        let mut text = format!("{}\n", self.options.style.paint(Role::Strong, "programs"));
        let width = programs.iter().map(|program| cells(&program.app)).max().unwrap_or(0);
        for program in programs {
            let _ = writeln!(
                text,
                "  {}  {} on {}{}",
                left(&program.app, width),
                program.kind,
                program.node,
                ending(program)
            );
            let reported = program.outcomes.iter().filter(|(key, _)| !EVERY_PROGRAM_REPORTS.contains(&key.as_str()));
            let words = reported.map(|(key, value)| format!("{key} {}", value.brief()));
            for line in wrapped(words, LINE_COLUMNS - width) {
                let _ = writeln!(text, "  {:width$}  {line}", "");
            }
        }
        text
    }

    fn findings(&self) -> String {
        let findings = &self.conclusion.findings;
        if findings.is_empty() {
            return String::new();
        }
        let style = self.options.style;
        let met = findings.iter().filter(|finding| finding.is_met).count();
        let mut text = format!("{}\n", style.paint(Role::Strong, "expectations"));
        for finding in findings {
            let (role, verdict) = if finding.is_met { (Role::Right, "met   ") } else { (Role::Lost, "FAILED") };
            let _ = writeln!(text, "  {}  {}", style.paint(role, verdict), finding.name);
            for line in finding.detail.lines() {
                let _ = writeln!(text, "          {line}");
            }
        }
        let role = if met == findings.len() { Role::Right } else { Role::Lost };
        let _ = writeln!(text, "  {}", style.paint(role, format!("{met} of {} met", findings.len())));
        text
    }

    fn node(&self, node: NodeId) -> String {
        self.names.node(node).to_owned()
    }

    /// As a scenario writes it: `tcp client:49152 > server:80`.
    fn flow(&self, flow: &Flow) -> String {
        let host = |address: IpAddr| {
            let name = self.options.hosts.iter().find(|(known, _)| *known == address).map(|(_, name)| name.clone());
            name.unwrap_or_else(|| address.to_string())
        };
        let end = |address: IpAddr, port: Option<u16>| match port {
            Some(port) if address.is_ipv6() && host(address).contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{}:{port}", host(address)),
            None => host(address),
        };
        let ident = match flow.ports {
            Ports::Ident(ident) => format!(" id {ident}"),
            Ports::Absent | Ports::Pair { .. } => String::new(),
        };
        let (from, to) = (end(flow.source, flow.source_port()), end(flow.destination, flow.destination_port()));
        let protocol = flow.protocol.to_string().to_lowercase();
        format!("{protocol} {from} > {to}{ident}")
    }
}

/// Outcomes that the machine reports of every program, and that [`ending`] puts into words.
const EVERY_PROGRAM_REPORTS: [&str; 4] = ["elapsed", "error", "started", "state"];

/// How long a line of outcomes may become, indentation not counted.
const LINE_COLUMNS: usize = 110;

/// `: finished after 1.2s`; nothing where the machine has not said.
fn ending(program: &ProgramReport) -> String {
    let outcome = |name: &str| program.outcomes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let Some(Value::Text(state)) = outcome("state") else { return String::new() };
    let after = outcome("elapsed").map(|elapsed| format!(" after {elapsed}")).unwrap_or_default();
    let error = outcome("error").map(|error| format!(": {}", plain(error))).unwrap_or_default();
    format!(": {state}{after}{error}")
}

/// Text without its quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Words with commas between them, in lines of at most so many columns (a longer word has a line of its own).
fn wrapped(words: impl Iterator<Item = String>, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if cells(line) + cells(&word) + 2 <= columns => {
                line.push_str(", ");
                line.push_str(&word);
            }
            Some(line) => {
                line.push(',');
                lines.push(word);
            }
            None => lines.push(word),
        }
    }
    lines
}

/// `2: fault 1, loss 1`; nothing for none.
fn causes(drops: &Drops) -> String {
    let total: u64 = drops.values().sum();
    let each: Vec<String> = drops.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    match each.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        several => format!("{total}: {}", several.join(", ")),
    }
}

/// What a link did to frames that it did not drop: `damaged 1, copied 2`.
fn altered(altered: &Altered) -> String {
    let counts = [("damaged", altered.damaged), ("copied", altered.copied), ("held back", altered.held_back)];
    let told = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what} {count}"));
    told.collect::<Vec<_>>().join(", ")
}

fn build(item: Option<&Item<'_>>, settings: Settings) -> Option<Output> {
    let given = Given::read(item, KIND.fields);
    let options = SummaryOptions { hosts: settings.hosts, style: settings.style };
    let summary = Summary::new(options, settings.sink.clone());
    given.is_right().then_some(Output {
        kind: KIND.name,
        observer: Box::new(summary.clone()),
        sink: settings.sink,
        summary: Some(summary),
    })
}
