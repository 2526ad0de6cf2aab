//! Words that outputs share: frames, places, times and what links do to frames.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::cells::cells;
use super::journal::{Journal, hash_number};
use crate::id::RuleId;
use crate::record::{Alteration, Cause, Names, Place, What};
use crate::time::Time;
use crate::units::format_duration;
use crate::wire::{Conversations, Frame, Relative, Summary};

/// Spells frames; remembers what relative sequence numbers need.
#[derive(Debug, Default)]
pub(super) struct Speller {
    hosts: BTreeMap<IpAddr, String>,
    conversations: Conversations,
}

impl Speller {
    /// One that writes these names in place of addresses. An address with several names, as behind different address
    /// translators, stays an address.
    pub(super) fn new(hosts: Vec<(IpAddr, String)>) -> Self {
        let mut names: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
        for (address, name) in hosts {
            let known = names.entry(address).or_default();
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let only = |(address, mut known): (IpAddr, Vec<String>)| {
            let name = known.pop()?;
            known.is_empty().then_some((address, name))
        };
        Self { hosts: names.into_iter().filter_map(only).collect(), conversations: Conversations::default() }
    }

    /// Looks at a frame that is not told of, so that sequence numbers stay relative to the first.
    pub(super) fn see(&mut self, what: &What<'_>) {
        if let What::Delivered { frame } | What::Dropped { frame, .. } | What::Sent { frame } = what {
            self.conversations.observe(frame);
        }
    }

    /// As tcpdump would: `10.0.0.1.49152 > 10.0.0.2.80: Flags [S], seq 0, win 64240, length 0`.
    pub(super) fn long(&mut self, frame: &Frame) -> String {
        Summary::observed(frame, &self.hosts, &mut self.conversations).to_string()
    }

    /// The same, and what its sequence numbers are counted from.
    pub(super) fn long_with_base(&mut self, frame: &Frame) -> (String, Relative) {
        let summary = Summary::observed(frame, &self.hosts, &mut self.conversations);
        (summary.to_string(), summary.relative())
    }

    /// The names that stand for addresses.
    pub(super) fn hosts(&self) -> &BTreeMap<IpAddr, String> {
        &self.hosts
    }

    /// In few words, for an arrow: `SYN seq 0`.
    pub(super) fn short(&mut self, frame: &Frame) -> String {
        Summary::observed(frame, &self.hosts, &mut self.conversations).short().to_string()
    }
}

/// Milliseconds with three decimals, cut to the microsecond: `20.917`.
pub(super) fn milliseconds(at: Time) -> String {
    let micros = at.as_micros();
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// A span for reading rather than calculating: three significant digits at least, cut: `1.00 s`, `20.9 ms`.
pub(super) fn duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    for (unit, scale) in [("s", 1_000_000_000_u128), ("ms", 1_000_000), ("us", 1_000)] {
        if nanos >= scale {
            let thousandths = nanos / (scale / 1_000);
            let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
            return match whole {
                0..10 => format!("{whole}.{:02} {unit}", rest / 10),
                10..100 => format!("{whole}.{} {unit}", rest / 100),
                _ => format!("{whole} {unit}"),
            };
        }
    }
    format!("{nanos} ns")
}

/// A node's name, with the port's if the node has several, or a link's name.
pub(super) fn place_name(place: Place, names: &Names) -> String {
    match place {
        Place::Node(node) => names.node(node).to_owned(),
        Place::Pipe(pipe) => names.link(pipe.link()).to_owned(),
        Place::Port(node, port) => match names.nodes.get(node.0 as usize) {
            Some(name) if name.ports.len() > 1 => format!("{}:{}", name.name, names.port(node, port)),
            _ => names.node(node).to_owned(),
        },
    }
}

/// The least and the most room for places in a line.
const WHERE_WIDTH_MIN: usize = 12;
const WHERE_WIDTH_MAX: usize = 28;

/// How wide a column of places must be.
pub(super) fn where_width(names: &Names) -> usize {
    let ports = names.nodes.iter().flat_map(|node| {
        let several = node.ports.len() > 1;
        let port_widths = node.ports.iter().map(move |port| if several { cells(port) + 1 } else { 0 });
        port_widths.chain([0]).map(|port| cells(&node.name) + port)
    });
    let links = names.links.iter().map(|link| cells(&link.name));
    ports.chain(links).max().unwrap_or(0).clamp(WHERE_WIDTH_MIN, WHERE_WIDTH_MAX)
}

/// What a link did to a frame, and who: `delayed by 30ms, by slow-down`.
pub(super) fn alteration(how: Alteration, rule: Option<RuleId>, journal: &Journal, names: &Names) -> String {
    let what = match how {
        Alteration::Corrupted { byte, bit } => format!("bit {bit} of byte {byte} flipped"),
        Alteration::Delayed(by) => format!("held back for {}", format_duration(by)),
        Alteration::Duplicated { copy } => format!("copied as {}", hash_number(journal.number(copy))),
    };
    rule.map_or_else(|| what.clone(), |rule| format!("{what} by {}", names.rule(rule)))
}

/// Why a frame was dropped, and by whom: `lose-first-syn (fault)`.
pub(super) fn because(cause: Cause, rule: Option<RuleId>, names: &Names) -> String {
    rule.map_or_else(|| cause.to_string(), |rule| format!("{} ({cause})", names.rule(rule)))
}

/// A cause with the standard behind it: `ttl-expired (RFC 791 §3.2)`.
pub(super) fn with_reference(cause: Cause) -> String {
    match cause.reference() {
        "" => cause.to_string(),
        reference => format!("{cause} ({reference})"),
    }
}
