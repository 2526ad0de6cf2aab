//! A run: a network that was built from a scenario, step by step or to its end.

use std::fmt;

use toml::de::DeTable;

use super::build::{Built, Kept};
use super::mistakes::Mistakes;
use super::report::{Bytes, Outcomes, Report};
use crate::expect::Finding;
use crate::id::{AppId, Direction, LinkId, PipeId};
use crate::network::action::{self, Shelf, Show};
use crate::network::{Network, RunError, Threads};
use crate::output::summary::{FindingLine, ProgramReport, QueuePeak};
use crate::output::{Conclusion, OutputError};
use crate::read::{Diagnostic, Reader, Scope, Source, Table, nearest};
use crate::time::Time;
use crate::units::format_duration;

/// A scenario while it runs.
///
/// Ends where the scenario says, or when nothing is left to happen. Whoever wants to look in between goes
/// [until](Self::until) a time; whoever only wants the end [finishes](Self::finish).
pub struct Run {
    /// The network. Rust code may look at it, and change it, between two steps.
    pub network: Network,
    /// What the scenario calls itself.
    pub name: String,
    /// What the scenario shows, in a sentence; empty if it does not say.
    pub about: String,
    stop: Time,
    repeat: String,
    judge: crate::expect::Judge,
    outputs: Vec<Kept>,
    views: Shelf,
    failure: Option<RunError>,
    /// The end that somebody chose instead of the scenario's.
    until: Option<Time>,
}

impl Run {
    pub(super) fn new(built: Built, name: String, about: String, stop: Time, repeat: String) -> Self {
        let Built { network, judge, outputs } = built;
        Self { network, name, about, stop, repeat, judge, outputs, views: Shelf::default(), failure: None, until: None }
    }

    /// When the run ends at the latest.
    #[must_use]
    pub fn stop(&self) -> Time {
        self.stop
    }

    /// Ends the run at another time than the scenario says.
    pub fn set_stop(&mut self, stop: Time) {
        self.stop = stop;
        self.until = Some(stop);
    }

    /// Says how many threads the run may have; one unless told otherwise. What comes of it does not depend on that.
    pub fn set_threads(&mut self, threads: Threads) {
        self.network.set_threads(threads);
    }

    /// The command that repeats this run.
    fn repeat_command(&self) -> String {
        let until = self.until.map(|until| format!(" --until {}", format_duration(until.since(Time::ZERO))));
        format!("{}{}", self.repeat, until.unwrap_or_default())
    }

    /// Has a part of a node's state shown at a time: the report will have it, and no output shows it.
    ///
    /// # Errors
    ///
    /// A phrase for the user when there is no such node, or it has no such view.
    pub fn show_at(&mut self, time: Time, node: &str, what: &str) -> Result<(), String> {
        let Some(id) = self.network.find_node(node) else {
            let names = self.network.names().nodes.iter().map(|node| node.name.as_str());
            let near = nearest(node, names).map(|near| format!(": did you mean `{near}`?"));
            return Err(format!("no node is called `{node}`{}", near.unwrap_or_default()));
        };
        let views = self.network.views(id);
        if !views.contains(&what) {
            return Err(format!("`{node}` cannot show `{what}`: known: {}", views.join(", ")));
        }
        let show = Show { node: id, what: what.to_owned(), shelf: Some(self.views.clone()) };
        self.network.plan(time, Box::new(show));
        Ok(())
    }

    /// Runs until `time`, or to the end if that is earlier. Whether there is something left to happen before the end.
    ///
    /// A run that fails stays where it is; [`finish`](Self::finish) tells why.
    pub fn until(&mut self, time: Time) -> bool {
        if self.failure.is_none() {
            self.failure = self.network.run_until(time.min(self.stop)).err();
        }
        self.failure.is_none() && self.network.next_at().is_some_and(|next| next <= self.stop)
    }

    /// Runs until `time`, or to the end if that is earlier, but at most `events` events. Whether something is left to
    /// happen until then.
    pub fn advance(&mut self, time: Time, events: u32) -> bool {
        let until = time.min(self.stop);
        for _ in 0..events {
            match self.network.step(until) {
                Ok(true) if self.failure.is_none() => {}
                Ok(_) => {
                    self.until(time);
                    return false;
                }
                Err(failure) => {
                    self.failure = Some(failure);
                    return false;
                }
            }
        }
        true
    }

    /// Has something happen at a time that is not past: `do = "link-down"` and the rest of an `[[at]]` entry, its time left
    /// out. Says what it will do.
    ///
    /// # Errors
    ///
    /// All mistakes of the entry.
    pub fn act(&mut self, time: Time, entry: &str) -> Result<String, Mistakes> {
        let text = format!("t = \"{}ns\"\n{entry}", time.as_nanos());
        let names = self.network.names();
        let scope = Scope {
            nodes: names.nodes.iter().map(|node| node.name.clone()).collect(),
            links: names.links.iter().map(|link| link.name.clone()).collect(),
            apps: names.apps.iter().map(|app| app.name.clone()).collect(),
            ..Scope::default()
        };
        let wrong = |diagnostics| {
            let source = Source { name: "command".to_owned(), text: text.clone() };
            Mistakes { source, settings_at: text.len(), diagnostics }
        };
        let (tree, errors) = DeTable::parse_recoverable(&text);
        if let Some(error) = errors.first() {
            let problem =
                Diagnostic::new(error.span().unwrap_or(0..0), format!("this cannot be read: {}", error.message()));
            return Err(wrong(vec![problem]));
        }
        let reader = Reader::new(&text, scope);
        let timed = action::read(&Table::new(tree.get_ref(), 0..text.len(), "at".to_owned(), &reader));
        let problems = reader.into_problems();
        let Some(timed) = timed.filter(|_| problems.is_empty()) else { return Err(wrong(problems)) };
        timed.install(&mut self.network).map_err(|problem| wrong(vec![problem]))?;
        Ok(timed.describe())
    }

    /// Why the run was given up, if it was.
    #[must_use]
    pub fn failure(&self) -> Option<&RunError> {
        self.failure.as_ref()
    }

    /// Lets all outputs write down what they can, for who reads along. It changes nothing of what they have written in
    /// the end.
    pub fn flush(&mut self) {
        self.network.flush();
        self.outputs.iter().for_each(|output| output.sink.flush());
    }

    /// Whether somebody who read an output while the run went on has gone away.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.outputs.iter().any(|output| output.sink.is_unread())
    }

    /// Says which command repeats this run, if not the scenario's own.
    pub fn set_repeat_command(&mut self, command: impl Into<String>) {
        self.repeat = command.into();
        self.until = None;
    }

    /// Runs at most `events` events, so that whoever shows progress is asked now and then. Whether something is left.
    pub fn events(&mut self, events: u32) -> bool {
        for _ in 0..events {
            match self.network.step(self.stop) {
                Ok(true) if self.failure.is_none() => {}
                Ok(_) => return false,
                Err(failure) => {
                    self.failure = Some(failure);
                    return false;
                }
            }
        }
        true
    }

    /// Runs about `events` events, so that whoever shows progress is asked now and then. Whether something may be left.
    pub fn proceed(&mut self, events: u64) -> bool {
        if self.failure.is_some() {
            return false;
        }
        match self.network.run_some(self.stop, events) {
            Ok(is_left) => is_left,
            Err(failure) => {
                self.failure = Some(failure);
                false
            }
        }
    }

    /// The network as it stands: its counters, its nodes.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The seed of all luck in it.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.network.seed()
    }

    /// Runs to the end and judges.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.until(self.stop);
        self.network.finish();
        let mut findings = self.judge.conclude(&self.network);
        findings.extend(self.misbehavior());
        let outcomes = self.outcomes();
        let repeat_command = self.repeat_command();
        let conclusion = Conclusion {
            scenario: self.name.clone(),
            seed: self.network.seed(),
            ended_at: self.network.now(),
            events: self.network.events(),
            queues: self.queues(),
            programs: outcomes
                .iter()
                .map(|one| ProgramReport {
                    app: one.app.clone(),
                    kind: one.kind.clone(),
                    node: one.node.clone(),
                    outcomes: one.values.clone(),
                })
                .collect(),
            findings: findings
                .iter()
                .map(|finding| FindingLine {
                    name: finding.name.clone(),
                    is_met: finding.is_met,
                    detail: finding.detail.clone(),
                })
                .collect(),
        };
        let mut kept = Vec::new();
        let mut errors: Vec<OutputError> = Vec::new();
        for output in self.outputs {
            if let Some(summary) = &output.summary {
                summary.conclude(&conclusion, self.network.names());
            }
            errors.extend(output.sink.close().err());
            kept.push(Bytes { kind: output.kind, bytes: output.sink.take_bytes() });
        }
        Report {
            name: self.name,
            seed: self.network.seed(),
            ended_at: self.network.now(),
            events: self.network.events(),
            findings,
            outcomes,
            views: self.views.take(),
            failure: self.failure,
            output_errors: errors,
            repeat_command,
            kept,
        }
    }

    /// A finding for each time that a program did what no program may.
    fn misbehavior(&self) -> Vec<Finding> {
        let misdeeds = self.network.misdeeds();
        let mut findings: Vec<Finding> = misdeeds
            .iter()
            .map(|misdeed| {
                let app = self.network.names().app(misdeed.app);
                Finding { name: format!("`{app}` behaves"), is_met: false, detail: misdeed.text.clone(), line: None }
            })
            .collect();
        let more = self.network.misdeeds_count() - misdeeds.len() as u64;
        if more > 0 {
            let detail = format!("programs have misbehaved {more} more times");
            findings.push(Finding { name: "programs behave".to_owned(), is_met: false, detail, line: None });
        }
        findings
    }

    fn outcomes(&self) -> Vec<Outcomes> {
        let names = self.network.names();
        let apps = names.apps.iter().enumerate().map(|(index, app)| {
            let id = AppId(u32::try_from(index).expect("apps are numbered with a u32"));
            Outcomes {
                app: app.name.clone(),
                kind: app.kind.clone(),
                node: names.node(app.node).to_owned(),
                values: self.network.node(app.node).outcomes(id),
            }
        });
        apps.collect()
    }

    /// The most that ever waited at each pipe that has a rate.
    fn queues(&self) -> Vec<QueuePeak> {
        let links = (0..self.network.names().links.len()).filter_map(|index| u32::try_from(index).ok().map(LinkId));
        let pipes = links.flat_map(|link| Direction::BOTH.map(|way| PipeId::new(link, way)));
        let limited = pipes.filter(|pipe| self.network.pipe(*pipe).spec().rate.is_some());
        limited
            .map(|pipe| {
                let counters = self.network.counters(pipe);
                QueuePeak { pipe, packets: counters.queue_packets_max, bytes: counters.queue_bytes_max }
            })
            .collect()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run of {}: {:?}", self.name, self.network)
    }
}
