//! `[nodes]`: what stands at the ends of links.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use crate::net::Hosts;
use crate::node::machine::{RouteSpec, settings};
use crate::node::switch::{self, Membership};
use crate::node::{self, Ipv6Wish, Node, NodeKind, NodeSpec, PortSpec, Role};
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read, Span, Table};
use crate::scenario::layout::{Layout, NodePlan, WrittenAddress, is_machine};
use crate::scenario::routes::default_net;

/// The key that says which kind of node.
pub(crate) static KIND_FIELD: Field =
    Field { name: "kind", form: Form::Text, need: Need::Default("\"host\""), doc: "Which kind of node." };

/// What can be said of every node that has addresses, beside the fields of its kind.
pub(crate) static MAC_FIELD: Field = Field {
    name: "mac",
    form: Form::Any,
    need: Need::Optional,
    doc: "Its hardware address, or a table by interface; made from its first address if left out.",
};

/// What can be said of a bare port: its addresses are its own business, but others may want to know them.
pub(crate) static OUTSIDE_FIELDS: &[Field] = &[Field {
    name: "addr",
    form: Form::Any,
    need: Need::Optional,
    doc: "The addresses, with prefix lengths, that the stack behind it uses: others find it by its name.",
}];

/// A node's kind with its table, until it can be made.
pub(crate) type Making<'d> = (&'static NodeKind, Table<'d>);

/// Reads all nodes, as far as that goes before it is known what is linked where.
///
/// `ipv6` says whether those speak IPv6 that do not say; `attached` are hosts that are gateways all the same.
pub(super) fn read<'d>(
    entries: Vec<(Located<&'d str>, Table<'d>)>,
    ipv6: Ipv6Wish,
    attached: &[String],
) -> (Layout, Vec<Making<'d>>) {
    let mut layout = Layout::default();
    let mut makings = Vec::new();
    for (name, table) in entries {
        if table.reader.is_full() {
            break;
        }
        let Some(mut kind) = read_kind(&table) else { continue };
        let was_host = kind.build.role == Role::Host && attached.iter().any(|host| host == name.value);
        if was_host {
            kind = &node::machine::gateway::KIND;
        }
        let role = kind.build.role;
        let mut node = NodePlan {
            name: name.value.to_owned(),
            span: name.span.clone(),
            role,
            was_host,
            vlans: read_vlans(role, &table),
            addressed: Vec::new(),
            written: Vec::new(),
            dynamic: Vec::new(),
            macs: Vec::new(),
            translates_at: None,
            gateways: Vec::new(),
            destinations: Vec::new(),
            wants_routes: is_machine(role) && !table.has("gateway") && !table.has("routes"),
            ipv6: if is_machine(role) { read_ipv6(&table).unwrap_or(ipv6) } else { Ipv6Wish::None },
            routed_by: Vec::new(),
            detects_conflicts: read_detection(&table),
            has_stable_identifiers: table
                .item("interface_id")
                .is_some_and(|item| item.value.as_str() == Some("stable")),
            advertises: read_advertises(&table),
            routes: Vec::new(),
            reach: Vec::new(),
            written_routes: Vec::new(),
            interfaces: Vec::new(),
        };
        if role != Role::Bridge {
            read_addresses(&table, &mut node);
        }
        if is_machine(role) {
            read_macs(&table, &mut node);
            read_gateways(&table, &mut node);
            read_translator(&table, &mut node);
        }
        layout.nodes.push(node);
        makings.push((kind, table));
    }
    (layout, makings)
}

/// What a switch that knows VLANs says of its ports: who hears whom depends on it.
fn read_vlans(role: Role, table: &Table<'_>) -> Option<BTreeMap<String, Membership>> {
    let ports = (role == Role::Bridge && table.has("vlans")).then(|| switch::settings::read_vlans(table))?;
    Some(ports.into_iter().map(|(port, vlans)| (port.value, vlans)).collect())
}

/// Reads a node's kind, and checks its keys.
fn read_kind(table: &Table<'_>) -> Option<&'static NodeKind> {
    let word = match table.has("kind") {
        true => table.get::<Located<String>>("kind")?,
        false => Located { value: "host".into(), span: table.span.clone() },
    };
    let Some(kind) = node::KINDS.iter().find(|kind| kind.name == word.value) else {
        let title = format!("no kind of node is called `{}`", word.value);
        let known = node::KINDS.iter().map(|kind| kind.name);
        table.reader.report(Diagnostic::new(word.span, title).not_among(&word.value, known));
        return None;
    };
    let common = common_fields(kind.build.role);
    table.check(&[std::slice::from_ref(&KIND_FIELD), common, kind.fields], &[]);
    Some(kind)
}

/// What can be said of a node of this role beside the fields of its kind.
pub(crate) fn common_fields(role: Role) -> &'static [Field] {
    match role {
        Role::Bridge => &[],
        Role::Outside => OUTSIDE_FIELDS,
        Role::Gateway | Role::Host | Role::Router => std::slice::from_ref(&MAC_FIELD),
    }
}

/// Makes all nodes, once their ports, addresses and routes are known. `None`: a mistake has been reported.
pub(super) fn build(
    makings: &[Making<'_>],
    layout: &mut Layout,
    hosts: &Arc<Hosts>,
    seed: u64,
) -> Option<Vec<Box<dyn Node>>> {
    let links: Vec<Arc<str>> = layout.links.iter().map(|link| link.name.as_str().into()).collect();
    let mut made = Vec::new();
    for ((kind, table), node) in makings.iter().zip(&mut layout.nodes) {
        let ports = node.interfaces.iter().map(|interface| PortSpec {
            name: interface.name.clone(),
            mac: EthernetAddress(interface.mac),
            addresses: interface.addresses.clone(),
            vlan: interface.vlan,
            link: interface
                .link
                .or_else(|| node.interfaces.get(interface.vlan?.parent)?.link)
                .map(|link| Arc::clone(&links[link])),
            is_dynamic: interface.is_dynamic,
        });
        let ports: Vec<PortSpec> = ports.collect();
        if node.role == Role::Gateway && ports.len() > 1 {
            let title = format!("a gateway has one link; `{}` has {}", node.name, ports.len());
            let diagnostic = Diagnostic::new(node.span.clone(), title);
            table.reader.report(diagnostic.label("several gateways can be attached at once, each with its own device"));
        }
        if is_machine(node.role) {
            node.written_routes = settings::read_routes(table, &ports);
        }
        let (routes, reach) = (node.routes.clone(), node.reach.clone());
        let (name, hosts, ipv6) = (node.name.clone(), Arc::clone(hosts), node.ipv6);
        let spec = NodeSpec { name, seed, ports, routes, reach, hosts, ipv6 };
        made.push((kind.build.build)(table, spec));
    }
    made.into_iter().collect()
}

/// Whether a machine checks its addresses before it uses them.
fn read_detection(table: &Table<'_>) -> bool {
    let arp = table.item("arp").filter(|arp| arp.value.as_table().is_some()).and_then(|arp| Table::read(&arp));
    let detects = arp.and_then(|arp| arp.item("detect_conflicts"));
    detects.is_some_and(|item| item.value.as_bool() == Some(true))
}

/// Whether a node, or a whole scenario, is to speak IPv6.
pub(super) fn read_ipv6(table: &Table<'_>) -> Option<Ipv6Wish> {
    let item = table.item("ipv6")?;
    if item.value.as_str().is_some() {
        return table.one_of("ipv6", settings::IPV6_WORDS).map(|_| Ipv6Wish::Autoconfigured);
    }
    let wish = bool::read(&item)?;
    Some(if wish { Ipv6Wish::Found } else { Ipv6Wish::None })
}

/// Where a node advertises, if it does; what is wrong there is reported when the node is made.
fn read_advertises(table: &Table<'_>) -> Option<Option<Vec<String>>> {
    let item = table.item("advertise").filter(|item| item.value.as_bool() != Some(false))?;
    let Some(on) = item.value.as_table().and_then(|advertise| advertise.get("on")) else { return Some(None) };
    let names = on.get_ref().as_array().map_or_else(
        || on.get_ref().as_str().into_iter().map(str::to_owned).collect(),
        |list| list.iter().filter_map(|name| name.get_ref().as_str().map(str::to_owned)).collect(),
    );
    Some(Some(names))
}

fn read_addresses(table: &Table<'_>, node: &mut NodePlan) {
    for (interface, place, item) in by_interface(table, "addr") {
        node.addressed.push((interface.clone(), place));
        let addresses: Vec<Located<Written>> = Read::read(&item).unwrap_or_default();
        for Located { value, span } in addresses {
            match value {
                Written::Address(address) => {
                    node.written.push(WrittenAddress { interface: interface.clone(), address, span });
                }
                Written::Dynamic if is_machine(node.role) => node.dynamic.push((interface.clone(), span)),
                Written::Dynamic => table.reader.report(
                    Diagnostic::new(span, format!("`{}` runs no DHCP client", node.name))
                        .label("only hosts and routers ask for their addresses"),
                ),
            }
        }
    }
}

fn read_macs(table: &Table<'_>, node: &mut NodePlan) {
    for (interface, place, item) in by_interface(table, "mac") {
        if let Some(Mac(mac)) = Read::read(&item) {
            node.macs.push((interface, mac.0, place));
        }
    }
}

/// A value for the node's only interface, or a table of values by interface; where it says which interface is meant.
fn by_interface<'d>(table: &Table<'d>, key: &str) -> Vec<(Option<String>, Span, Item<'d>)> {
    let Some(item) = table.item(key) else { return Vec::new() };
    if item.value.as_table().is_none() {
        return vec![(None, item.span.clone(), item)];
    }
    let by_name = table.get::<Table<'d>>(key).map(|table| table.entries()).unwrap_or_default();
    by_name.into_iter().map(|(name, item)| (Some(name.value.to_owned()), name.span, item)).collect()
}

/// Reads `gateway`, and of `routes` what the rest of the network must know.
fn read_gateways(table: &Table<'_>, node: &mut NodePlan) {
    for gateway in table.get::<Vec<Located<IpAddr>>>("gateway").unwrap_or_default() {
        node.routes.push(RouteSpec::via(default_net(gateway.value), gateway.value));
        node.gateways.push(gateway);
    }
    let Some(rows) = table.item("routes") else { return };
    if rows.value.as_array().is_none() {
        rows.expected("a list of tables, such as [{ to = \"10.2.0.0/16\", via = \"10.0.1.1\" }]");
        return;
    }
    for row in Vec::<Table<'_>>::read(&rows).unwrap_or_default() {
        node.gateways.extend(row.get::<Located<IpAddr>>("via"));
        let to: Option<Located<String>> = row.get("to");
        node.destinations.extend(to.and_then(|to| to.value.parse::<IpNet>().ok()));
    }
}

/// Reads where a router translates addresses: nobody there has a way in. Whatever else is wrong is told by who makes it.
fn read_translator(table: &Table<'_>, node: &mut NodePlan) {
    let nat = table.item("nat").filter(|nat| node.role == Role::Router && nat.value.as_table().is_some());
    let outside = nat.and_then(|nat| Table::read(&nat)?.item("outside"));
    node.translates_at = outside.and_then(|outside| outside.value.as_str().map(str::to_owned));
}

/// What `addr` says of an interface.
enum Written {
    /// An address with its prefix length.
    Address(IpNet),
    /// A DHCP server is to be asked.
    Dynamic,
}

impl<'d> Read<'d> for Written {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("an address with a prefix length in quotes")?;
        if text == "dhcp" {
            return Some(Self::Dynamic);
        }
        if let Ok(net) = text.parse() {
            return Some(Self::Address(net));
        }
        let report = |span: Span, title: String, label: String| {
            item.reader.report(Diagnostic::new(span, title).label(label));
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            let usual = if address.is_ipv4() { 24 } else { 64 };
            let label = format!("such as \"{address}/{usual}\"");
            report(item.span.clone(), format!("{address} needs the length of its subnet's prefix"), label);
            return None;
        }
        match text.split_once('/') {
            Some((address, length)) if address.parse::<IpAddr>().is_ok() => {
                let most = if address.contains(':') { 128 } else { 32 };
                let place = item.part(address.len() + 1..text.len());
                report(place, format!("`{length}` is not a prefix length"), format!("from 0 to {most}"));
            }
            other => {
                let place = item.part(0..other.map_or(text.len(), |(address, _)| address.len()));
                report(place, format!("`{text}` is not an IP address"), "such as \"10.0.1.10/24\"".into());
            }
        }
        None
    }
}

/// A hardware address of one station.
struct Mac(EthernetAddress);

impl<'d> Read<'d> for Mac {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("a hardware address in quotes")?;
        let mac = settings::parse_mac(text).filter(|mac| mac.is_unicast() && mac.0 != [0; 6]);
        if mac.is_none() {
            let title = format!("`{text}` is not the hardware address of one station");
            item.reader.report(Diagnostic::new(item.span.clone(), title).label("such as \"02:00:00:00:00:01\""));
        }
        mac.map(Self)
    }
}
