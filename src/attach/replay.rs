//! A session happens again, without a kernel and without a clock.
//!
//! What came in is planned for the time at which it came, exactly as the session did: when everything before that time has
//! happened. The rest is a run like any other, with any outputs.

use super::recording::{Header, Left, Recording, What};
use crate::id::NodeId;
use crate::network::Enter;
use crate::scenario::{Mistakes, Run, Scenario};
use crate::time::Time;

/// Why a recording could not be made to happen again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It does not fit the scenario that it brings along.
    #[error("the recording does not fit its own scenario: {0}")]
    Misfit(String),
    /// What happened was not what was recorded.
    #[error(
        "the replay is not the session: {node} handed {then} packets to the kernel then, and {now} now{}",
        if .then == .now { ", with other bytes" } else { "" }
    )]
    Other {
        /// The gateway.
        node: String,
        /// How many packets the session had.
        then: u64,
        /// How many the replay has.
        now: u64,
    },
}

impl Header {
    /// The scenario of the session.
    ///
    /// # Errors
    ///
    /// When this hopwise finds mistakes in it.
    pub fn scenario(&self) -> Result<Scenario, Mistakes> {
        let scenario = Scenario::from_changes(&self.name, &self.scenario, &self.settings, &self.hosts)?;
        Ok(scenario.seed(self.seed))
    }

    /// Prepares a run of the session's scenario: its gateways are as they were.
    ///
    /// # Errors
    ///
    /// When a gateway is none; as a phrase.
    pub fn prepare(&self, run: &mut Run) -> Result<Vec<NodeId>, String> {
        run.network.forgive();
        run.network.limit_events(u64::MAX);
        let nodes = self.gateways.iter().map(|attached| {
            let node = run.network.find_node(&attached.node);
            let gateway = node.and_then(|node| run.network.gateway(node));
            let gateway = gateway.ok_or_else(|| format!("`{}` is not a gateway", attached.node))?;
            gateway.set_layer(attached.layer);
            for route in &self.routes {
                gateway.add_reach(route.parse().map_err(|_| format!("`{route}` is not a range of addresses"))?);
            }
            gateway.attach();
            node.ok_or_else(|| format!("there is no node `{}`", attached.node))
        });
        nodes.collect()
    }
}

/// Makes a session happen again in a run of its scenario, until the run's end or the session's.
///
/// A recording without an end ends with its last event, and one second for what follows from it.
///
/// # Errors
///
/// When the recording does not fit, or what happens is not what was recorded.
pub fn replay(recording: &Recording, run: &mut Run, until: Option<Time>) -> Result<(), ReplayError> {
    let nodes = recording.header.prepare(run).map_err(ReplayError::Misfit)?;
    let last = recording.events.last().map_or(Time::ZERO, |event| event.at);
    let end = recording.ended.as_ref().map_or(last + AFTER_A_BREAK, |ended| ended.at);
    let stop = until.map_or(end, |until| until.min(end));
    run.set_stop(stop);
    let mut left = vec![Left::default(); nodes.len()];
    for event in recording.events.iter().take_while(|event| event.at <= stop) {
        let before = Time::from_nanos(event.at.as_nanos().saturating_sub(1));
        proceed(run, before, &nodes, &mut left);
        match &event.what {
            What::Act(entry) => {
                run.act(event.at, entry).map_err(|mistakes| ReplayError::Misfit(mistakes.to_string()))?;
            }
            What::Packets { gateway, packets } => {
                let node =
                    *nodes.get(*gateway).ok_or_else(|| ReplayError::Misfit("a gateway is missing".to_owned()))?;
                run.network.plan(event.at, Box::new(Enter { node, packets: packets.clone() }));
            }
        }
    }
    proceed(run, stop, &nodes, &mut left);
    let Some(ended) = recording.ended.as_ref().filter(|ended| ended.at == stop) else { return Ok(()) };
    let pairs = recording.header.gateways.iter().zip(ended.left.iter().zip(&left));
    for (attached, (then, now)) in pairs {
        if then != now {
            return Err(ReplayError::Other { node: attached.node.clone(), then: then.count, now: now.count });
        }
    }
    Ok(())
}

/// How long a session goes on after its last event, if nobody knows.
const AFTER_A_BREAK: std::time::Duration = std::time::Duration::from_secs(1);

/// How many events happen before what is for the kernel is thrown away.
const EVENTS_BETWEEN: u32 = 4096;

fn proceed(run: &mut Run, until: Time, nodes: &[NodeId], left: &mut [Left]) {
    loop {
        let has_more = run.advance(until, EVENTS_BETWEEN);
        for (node, left) in nodes.iter().zip(left.iter_mut()) {
            while let Some(frame) = run.network.leaving(*node) {
                left.add(frame.bytes());
                run.network.recycle(frame);
            }
        }
        if !has_more {
            return;
        }
    }
}
