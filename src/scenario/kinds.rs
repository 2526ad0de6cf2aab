//! What a node or a program is made with: the seam to the registries below.

use std::sync::Arc;

use smoltcp::wire::EthernetAddress;

use super::layout::{NodePlan, Role};
use super::section::{AppPlan, NODE_FIELDS};
use crate::id::AppId;
use crate::net::{Hosts, Program};
use crate::node::machine::{InterfaceSpec, NeighborSpec, RouteKind, RouteSpec};
use crate::node::{Machine, MachineSpec, Node, Port, Switch, SwitchSpec};
use crate::read::{Diagnostic, Field, Kind, Located, Table};

/// Makes a program from its table.
pub(super) type AppBuilder = fn(&Table<'_>) -> Option<Program>;

/// Every program that a scenario may name.
pub(super) static APPS: &[Kind<AppBuilder>] = &[];

/// What a node is made with, beside its addresses.
#[derive(Debug)]
pub(super) struct Making {
    pub(super) kind: &'static str,
}

/// Every kind of node.
pub(super) static NODES: &[Kind<Role>] = &[
    Kind { name: "host", doc: "Sends and receives.", example: "[nodes.client]\n", fields: &[], build: Role::Host },
    Kind {
        name: "router",
        doc: "A machine that forwards what is for others.",
        example: "[nodes.r1]\nkind = \"router\"\n",
        fields: &[],
        build: Role::Router,
    },
    Kind {
        name: "switch",
        doc: "Joins its links into one Ethernet.",
        example: "[nodes.sw1]\nkind = \"switch\"\n",
        fields: &[],
        build: Role::Joint,
    },
    Kind {
        name: "port",
        doc: "A bare link end for a stack that is not ours.",
        example: "[nodes.device]\nkind = \"port\"\n",
        fields: &[],
        build: Role::Foreign,
    },
];

/// The key that says which kind of node.
pub(super) static KIND_FIELD: Field = Field {
    name: "kind",
    form: crate::read::Form::Text,
    need: crate::read::Need::Default("host"),
    doc: "Which kind of node.",
};

/// Reads a node's kind and what is the kind's own.
pub(super) fn read(table: &Table<'_>) -> Option<(Role, Making)> {
    let word = if table.has("kind") { table.get::<Located<String>>("kind")? } else { Located { value: "host".into(), span: 0..0 } };
    let Some(kind) = NODES.iter().find(|kind| kind.name == word.value) else {
        let title = format!("no kind of node is called `{}`", word.value);
        let known = NODES.iter().map(|kind| kind.name);
        table.reader.report(Diagnostic::new(word.span, title).not_among(&word.value, known));
        return None;
    };
    let common: &[Field] = if kind.build == Role::Joint { &[] } else { NODE_FIELDS };
    table.check(&[std::slice::from_ref(&KIND_FIELD), common, kind.fields], &[]);
    Some((kind.build, Making { kind: kind.name }))
}

/// Makes a node.
pub(super) fn make(
    node: &NodePlan,
    making: &Making,
    apps: &[(AppId, &AppPlan)],
    hosts: &Arc<Hosts>,
    seed: u64,
) -> Box<dyn Node> {
    let ports = || node.interfaces.iter().map(|interface| interface.name.clone()).collect();
    match node.role {
        Role::Foreign => Box::new(Port::new()),
        Role::Joint => Box::new(Switch::new(SwitchSpec { ports: ports(), ..SwitchSpec::new(node.name.clone(), 0) })),
        Role::Host | Role::Router => {
            let _ = (making, apps, hosts);
            Box::new(Machine::new(machine_spec(node, seed)))
        }
    }
}

fn machine_spec(node: &NodePlan, seed: u64) -> MachineSpec {
    let interfaces = node.interfaces.iter().map(|interface| InterfaceSpec {
        name: interface.name.clone(),
        mac: EthernetAddress(interface.mac),
        addresses: interface.addresses.clone(),
        mtu: None,
    });
    let routes = node.routes.iter().flatten().map(|route| RouteSpec {
        prefix: route.to,
        via: route.via,
        interface: None,
        metric: route.metric,
        kind: match route.kind {
            Some("blackhole") => RouteKind::Blackhole,
            Some("prohibit") => RouteKind::Prohibit,
            Some("unreachable") => RouteKind::Unreachable,
            _ => RouteKind::Unicast,
        },
    });
    let neighbors = node.neighbors.iter().filter_map(|(address, mac, _)| {
        let interface = node.interface_towards(*address)?;
        Some(NeighborSpec { interface, address: *address, mac: EthernetAddress(*mac) })
    });
    MachineSpec {
        forwards: node.role == Role::Router,
        interfaces: interfaces.collect(),
        routes: routes.collect(),
        neighbors: neighbors.collect(),
        ..MachineSpec::host(node.name.clone(), seed)
    }
}
