//! What RIP knows, in lines.

use std::fmt::Write as _;

use super::engine::Engine;
use super::table::Source;
use crate::time::Time;
use crate::units::format_duration;

/// Every destination: what it costs, where it leads, who told of it, and when that ends.
pub(super) fn show(engine: &Engine, now: Time) -> String {
    let mut text = String::new();
    for (prefix, route) in engine.table().iter() {
        let _ = write!(text, "{:<18} metric {:<2}", prefix.to_string(), route.metric);
        match route.source {
            Source::Own => text.push_str(" own"),
            Source::Learned { from, interface, via } => {
                let name = engine.ports().get(&interface).map_or("(down)", |port| &port.name);
                let _ = write!(text, " via {via} dev {name}");
                if via != from {
                    let _ = write!(text, " told by {from}");
                }
            }
        }
        if let Some(at) = route.ends_at {
            let what = if route.is_reachable() { "times out" } else { "forgotten" };
            // To the second: what is shown is for people.
            let left = std::time::Duration::from_secs(at.since(now).as_secs());
            let _ = write!(text, ", {what} in {}", format_duration(left));
        }
        text.push('\n');
    }
    text
}
