//! What OSPF knows, in lines: interfaces, neighbors, the database.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::engine::Engine;
use super::interface::Interface;
use super::timers::Timer;
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::ospf::lsa::Content;

/// Everything, in three parts.
pub(super) fn show(engine: &Engine, now: Time) -> String {
    let mut text = format!("router {}, area 0, {} SPF runs\n", engine.id, engine.counts.spf_runs);
    text.push_str("interfaces\n");
    for interface in engine.interfaces.values() {
        let port = &interface.port;
        let _ = write!(text, "  {:<8} {:<18} cost {:<5} ", port.name, port.net.to_string(), port.cost);
        if port.is_passive {
            text.push_str("passive\n");
            continue;
        }
        text.push_str(interface.role.name());
        if interface.role != super::interface::Role::PointToPoint {
            let (speaker, backup) = (named(interface.designated), named(interface.backup));
            let _ = write!(text, ", DR {speaker}, BDR {backup}, priority {}", port.priority);
        }
        text.push('\n');
    }
    text.push_str("neighbors\n");
    for (index, interface) in &engine.interfaces {
        for (address, neighbor) in &interface.neighbors {
            let dead_at = engine.timers.of(Timer::Inactivity(*index, *address)).unwrap_or(now);
            // To the second: what is shown is for people.
            let left = Duration::from_secs(dead_at.since(now).as_secs());
            let state = format!("{}/{}", neighbor.state.name(), part(interface, *address));
            let _ = writeln!(
                text,
                "  {:<15} {:<15} {:<8} {state:<17} dead in {}",
                neighbor.id.to_string(),
                address.to_string(),
                interface.port.name,
                format_duration(left)
            );
        }
    }
    text.push_str("database\n");
    for (key, stored) in engine.database.iter() {
        let header = stored.header(now);
        let _ = write!(
            text,
            "  {:<8} {:<15} by {:<15} seq {:08x} age {:<4}",
            key.kind_name(),
            key.id.to_string(),
            key.router.to_string(),
            header.sequence,
            header.age
        );
        let _ = match &stored.content {
            Content::Router(links) => writeln!(text, " {}", count(links.len(), "link")),
            Content::Network { routers, .. } => writeln!(text, " {}", count(routers.len(), "router")),
            Content::Other => writeln!(text),
        };
    }
    text
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn named(address: Ipv4Addr) -> String {
    if address.is_unspecified() { "none".to_owned() } else { address.to_string() }
}

/// What part a neighbor plays on its network.
fn part(interface: &Interface, address: Ipv4Addr) -> &'static str {
    match address {
        _ if interface.role == super::interface::Role::PointToPoint => "-",
        address if address == interface.designated => "DR",
        address if address == interface.backup => "Backup",
        _ => "DROther",
    }
}
