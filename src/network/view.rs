//! State views: what a node is like just now, in lines that people know from their tools.
//!
//! A node shows what it knows itself (`route`, `fdb`, …: [`Node::show`](crate::node::Node::show)); what the network counts
//! for it is shown for every node: `counters`, by the names that expectations use, and `interfaces`, as `ip -s link` does.

use std::fmt::Write as _;

use super::Network;
use crate::id::{NodeId, PipeId, PortId};
use crate::link::PipeCounters;

/// What can be shown of every node.
const COMMON: [&str; 2] = ["counters", "interfaces"];

impl Network {
    /// What can be shown of a node, in alphabetical order.
    #[must_use]
    pub fn views(&self, node: NodeId) -> Vec<&'static str> {
        let mut views = [&COMMON, self.node(node).views()].concat();
        views.sort_unstable();
        views
    }

    /// A part of a node's state at this time, in lines; `None` if there is no view of that name.
    #[must_use]
    pub fn show(&self, node: NodeId, what: &str) -> Option<String> {
        match what {
            "counters" => Some(self.show_counters(node)),
            "interfaces" => Some(self.show_interfaces(node)),
            _ => self.node(node).show(what, self.now),
        }
    }

    /// Every counter that is not zero.
    fn show_counters(&self, node: NodeId) -> String {
        let own = self.node(node).counters().into_iter().map(|(name, value)| (name, value.to_string()));
        let drops = self.drops(node).map(|(cause, count)| (format!("dropped.{cause}"), count.to_string()));
        let rows: Vec<(String, String)> = own.chain(drops).filter(|(_, value)| value != "0").collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| format!("{name:width$} {value}\n")).collect()
    }

    fn show_interfaces(&self, node: NodeId) -> String {
        let mut text = String::new();
        for port in 0..self.node_slot(node).ports.len() {
            let Ok(port) = u16::try_from(port) else { break };
            let name = self.names.port(node, PortId(port));
            let Some(pipe) = self.pipe_from(node, PortId(port)) else {
                let _ = writeln!(text, "{name}: no link");
                continue;
            };
            let back = PipeId::new(pipe.link(), pipe.direction().reversed());
            let state = if self.pipe(pipe).is_up() { "up" } else { "down" };
            let _ = writeln!(text, "{name}: {} {state}", self.names.link(pipe.link()));
            let PipeCounters { delivered, delivered_bytes, .. } = self.counters(back);
            let _ = writeln!(text, "    received {delivered} ({delivered_bytes} B)");
            let PipeCounters { sent, sent_bytes, dropped, .. } = self.counters(pipe);
            let lost = if dropped == 0 { String::new() } else { format!(", {dropped} lost on the link") };
            let _ = writeln!(text, "    sent {sent} ({sent_bytes} B){lost}");
        }
        text
    }
}
