//! What a `[nodes.x]` table may say about a switch, and how it is read.
//!
//! `vlans` is read twice: by whoever plans the addresses of the whole network, who must know which ports hear each
//! other ([`read_vlans`]), and here, once the ports have names.

use std::collections::BTreeSet;
use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::Switch;
use super::spanning_tree::{COST_MAX, PORTS_MAX};
use super::spec::{
    AGE_DEFAULT, Membership, PORT_PRIORITY_DEFAULT, STATIONS_MAX, SpanningTreeSpec, SwitchPortSpec, SwitchSpec,
    TreeProtocol, VLAN_DEFAULT, VlanSet,
};
use crate::node::machine::settings::parse_mac;
use crate::node::{Build, Node, NodeKind, NodeSpec, Role};
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read, Table};
use crate::wire::vlan::VLAN_ID_MAX;

/// The row of switches.
pub static KIND: NodeKind = NodeKind {
    name: "switch",
    doc: "A learning Ethernet switch: all its links are one subnet, or one for each VLAN.",
    example: "kind = \"switch\"\nage = \"60s\"\nspanning_tree = { priority = 4096 }\nstorm_limit = 1000",
    fields: &[
        Field {
            name: "age",
            form: Form::Duration,
            need: Need::Default("\"300s\""),
            doc: "How long a station is remembered after its last frame.",
        },
        Field {
            name: "stations",
            form: Form::Integer { min: 1, max: STATIONS_LIMIT },
            need: Need::Default("8192"),
            doc: "How many stations are remembered; what is for those it has no room for is flooded.",
        },
        Field {
            name: "storm_limit",
            form: Form::Integer { min: 1, max: u32::MAX as i64 },
            need: Need::Optional,
            doc: "How many frames from each port are flooded in one second; all if left out.",
        },
        Field {
            name: "vlans",
            form: Form::Any,
            need: Need::Optional,
            doc: "What each port carries: `{ p0 = 10, p1 = \"trunk\", p2 = [10, 20], p3 = { trunk = [10, 20], native = 1 } }`: \
                  a number for a station's port; for a link between switches all VLANs, some, or some and the one without \
                  a tag. A port that is not named is in VLAN 1. Without `vlans`, tags are passed on unread.",
        },
        Field {
            name: "spanning_tree",
            form: Form::Either(&[Form::Boolean, Form::Table(TREE_FIELDS)]),
            need: Need::Default("false"),
            doc: "Whether the switch finds a tree without loops with its neighbors (RSTP), and how.",
        },
    ],
    build: Build { role: Role::Bridge, build },
};

/// The most stations that a scenario can ask for: some 64 bytes of memory each.
const STATIONS_LIMIT: i64 = 1 << 20;

/// What `spanning_tree` may say.
pub static TREE_FIELDS: &[Field] = &[
    Field {
        name: "priority",
        form: Form::Integer { min: 0, max: 61_440 },
        need: Need::Default("32768"),
        doc: "The switch with the least becomes the root; a multiple of 4096.",
    },
    Field {
        name: "mac",
        form: Form::Text,
        need: Need::Optional,
        doc: "The address that decides between switches of one priority, the least wins; made from its name if left out.",
    },
    Field {
        name: "protocol",
        form: Form::OneOf(PROTOCOLS),
        need: Need::Default("\"rstp\""),
        doc: "The rapid protocol of 2004, which falls back to the old one with a neighbor that needs it, or the old one.",
    },
    Field {
        name: "hello",
        form: Form::Duration,
        need: Need::Default("\"2s\""),
        doc: "How often it speaks; what three such times have not repeated counts no more.",
    },
    Field {
        name: "max_age",
        form: Form::Duration,
        need: Need::Default("\"20s\""),
        doc: "How far news from the root count, a second for each switch.",
    },
    Field {
        name: "forward_delay",
        form: Form::Duration,
        need: Need::Default("\"15s\""),
        doc: "How long a port waits before it learns, and again before it forwards, with the old protocol.",
    },
    Field {
        name: "edge",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "Ports that lead to stations only and forward at once; the others find out in three seconds.",
    },
    Field {
        name: "cost",
        form: Form::Any,
        need: Need::Optional,
        doc: "What the links at ports cost: `{ p1 = 200000 }`; made from their rates if left out (1 Gbit/s: 20000).",
    },
    Field {
        name: "port_priority",
        form: Form::Any,
        need: Need::Optional,
        doc: "Which of several alike ports is the best: `{ p1 = 64 }`, 0 to 240, a multiple of 16; 128 if left out.",
    },
];

const PROTOCOLS: &[&str] = &["rstp", "stp"];

fn build(table: &Table<'_>, spec: NodeSpec) -> Option<Box<dyn Node>> {
    let ports = spec.ports.into_iter();
    let base = SwitchSpec::new(spec.name, 0);
    let ports = ports.map(|port| SwitchPortSpec { mac: port.mac, ..SwitchPortSpec::new(&base.name, port.name) });
    let mut spec = SwitchSpec {
        ports: ports.collect(),
        age: table.get_or("age", AGE_DEFAULT),
        stations_max: at_least_one(table, "stations").unwrap_or(STATIONS_MAX),
        storm_limit: at_least_one(table, "storm_limit").and_then(|limit| u32::try_from(limit).ok()),
        is_vlan_aware: table.has("vlans"),
        ..base
    };
    for (port, vlans) in read_vlans(table) {
        if let Some(port) = port_named(&mut spec, &port, table) {
            port.vlans = vlans;
        }
    }
    spec.spanning_tree = read_tree(table, &mut spec);
    Some(Box::new(Switch::new(spec)))
}

fn at_least_one(table: &Table<'_>, key: &str) -> Option<usize> {
    let number: u32 = table.get(key)?;
    if number == 0 || (key == "stations" && i64::from(number) > STATIONS_LIMIT) {
        let most = if key == "stations" { format!(" to {STATIONS_LIMIT}") } else { String::new() };
        table.report(key, format!("`{key}` cannot be {number}"), format!("from 1{most}"));
        return None;
    }
    usize::try_from(number).ok()
}

/// The port of this name; that there is none is reported.
fn port_named<'s>(
    spec: &'s mut SwitchSpec,
    name: &Located<String>,
    table: &Table<'_>,
) -> Option<&'s mut SwitchPortSpec> {
    if let Some(index) = spec.ports.iter().position(|port| port.name == name.value) {
        return spec.ports.get_mut(index);
    }
    let title = format!("`{}` has no port `{}`", spec.name, name.value);
    let diagnostic = Diagnostic::new(name.span.clone(), title);
    let diagnostic = match spec.ports.as_slice() {
        [] => diagnostic.label("no link ends at this switch"),
        ports => diagnostic.not_among(&name.value, ports.iter().map(|port| port.name.as_str())),
    };
    table.reader.report(diagnostic);
    None
}

/// What `vlans` says of each port, whether there is such a port or not. Mistakes are reported.
#[must_use]
pub fn read_vlans(table: &Table<'_>) -> Vec<(Located<String>, Membership)> {
    let Some(vlans) = table.get::<Table<'_>>("vlans") else { return Vec::new() };
    let entries = vlans.entries().into_iter();
    let read = |(port, item): (Located<&str>, Item<'_>)| {
        let port = Located { value: port.value.to_owned(), span: port.span };
        Some((port, read_membership(&item)?))
    };
    entries.filter_map(read).collect()
}

fn read_membership(item: &Item<'_>) -> Option<Membership> {
    if item.value.is_integer() {
        return read_vlan(item).map(Membership::Access);
    }
    if item.value.as_table().is_none() {
        let vlans = read_set(item)?;
        // All includes the default one, which goes without a tag, as on real switches.
        let native = (vlans == VlanSet::All).then_some(VLAN_DEFAULT);
        return Some(Membership::Trunk { vlans, native });
    }
    let table = Table::read(item)?;
    table.check(&[TRUNK_FIELDS], &[]);
    let native = table.item("native").map(|item| read_vlan(&item));
    let vlans = read_set(&table.item("trunk")?)?;
    Some(Membership::Trunk { vlans, native: native.map_or(Some(None), |native| native.map(Some))? })
}

/// What the table of a trunk may say.
static TRUNK_FIELDS: &[Field] = &[
    Field { name: "trunk", form: Form::Any, need: Need::Required, doc: "`\"all\"`, or a list of VLANs." },
    Field {
        name: "native",
        form: Form::Integer { min: 1, max: VLAN_ID_MAX as i64 },
        need: Need::Optional,
        doc: "The VLAN whose frames have no tag; if left out, frames without a tag are refused.",
    },
];

fn read_set(item: &Item<'_>) -> Option<VlanSet> {
    if let Some(word) = item.value.as_str() {
        if matches!(word, "trunk" | "all") {
            return Some(VlanSet::All);
        }
        let title = format!("`{word}` is not what a port carries");
        item.reader.report(
            Diagnostic::new(item.span.clone(), title).label("a VLAN such as 10, a list such as [10, 20], or \"trunk\""),
        );
        return None;
    }
    let Some(array) = item.value.as_array() else {
        item.expected("a VLAN such as 10, a list such as [10, 20], or \"trunk\"");
        return None;
    };
    let vlans = array.iter().map(|vlan| {
        let path = item.path.clone();
        read_vlan(&Item { value: vlan.get_ref(), span: vlan.span(), path, reader: item.reader })
    });
    let vlans: Vec<Option<u16>> = vlans.collect();
    Some(VlanSet::These(vlans.into_iter().collect::<Option<BTreeSet<u16>>>()?))
}

fn read_vlan(item: &Item<'_>) -> Option<u16> {
    let number = i64::read(item)?;
    let vlan = u16::try_from(number).ok().filter(|vlan| (1..=VLAN_ID_MAX).contains(vlan));
    if vlan.is_none() {
        let title = format!("{number} is not a VLAN");
        item.reader.report(Diagnostic::new(item.span.clone(), title).label("from 1 to 4094"));
    }
    vlan
}

fn read_tree(table: &Table<'_>, spec: &mut SwitchSpec) -> Option<SpanningTreeSpec> {
    let item = table.item("spanning_tree")?;
    let default = SpanningTreeSpec::new(&spec.name);
    check_port_count(&item, spec);
    if let Some(is_wanted) = item.value.as_bool() {
        return is_wanted.then_some(default);
    }
    if item.value.as_table().is_none() {
        item.expected("true, false, or a table such as { priority = 4096 }");
        return None;
    }
    let tree = Table::read(&item)?;
    tree.check(&[TREE_FIELDS], &[]);
    for port in tree.get::<Vec<Located<String>>>("edge").unwrap_or_default() {
        if let Some(port) = port_named(spec, &port, table) {
            port.is_edge = true;
        }
    }
    for (port, cost) in by_port(&tree, "cost", |cost| (1..=COST_MAX).contains(&cost), "from 1 to 200000000") {
        if let Some(port) = port_named(spec, &port, table) {
            port.cost = Some(cost);
        }
    }
    let is_priority = |priority: u32| priority <= 240 && priority.is_multiple_of(16);
    for (port, priority) in by_port(&tree, "port_priority", is_priority, "a multiple of 16 from 0 to 240") {
        if let Some(port) = port_named(spec, &port, table) {
            port.priority = u8::try_from(priority).unwrap_or(PORT_PRIORITY_DEFAULT);
        }
    }
    let priority: u16 = tree.get_or("priority", default.priority);
    if !priority.is_multiple_of(4096) {
        tree.report("priority", format!("{priority} is not a priority"), "a multiple of 4096 from 0 to 61440");
    }
    let protocol = match tree.item("protocol").and_then(|_| tree.one_of("protocol", PROTOCOLS)) {
        Some("stp") => TreeProtocol::Old,
        _ => default.protocol,
    };
    let [hello, max_age, forward_delay] = read_times(&tree, &default);
    Some(SpanningTreeSpec { priority, mac: read_mac(&tree, default.mac), protocol, hello, max_age, forward_delay })
}

fn check_port_count(item: &Item<'_>, spec: &SwitchSpec) {
    if spec.ports.len() > usize::from(PORTS_MAX) {
        let title = format!("`{}` has {} ports, too many for a spanning tree", spec.name, spec.ports.len());
        item.reader.report(Diagnostic::new(item.span.clone(), title).label(format!("at most {PORTS_MAX}")));
    }
}

/// A table from ports to numbers.
fn by_port(tree: &Table<'_>, key: &str, is_right: fn(u32) -> bool, range: &str) -> Vec<(Located<String>, u32)> {
    let Some(table) = tree.get::<Table<'_>>(key) else { return Vec::new() };
    let read = |(port, item): (Located<&str>, Item<'_>)| {
        let number = i64::read(&item)?;
        let right = u32::try_from(number).ok().filter(|number| is_right(*number));
        if right.is_none() {
            let title = format!("`{key}` cannot be {number}");
            item.reader.report(Diagnostic::new(item.span.clone(), title).label(range));
        }
        Some((Located { value: port.value.to_owned(), span: port.span }, right?))
    };
    table.entries().into_iter().filter_map(read).collect()
}

fn read_mac(tree: &Table<'_>, default: EthernetAddress) -> EthernetAddress {
    let Some(text) = tree.get::<String>("mac") else { return default };
    let mac = parse_mac(&text).filter(EthernetAddress::is_unicast);
    if mac.is_none() {
        let title = format!("`{text}` is not the hardware address of one station");
        tree.report("mac", title, "such as \"02:00:00:00:00:01\"");
    }
    mac.unwrap_or(default)
}

/// Reads hello time, max age and forward delay, which must fit each other.
fn read_times(tree: &Table<'_>, default: &SpanningTreeSpec) -> [Duration; 3] {
    let seconds = Duration::from_secs;
    // IEEE 802.1D-2004 table 17-1; the hello time as in 1998, up to 10 s.
    let ranges = [
        ("hello", default.hello, seconds(1)..=seconds(10)),
        ("max_age", default.max_age, seconds(6)..=seconds(40)),
        ("forward_delay", default.forward_delay, seconds(4)..=seconds(30)),
    ];
    let before = tree.reader.problem_count();
    let times = ranges.map(|(key, default, range)| {
        let time: Duration = tree.get_or(key, default);
        if !range.contains(&time) {
            let [least, most] = [range.start(), range.end()].map(|time| crate::units::format_duration(*time));
            tree.report(key, format!("`{key}` is out of range"), format!("from {least} to {most}"));
        }
        time
    });
    let [hello, max_age, forward_delay] = times;
    // IEEE 802.1D-2004 §17.14: 2 × (Bridge_Forward_Delay – 1.0 seconds) >= Bridge_Max_Age and
    // Bridge_Max_Age >= 2 × (Bridge_Hello_Time + 1.0 seconds).
    let fits = 2 * (forward_delay.saturating_sub(seconds(1))) >= max_age && max_age >= 2 * (hello + seconds(1));
    if !fits && tree.reader.problem_count() == before {
        tree.reader.report(
            Diagnostic::new(tree.span.clone(), "these times of the spanning tree do not fit each other")
                .label("2 x (forward_delay - 1s) >= max_age >= 2 x (hello + 1s)"),
        );
    }
    times
}
