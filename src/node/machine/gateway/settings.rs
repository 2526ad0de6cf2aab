//! What a `[nodes.x]` table says about a gateway.

use ipnet::IpNet;

use super::GatewaySpec;
use crate::node::machine::settings::{FIELDS, build_machine};
use crate::node::{Build, Node, NodeKind, NodeSpec, Role};
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

/// What may be said of a gateway: all that can be said of a host, so that a host becomes one by a word.
static GATEWAY_FIELDS: [Field; FIELDS.len() + OWN.len()] = {
    let mut all = [FIELDS[0]; FIELDS.len() + OWN.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < FIELDS.len() { FIELDS[at] } else { OWN[at - FIELDS.len()] };
        at += 1;
    }
    all
};

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
    let mut machine = build_machine(table, spec, false);
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
