//! What a scenario may say of OSPF, and how it is read.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Settings;
use super::interface::NetworkKind;
use super::run;
use crate::app::AppBuilder;
use crate::app::places::{self, Places};
use crate::net::Program;
use crate::read::{Diagnostic, Field, Form, Item, Kind, Need, Read as _, Table};
use crate::units::Rate;

/// The registry's row.
pub(in crate::app) const KIND: Kind<AppBuilder> = Kind {
    name: "ospf",
    doc: "Finds IPv4 routes with its neighbors by OSPF version 2, area 0; routers that run it are given none.",
    example: "ospf = { on = \"router\", kind = \"ospf\" }",
    fields: FIELDS,
    build,
};

/// The rate that costs 1, in bits per second: what RFC 1253's metric gave to 100 Mbit/s, and most routers still do.
const REFERENCE: u64 = 100_000_000;

const NETWORKS: &[&str] = &["broadcast", "point-to-point"];

const FIELDS: &[Field] = &[
    Field {
        name: "hello",
        form: Form::Duration,
        need: Need::Default("10s"),
        doc: "From one hello to the next, in whole seconds.",
    },
    Field {
        name: "dead",
        form: Form::Duration,
        need: Need::Optional,
        doc: "After how long a silent neighbor is gone, in whole seconds; four times `hello` if absent.",
    },
    Field {
        name: "cost",
        form: Form::Any,
        need: Need::Optional,
        doc: "What crossing an interface costs: a number, or a table by link, node or `node:interface`; `reference` divided by the link's rate, at least 1, if absent.",
    },
    Field {
        name: "reference",
        form: Form::Rate,
        need: Need::Default("100Mbit"),
        doc: "The rate that costs 1, where costs are not written.",
    },
    Field {
        name: "network",
        form: Form::Any,
        need: Need::Default("broadcast"),
        doc: "What links are: `broadcast`, where a designated router is elected first, or `point-to-point`; or a table of them by link, node or `node:interface`.",
    },
    Field {
        name: "priority",
        form: Form::Any,
        need: Need::Optional,
        doc: "Who becomes designated router, 1 unless said, 0 never: a number, or a table by link, node or `node:interface`.",
    },
    Field {
        name: "passive",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Links, nodes or `node:interface` that are told of, but on which nobody is spoken to: where only hosts are.",
    },
    Field {
        name: "router_id",
        form: Form::Any,
        need: Need::Optional,
        doc: "What routers call themselves, a table by node; the greatest address of a loopback, or else of all, if absent.",
    },
    Field {
        name: "retransmit",
        form: Form::Duration,
        need: Need::Default("5s"),
        doc: "How long an acknowledgment is waited for.",
    },
    Field {
        name: "spf_delay",
        form: Form::Duration,
        need: Need::Default("50ms"),
        doc: "How long after the first change in a while paths are found; while changes go on, 200ms and then 5s (RFC 8405).",
    },
];

/// What was read.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) cost: Places<u32>,
    pub(super) priority: Places<u32>,
    pub(super) network: Places<NetworkKind>,
    pub(super) passive: Places<()>,
    pub(super) router_ids: Places<Ipv4Addr>,
    /// In bits per second.
    reference: u64,
}

impl Plan {
    /// What crossing a link of this rate costs.
    pub(super) fn cost_of_rate(&self, rate: Option<Rate>) -> u16 {
        let Some(rate) = rate else { return 1 };
        let cost = self.reference / rate.bits_per_second().max(1);
        u16::try_from(cost.max(1)).unwrap_or(u16::MAX)
    }
}

fn build(table: &Table<'_>) -> Option<Program> {
    let hello = seconds(table, "hello", 10, u64::from(u16::MAX));
    let dead = seconds(table, "dead", hello * 4, u64::from(u32::MAX));
    if dead <= hello {
        table.report("dead", "neighbors would be gone before their next hello", "longer than `hello`");
    }
    let retransmit = table.get_or("retransmit", Duration::from_secs(5));
    if retransmit < Duration::from_secs(2) {
        // Acknowledgments wait for a second.
        table.report("retransmit", "acknowledgments would come too late", "at least \"2s\"");
    }
    let settings = Settings {
        hello: u16::try_from(hello).unwrap_or(u16::MAX),
        dead: u32::try_from(dead).unwrap_or(u32::MAX),
        retransmit,
        spf_delay: table.get_or("spf_delay", Duration::from_millis(50)),
    };
    let reference = table.get::<Rate>("reference").map_or(REFERENCE, Rate::bits_per_second);
    let plan = Plan {
        settings,
        cost: Places::read(table, "cost", |item| places::number(item, 1, u32::from(u16::MAX))),
        priority: Places::read(table, "priority", |item| places::number(item, 0, 255)),
        network: Places::read(table, "network", network),
        passive: Places::read_list(table, "passive"),
        router_ids: Places::read(table, "router_id", router_id),
        reference,
    };
    let plan = Arc::new(plan);
    Some(Program::new(move |net| run(net, Arc::clone(&plan))))
}

/// A whole number of seconds, at least one.
fn seconds(table: &Table<'_>, key: &str, default: u64, max: u64) -> u64 {
    let Some(duration) = table.get::<Duration>(key) else { return default };
    let seconds = duration.as_secs();
    if duration.subsec_nanos() != 0 || seconds == 0 || seconds > max {
        table.report(key, "this is told to neighbors in whole seconds", format!("from \"1s\" to \"{max}s\""));
    }
    seconds.clamp(1, max)
}

fn network(item: &Item<'_>) -> Option<NetworkKind> {
    let word = item.text("the kind of a network in quotes")?;
    match word {
        "broadcast" => Some(NetworkKind::Broadcast),
        "point-to-point" => Some(NetworkKind::PointToPoint),
        other => {
            let title = format!("no kind of network is called `{other}`");
            item.reader.report(Diagnostic::new(item.span.clone(), title).not_among(other, NETWORKS.iter().copied()));
            None
        }
    }
}

fn router_id(item: &Item<'_>) -> Option<Ipv4Addr> {
    let text = String::read(item)?;
    let id = text.parse::<Ipv4Addr>().ok().filter(|id| !id.is_unspecified());
    if id.is_none() {
        let title = format!("`{text}` is not a router ID");
        item.reader.report(Diagnostic::new(item.span.clone(), title).label("written as an address is: \"1.1.1.1\""));
    }
    id
}
