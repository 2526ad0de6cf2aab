//! Who keeps all expectations of one run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Expectation, Expected, Finding, Verdict};
use crate::network::{Action, Network};
use crate::read::Diagnostic;
use crate::record::{Names, Observer, Record};
use crate::time::Time;
use crate::units::format_duration;

/// One expectation at work.
#[derive(Debug)]
struct Case {
    name: String,
    line: Option<u32>,
    due_at: Option<Time>,
    expectation: Box<dyn Expectation>,
    /// Once judged.
    verdict: Option<Verdict>,
}

/// All expectations of one run, shared between the observer, the actions that judge at a time, and whoever asks last.
#[derive(Debug, Clone)]
pub struct Judge {
    cases: Arc<Mutex<Vec<Case>>>,
}

impl Judge {
    /// Prepares a network to be judged: has it watched, if any expectation needs that, and plans the judgements that
    /// have a time of their own. Call it once all nodes, links, programs and timed actions are there.
    ///
    /// # Errors
    ///
    /// All mistakes that only the network shows.
    pub fn new(expected: &[Expected], network: &mut Network) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut cases = Vec::new();
        for Expected { name, line, due_at, claim } in expected {
            match claim.watch(network) {
                Ok(expectation) => {
                    cases.push(Case { name: name.clone(), line: *line, due_at: *due_at, expectation, verdict: None })
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let is_watching = cases.iter().any(|case| case.expectation.is_watching());
        let due: Vec<(usize, Time)> =
            cases.iter().enumerate().filter_map(|(index, case)| Some((index, case.due_at?))).collect();
        let judge = Self { cases: Arc::new(Mutex::new(cases)) };
        if is_watching {
            network.observe(Box::new(Watch { judge: judge.clone() }));
        }
        for (index, at) in due {
            network.plan(at, Box::new(JudgeNow { judge: judge.clone(), index }));
        }
        Ok(judge)
    }

    /// Every finding, in the order of the file. What has not been judged at a time of its own is judged now.
    #[must_use]
    pub fn conclude(&self, network: &Network) -> Vec<Finding> {
        self.cases().iter_mut().map(|case| case.finding(network)).collect()
    }

    fn cases(&self) -> MutexGuard<'_, Vec<Case>> {
        // A panic elsewhere leaves the cases as they were: they are only appended to.
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Case {
    fn finding(&mut self, network: &Network) -> Finding {
        let verdict = match (&self.verdict, self.due_at) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(due_at)) => {
                let due = format_duration(due_at.since(Time::ZERO));
                Verdict::unmet(format!("the run was over at {} s, before {due}", network.now()))
            }
            (None, None) => self.expectation.conclude(network),
        };
        Finding { name: self.name.clone(), is_met: verdict.is_met, detail: verdict.detail, line: self.line }
    }
}

/// Shows records to the expectations that watch.
struct Watch {
    judge: Judge,
}

impl Observer for Watch {
    fn record(&mut self, record: &Record<'_>, names: &Names) {
        for case in self.judge.cases().iter_mut() {
            if case.verdict.is_none() && case.expectation.is_watching() {
                case.expectation.record(record, names);
            }
        }
    }
}

/// Judges one expectation at its time.
#[derive(Debug)]
struct JudgeNow {
    judge: Judge,
    index: usize,
}

impl Action for JudgeNow {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        if let Some(case) = self.judge.cases().get_mut(self.index) {
            case.verdict = Some(case.expectation.conclude(network));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "judge an expectation".to_owned()
    }
}
