//! The table for people: what stands for what, towards whom, and for how much longer.

use std::fmt::Write as _;

use super::Nat;
use super::table::Mapping;
use crate::time::Time;

impl Nat {
    /// One session a line, by protocol and outside endpoint; a port forwarding without sessions has a line too.
    pub(in crate::node::machine) fn show(&self, now: Time) -> String {
        let mut mappings: Vec<&Mapping> = self.table.mappings.iter().map(|(_, mapping)| mapping).collect();
        mappings.sort_by_key(|mapping| (mapping.protocol, mapping.outside));
        let mut text = String::new();
        for mapping in mappings {
            let head = format!("{:<4} {:<21} {:<21}", mapping.protocol.name(), mapping.inside, mapping.outside);
            if mapping.is_static {
                let _ = writeln!(text, "{head} {:<21} {:<11} forwarded", "*", "");
            }
            for (far, session) in &mapping.sessions {
                let left = session.expires_at.since(now).as_secs();
                let far = if far.port == 0 { far.address.to_string() } else { far.to_string() };
                let [out, back] = session.packets;
                let packets = format!("{out} out, {back} in");
                let _ = writeln!(text, "{head} {far:<21} {:<11} {left}s, {packets}", session.state());
            }
        }
        text
    }
}
