//! What a `[nodes.x]` table says about a gateway.

use ipnet::IpNet;

use super::GatewaySpec;
use crate::node::machine::settings::{self, FIELDS};
use crate::node::machine::{Machine, MachineSpec};
use crate::node::{Build, Ipv6Wish, Node, NodeKind, NodeSpec, Role};
use crate::read::{Diagnostic, Field, Form, Located, Need, Table};
use crate::wire::Layer;

/// What may be said of a gateway alone.
const OWN: [Field; 2] = [
    Field {
        name: "device",
        form: Form::OneOf(DEVICES),
        need: Need::Default("\"tun\""),
        doc: "What the kernel gets: packets (`tun`), or whole frames (`tap`) and with them ARP, neighbor discovery and the node's hardware address.",
    },
    Field {
        name: "behind",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Real networks behind the kernel that may send into the simulation and may be sent to, such as `\"192.0.2.0/24\"`; without it only the gateway's own addresses may.",
    },
];

const DEVICES: &[&str] = &["tap", "tun"];

/// What of a host's table means something for a gateway: its card, and the way to others. The rest is the kernel's to say.
const OF_THE_CARD: [&str; 8] = ["addr", "gateway", "routes", "neighbors", "mtu", "arp", "ipv6", "nd"];

/// What may be said of a gateway.
static GATEWAY_FIELDS: [Field; OF_THE_CARD.len() + OWN.len()] = {
    let mut all = [FIELDS[0]; OF_THE_CARD.len() + OWN.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OF_THE_CARD.len() { named(OF_THE_CARD[at]) } else { OWN[at - OF_THE_CARD.len()] };
        at += 1;
    }
    all
};

/// The field of a host that has this name.
const fn named(name: &str) -> Field {
    let mut at = 0;
    while at < FIELDS.len() {
        if is_same(FIELDS[at].name.as_bytes(), name.as_bytes()) {
            return FIELDS[at];
        }
        at += 1;
    }
    panic!("a host has a field of that name")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The row of gateways.
pub static KIND: NodeKind = NodeKind {
    name: "gateway",
    doc: "A host whose programs are those of the real machine: `hopwise attach` gives the kernel its place on the link.",
    example: "kind = \"gateway\"\naddr = \"10.0.1.10/24\"",
    fields: &GATEWAY_FIELDS,
    build: Build { role: Role::Gateway, build },
};

fn build(table: &Table<'_>, spec: NodeSpec) -> Option<Box<dyn Node>> {
    let layer = match table.item("device").and_then(|_| table.one_of("device", DEVICES)) {
        Some("tap") => Layer::Ethernet,
        _ => Layer::Ip,
    };
    let behind = behind(table);
    let reach = spec.reach.clone();
    if spec.ipv6 == Ipv6Wish::Autoconfigured {
        let title = format!("the kernel behind `{}` is given its addresses", spec.name);
        table.report("ipv6", title, "`true`, or an address in `addr`");
    }
    // A host that became one may have a firewall for its programs, which do not run.
    let spec = MachineSpec { firewall: None, ..settings::read(table, spec, false) };
    let mut machine = Machine::new(spec);
    machine.become_gateway(GatewaySpec { layer, reach, behind });
    Some(Box::new(machine))
}

fn behind(table: &Table<'_>) -> Vec<IpNet> {
    let written: Vec<Located<String>> = table.get("behind").unwrap_or_default();
    let read = |net: Located<String>| match net.value.parse::<IpNet>() {
        Ok(net) => Some(net.trunc()),
        Err(_) => {
            let title = format!("`{}` is not a range of addresses", net.value);
            table.reader.report(Diagnostic::new(net.span, title).label("such as \"192.0.2.0/24\""));
            None
        }
    };
    written.into_iter().filter_map(read).collect()
}
