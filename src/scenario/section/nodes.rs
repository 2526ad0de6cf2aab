//! `[nodes]`: what stands at the ends of links.

use std::net::IpAddr;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read, Span, Table};
use crate::scenario::kinds::{self, Making};
use crate::scenario::layout::{Layout, NodePlan, Role, Route, WrittenAddress};
use crate::scenario::routes::default_net;

/// What each node is made with.
pub(crate) type NodeMaking = Making;

/// The keys that name addresses and routes, for every node that has some.
pub(crate) static NODE_FIELDS: &[Field] = &[
    Field {
        name: "addr",
        form: Form::Any,
        need: Need::Optional,
        doc: "Its addresses with prefix lengths: `\"10.0.1.10/24\"`, a list, or a table by interface; found if left out.",
    },
    Field {
        name: "gateway",
        form: Form::Either(&[Form::Address, Form::List(&Form::Address)]),
        need: Need::Optional,
        doc: "The router for everything that is not on a link; one for each IP version. With it no route is found.",
    },
    Field {
        name: "routes",
        form: Form::List(&Form::Table(ROUTE_FIELDS)),
        need: Need::Optional,
        doc: "All its routes; shortest paths are found if left out, none if the list is empty.",
    },
    Field {
        name: "mac",
        form: Form::Any,
        need: Need::Optional,
        doc: "Its hardware address, or a table by interface; made from the first address if left out.",
    },
    Field {
        name: "neighbors",
        form: Form::Any,
        need: Need::Optional,
        doc: "Neighbors it knows without asking: `{ \"10.0.1.1\" = \"02:00:0a:00:01:01\" }`.",
    },
];

/// The keys of one route.
static ROUTE_FIELDS: &[Field] = &[
    Field { name: "to", form: Form::Address, need: Need::Required, doc: "Which destinations: `\"10.2.0.0/16\"`, `\"default\"`." },
    Field { name: "via", form: Form::Address, need: Need::Optional, doc: "The router to hand packets to." },
    Field {
        name: "kind",
        form: Form::OneOf(REFUSALS),
        need: Need::Optional,
        doc: "In place of `via`: what becomes of the packets, as `ip route` calls it.",
    },
    Field {
        name: "metric",
        form: Form::Integer { min: 0, max: u32::MAX as i64 },
        need: Need::Default("0"),
        doc: "Of routes to the same destinations, the least holds.",
    },
];

/// Routes that lead nowhere.
const REFUSALS: &[&str] = &["blackhole", "prohibit", "unreachable"];

/// Reads all nodes.
pub(super) fn read(entries: &[(Located<&str>, Table<'_>)]) -> (Layout, Vec<Making>) {
    let mut layout = Layout::default();
    let mut makings = Vec::new();
    for (name, table) in entries {
        let Some((role, making)) = kinds::read(table) else { continue };
        let mut node = NodePlan {
            name: name.value.to_owned(),
            span: name.span.clone(),
            role,
            addressed: Vec::new(),
            written: Vec::new(),
            macs: Vec::new(),
            routes: None,
            neighbors: Vec::new(),
            interfaces: Vec::new(),
        };
        if role != Role::Joint {
            read_addresses(table, &mut node);
            read_macs(table, &mut node);
            read_routes(table, &mut node);
            read_neighbors(table, &mut node);
        }
        layout.nodes.push(node);
        makings.push(making);
    }
    (layout, makings)
}

fn read_addresses(table: &Table<'_>, node: &mut NodePlan) {
    for (interface, item) in by_interface(table, "addr") {
        node.addressed.push((interface.clone(), item.span.clone()));
        let addresses: Vec<Located<Subnetted>> = Read::read(&item).unwrap_or_default();
        let written = addresses.into_iter().map(|located| WrittenAddress {
            interface: interface.clone(),
            address: located.value.0,
            span: located.span,
        });
        node.written.extend(written);
    }
}

fn read_macs(table: &Table<'_>, node: &mut NodePlan) {
    for (interface, item) in by_interface(table, "mac") {
        if let Some(Mac(mac)) = Read::read(&item) {
            node.macs.push((interface, mac.0, item.span));
        }
    }
}

fn read_neighbors(table: &Table<'_>, node: &mut NodePlan) {
    let Some(neighbors) = table.get::<Table<'_>>("neighbors") else { return };
    for (address, item) in neighbors.entries() {
        let Ok(parsed) = address.value.parse::<IpAddr>() else {
            let title = format!("`{}` is not an IP address", address.value);
            table.reader.report(Diagnostic::new(address.span, title).label("such as \"10.0.1.1\""));
            continue;
        };
        if let Some(Mac(mac)) = Read::read(&item) {
            node.neighbors.push((parsed, mac.0, address.span));
        }
    }
}

/// A value for the node's only interface, or a table of values by interface.
fn by_interface<'d>(table: &Table<'d>, key: &str) -> Vec<(Option<String>, Item<'d>)> {
    let Some(item) = table.item(key) else { return Vec::new() };
    if item.value.as_table().is_none() {
        return vec![(None, item)];
    }
    let by_name = table.get::<Table<'d>>(key).map(|table| table.entries()).unwrap_or_default();
    by_name.into_iter().map(|(name, item)| (Some(name.value.to_owned()), item)).collect()
}

fn read_routes(table: &Table<'_>, node: &mut NodePlan) {
    if !table.has("gateway") && !table.has("routes") {
        return;
    }
    let mut routes = Vec::new();
    for gateway in table.get::<Vec<Located<IpAddr>>>("gateway").unwrap_or_default() {
        let to = default_net(gateway.value);
        routes.push(Route { to, via: Some(gateway.value), kind: None, metric: 0, span: Some(gateway.span) });
    }
    routes.extend(table.get::<Vec<Table<'_>>>("routes").unwrap_or_default().iter().filter_map(read_route));
    node.routes = Some(routes);
}

fn read_route(table: &Table<'_>) -> Option<Route> {
    table.check(&[ROUTE_FIELDS], &[]);
    let via: Option<Located<IpAddr>> = table.get("via");
    let kind = if table.has("kind") { table.one_of("kind", REFUSALS) } else { None };
    let metric = table.get_or("metric", 0);
    match (table.has("via"), table.has("kind")) {
        (true, true) => {
            table.report("kind", "a route has a router or a kind, not both", "leave out `kind` or `via`");
            return None;
        }
        (false, false) => {
            table.reader.report(
                Diagnostic::new(table.span.clone(), "this route leads nowhere").label("`via = \"…\"` is missing"),
            );
            return None;
        }
        _ => {}
    }
    let to = read_destination(table, via.as_ref().map(|via| via.value))?;
    let span = via.as_ref().map_or_else(|| table.span.clone(), |via| via.span.clone());
    if let Some(via) = via.as_ref().filter(|via| via.value.is_ipv4() != to.addr().is_ipv4()) {
        let title = format!("{} and {to} are not of one IP version", via.value);
        table.reader.report(Diagnostic::new(via.span.clone(), title));
        return None;
    }
    Some(Route { to, via: via.map(|via| via.value), kind, metric, span: Some(span) })
}

fn read_destination(table: &Table<'_>, via: Option<IpAddr>) -> Option<IpNet> {
    let item = table.item("to")?;
    if item.value.as_str() == Some("default") {
        return Some(default_net(via.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))));
    }
    let Subnetted(net) = Read::read(&item)?;
    if net.addr() != net.network() {
        let title = format!("{net} is an address, not a range of destinations");
        let label = format!("\"{}\" or \"{}/{}\"", net.trunc(), net.addr(), net.max_prefix_len());
        table.reader.report(Diagnostic::new(item.span, title).label(label));
        return None;
    }
    Some(net)
}

/// An address with its prefix length.
struct Subnetted(IpNet);

impl<'d> Read<'d> for Subnetted {
    fn read(item: &Item<'d>) -> Option<Self> {
        let text = item.text("an address with a prefix length in quotes")?;
        if let Ok(net) = text.parse() {
            return Some(Self(net));
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
        let bytes: Option<Vec<u8>> = text
            .split([':', '-'])
            .map(|byte| u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2))
            .collect();
        let parsed = bytes.and_then(|bytes| <[u8; 6]>::try_from(bytes).ok()).map(EthernetAddress);
        let title = match parsed {
            Some(mac) if mac.is_unicast() && mac.0 != [0; 6] => return Some(Self(mac)),
            Some(_) => format!("`{text}` is not the address of one station"),
            None => format!("`{text}` is not a hardware address"),
        };
        item.reader.report(Diagnostic::new(item.span.clone(), title).label("such as \"02:00:00:00:00:01\""));
        None
    }
}
