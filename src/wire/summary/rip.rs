//! RIP messages: how they begin as tcpdump does, and then the routes, as many as fit a line.

use std::fmt;
use std::net::IpAddr;

use crate::wire::rip::{RipCommand, RipEntry, RipMessage, RipVersion, version_of_port};
use crate::wire::view::be16;

/// How many routes are told one by one.
const LISTED_MAX: usize = 4;

/// The message in a UDP datagram, if it is one of RIP.
pub(super) fn of_datagram(udp: &[u8]) -> Option<(RipVersion, RipMessage)> {
    let (source, destination) = (be16(udp, 0)?, be16(udp, 2)?);
    let version = version_of_port(destination).or_else(|| version_of_port(source))?;
    let end = usize::from(be16(udp, 4)?).min(udp.len());
    Some((version, RipMessage::parse(udp.get(8..end)?, version).ok()?))
}

/// `RIPv2, Response, 2 routes: 10.0.0.0/24 metric 1, 10.0.1.0/24 metric 2`.
pub(super) fn write_message(f: &mut fmt::Formatter<'_>, version: RipVersion, message: &RipMessage) -> fmt::Result {
    f.write_str(name(version))?;
    let count = message.entries.len();
    match message.command {
        RipCommand::Request if message.asks_for_all => return f.write_str(", Request for all routes"),
        RipCommand::Request => f.write_str(", Request")?,
        RipCommand::Response => f.write_str(", Response")?,
    }
    write!(f, ", {count} route{}", if count == 1 { "" } else { "s" })?;
    for (index, entry) in message.entries.iter().take(LISTED_MAX).enumerate() {
        f.write_str(if index == 0 { ": " } else { ", " })?;
        write_entry(f, entry)?;
    }
    f.write_str(if count > LISTED_MAX { ", …" } else { "" })
}

/// `RIP response 2 routes, metrics 1 to 3`; a single route is told.
pub(super) fn write_short(f: &mut fmt::Formatter<'_>, version: RipVersion, message: &RipMessage) -> fmt::Result {
    let name = if version == RipVersion::Ng { "RIPng" } else { "RIP" };
    match (message.command, message.entries.as_slice()) {
        (RipCommand::Request, _) => write!(f, "{name} request"),
        (RipCommand::Response, [only]) => {
            write!(f, "{name} response ")?;
            write_entry(f, only)
        }
        (RipCommand::Response, all) => {
            write!(f, "{name} response {} routes", all.len())?;
            let metrics = || all.iter().map(|entry| entry.metric);
            match (metrics().min(), metrics().max()) {
                (Some(least), Some(most)) if least < most => write!(f, ", metrics {least} to {most}"),
                (Some(metric), _) => write!(f, ", metric {metric}"),
                _ => Ok(()),
            }
        }
    }
}

fn name(version: RipVersion) -> &'static str {
    match version {
        RipVersion::Two => "RIPv2",
        RipVersion::Ng => "RIPng",
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, entry: &RipEntry) -> fmt::Result {
    match entry.prefix {
        Some(prefix) => write!(f, "{prefix}")?,
        None => f.write_str("no prefix")?,
    }
    match entry.next_hop {
        Some(IpAddr::V4(next_hop)) => write!(f, " via {next_hop}")?,
        Some(IpAddr::V6(next_hop)) => write!(f, " via {next_hop}")?,
        None => {}
    }
    write!(f, " metric {}", entry.metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Line<'m>(RipVersion, &'m RipMessage, bool);

    impl fmt::Display for Line<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.2 { write_short(f, self.0, self.1) } else { write_message(f, self.0, self.1) }
        }
    }

    fn both(version: RipVersion, message: &RipMessage) -> String {
        format!("{} | {}", Line(version, message, false), Line(version, message, true))
    }

    fn response(metrics: &[u32]) -> RipMessage {
        let entry = |(index, metric): (usize, &u32)| RipEntry {
            prefix: format!("10.{index}.0.0/16").parse().ok(),
            next_hop: (index == 1).then(|| IpAddr::from([10, 9, 9, 9])),
            metric: *metric,
            tag: 0,
        };
        let entries = metrics.iter().enumerate().map(entry).collect();
        RipMessage { command: RipCommand::Response, entries, asks_for_all: false }
    }

    #[test]
    fn a_message_tells_its_routes_as_far_as_they_fit() {
        let request = RipMessage::request_all();
        assert_eq!(both(RipVersion::Two, &request), "RIPv2, Request for all routes | RIP request");
        assert_eq!(
            both(RipVersion::Two, &response(&[16])),
            "RIPv2, Response, 1 route: 10.0.0.0/16 metric 16 | RIP response 10.0.0.0/16 metric 16"
        );
        assert_eq!(
            both(RipVersion::Two, &response(&[1, 3])),
            "RIPv2, Response, 2 routes: 10.0.0.0/16 metric 1, 10.1.0.0/16 via 10.9.9.9 metric 3 | \
             RIP response 2 routes, metrics 1 to 3"
        );
        let many = both(RipVersion::Ng, &response(&[2; 6]));
        assert!(many.contains("RIPng, Response, 6 routes: 10.0.0.0/16 metric 2, ") && many.contains(", …"), "{many}");
        assert!(many.ends_with("RIPng response 6 routes, metric 2"), "{many}");
    }
}
