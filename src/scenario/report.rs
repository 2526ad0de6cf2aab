//! What a run has come to.

use crate::expect::Finding;
use crate::network::RunError;
use crate::network::action::View;
use crate::output::OutputError;
use crate::record::Value;
use crate::time::Time;

/// The end of a run: findings, outcomes, and what the outputs have kept.
#[derive(Debug)]
pub struct Report {
    /// What the scenario calls itself.
    pub name: String,
    /// Where all luck came from.
    pub seed: u64,
    /// When the run ended.
    pub ended_at: Time,
    /// How many events were carried out.
    pub events: u64,
    /// Every expectation's verdict, in the order of the scenario.
    pub findings: Vec<Finding>,
    /// What every program reported, in the order of the scenario.
    pub outcomes: Vec<Outcomes>,
    /// What [`Run::show_at`](super::Run::show_at) asked for, in the order of time; what came too late is missing.
    pub views: Vec<View>,
    /// Why the run was given up, if it was.
    pub failure: Option<RunError>,
    /// Outputs that are not complete.
    pub output_errors: Vec<OutputError>,
    /// The command that repeats this run.
    pub repeat_command: String,
    pub(super) kept: Vec<Bytes>,
}

/// What one program reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    /// The program's name: `fetch`.
    pub app: String,
    /// Its kind: `tcp-send`.
    pub kind: String,
    /// The node that it ran on.
    pub node: String,
    /// Name and value of each outcome, in the program's order.
    pub values: Vec<(String, Value)>,
}

/// The bytes of one output.
#[derive(Debug)]
pub(super) struct Bytes {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Report {
    /// Whether the run went to its end and every expectation is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.failure.is_none() && self.findings.iter().all(|finding| finding.is_met)
    }

    /// The trace, one line per event. Empty if the run was not asked for it.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_of("text")
    }

    /// The sequence diagram. Empty if the run was not asked for it.
    #[must_use]
    pub fn ladder(&self) -> String {
        self.text_of("ladder")
    }

    /// The capture file. Empty if the run was not asked for it.
    #[must_use]
    pub fn pcapng(&self) -> Vec<u8> {
        self.output("pcapng").to_vec()
    }

    /// One JSON object per line. Empty if the run was not asked for it.
    #[must_use]
    pub fn json(&self) -> String {
        self.text_of("json")
    }

    /// Counters and findings. Empty if the run was not asked for it.
    #[must_use]
    pub fn summary(&self) -> String {
        self.text_of("summary")
    }

    /// What a program reported under a name.
    #[must_use]
    pub fn outcome(&self, app: &str, key: &str) -> Option<&Value> {
        let outcomes = self.outcomes.iter().find(|outcomes| outcomes.app == app)?;
        outcomes.values.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Findings that are not met, and a failure if there was one, as lines; empty if everything is met.
    #[must_use]
    pub fn objections(&self) -> String {
        let mut lines = String::new();
        for finding in self.findings.iter().filter(|finding| !finding.is_met) {
            lines.push_str(&format!("not met: {}\n", finding.name));
            finding.detail.lines().for_each(|line| lines.push_str(&format!("  {line}\n")));
        }
        if let Some(failure) = &self.failure {
            lines.push_str(&format!("given up: {failure}\n"));
        }
        lines
    }

    /// Fails a test unless everything is met.
    ///
    /// # Panics
    ///
    /// With every objection, the sequence diagram if there is one, and the command that repeats the run.
    pub fn assert_met(&self) {
        assert!(self.is_met(), "{}\n{}\nrepeat with: {}", self.objections(), self.ladder(), self.repeat_command);
    }

    /// What the output of a kind has kept: `ladder`. Empty if the run was not asked for it, or it went elsewhere.
    #[must_use]
    pub fn output(&self, kind: &str) -> &[u8] {
        // One that went to a file has kept nothing, and may stand beside one that did.
        let mut kept = self.kept.iter().filter(|kept| kept.kind == kind && !kept.bytes.is_empty());
        kept.next().map_or(&[], |kept| &kept.bytes)
    }

    fn text_of(&self, kind: &str) -> String {
        String::from_utf8_lossy(self.output(kind)).into_owned()
    }
}
