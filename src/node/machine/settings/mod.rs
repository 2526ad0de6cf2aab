//! What a `[nodes.x]` table may say about a host or a router, and how it is read.
//!
//! `addr` and `gateway` are told here, for the reference and the check of keys, and read by who plans the addresses of
//! the whole network; everything else is read here.

mod fields;
mod ipv4;
mod resolver;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

pub use fields::{
    ADVERTISE_FIELDS, ARP_FIELDS, FIELDS, ICMP_LIMIT_FIELDS, IPV6_WORDS, ND_FIELDS, RESOLVER_FIELDS, ROUTE_FIELDS,
    ROUTER_FIELDS, TCP_FIELDS,
};

use self::fields::{CONGESTIONS, DEFENCES, INTERFACE_IDS, ROUTE_KINDS, ROUTER_PREFERENCES, TCP_PRESETS};
use super::spec::{
    AdvertiseSettings, ArpSettings, Defence, InterfaceSpec, Ipv6Settings, MachineSpec, NdSettings, NeighborSpec,
    RouteKind, RouteSpec, RouterPreference,
};
use super::{Machine, firewall, nat};
use crate::net::{Congestion, TcpSettings};
use crate::node::{Build, Ipv6Wish, Node, NodeKind, NodeSpec, PortSpec, Role};
use crate::read::{Diagnostic, Item, Located, Read, Table};
use crate::units::Size;

/// The row of hosts.
pub static HOST: NodeKind = NodeKind {
    name: "host",
    doc: "A machine with programs that does not forward what is for others.",
    example: "kind = \"host\"\naddr = { eth0 = \"10.0.1.10/24\" }\ngateway = \"10.0.1.1\"",
    fields: FIELDS,
    build: Build { role: Role::Host, build: |table, spec| build(table, spec, false) },
};

/// The row of routers.
pub static ROUTER: NodeKind = NodeKind {
    name: "router",
    doc: "A machine that forwards packets between its links.",
    example: "kind = \"router\"\naddr = { lan = \"10.0.1.1/24\", wan = \"10.0.2.1/24\" }",
    fields: ROUTER_FIELDS,
    build: Build { role: Role::Router, build: |table, spec| build(table, spec, true) },
};

/// The largest buffer that a TCP window can describe (RFC 7323 §2.3): 1 GiB.
const TCP_BUFFER_BYTES_MAX: u64 = 1 << 30;

fn build(table: &Table<'_>, spec: NodeSpec, forwards: bool) -> Option<Box<dyn Node>> {
    Some(Box::new(Machine::new(read(table, spec, forwards))))
}

/// What a machine is made from, by its table; what is wrong has been reported.
pub(in crate::node::machine) fn read(table: &Table<'_>, spec: NodeSpec, forwards: bool) -> MachineSpec {
    let mtu = mtu(table);
    let mut routes = read_routes(table, &spec.ports);
    routes.extend(spec.routes);
    let neighbors = neighbors(table, &spec.ports);
    let firewall = firewall::settings::read(table, &spec.ports);
    let nat = forwards.then(|| nat::settings::read(table, &spec.ports)).flatten();
    let made = |PortSpec { name, mac, addresses, vlan, link, is_dynamic }: PortSpec| InterfaceSpec {
        name,
        mac,
        addresses,
        mtu,
        vlan,
        link,
        is_dynamic,
    };
    let interfaces: Vec<InterfaceSpec> = spec.ports.into_iter().map(made).collect();
    let base = if forwards { MachineSpec::router } else { MachineSpec::host }(spec.name, spec.seed);
    let ttl = table.get_or("ttl", base.ttl);
    if ttl == 0 {
        table.report("ttl", "what is sent with a time to live of zero arrives nowhere", "from 1 to 255");
    }
    MachineSpec {
        routes,
        neighbors,
        arp: arp(table, &interfaces),
        ipv6: ipv6(table, spec.ipv6, forwards, &interfaces),
        interfaces,
        ttl,
        answers_broadcast_echo: table.get_or("answer_broadcast_ping", false),
        firewall,
        ipv4: ipv4::ipv4(table, &base.ipv4),
        nat,
        tcp: tcp(table),
        hosts: spec.hosts,
        resolver: resolver::read(table),
        ..base
    }
}

fn mtu(table: &Table<'_>) -> Option<usize> {
    let size: Located<Size> = table.get("mtu")?;
    let range = super::fragment::IPV4_MTU_MIN as u64..=super::header::PACKET_BYTES_MAX as u64;
    if !range.contains(&size.value.bytes()) {
        let title = format!("no IP packet is limited to {}", size.value);
        table.report("mtu", title, format!("from {}B to {}B", range.start(), range.end()));
        return None;
    }
    usize::try_from(size.value.bytes()).ok()
}

fn arp(table: &Table<'_>, interfaces: &[InterfaceSpec]) -> ArpSettings {
    let default = ArpSettings { proxies: proxies(table, interfaces), ..ArpSettings::default() };
    let Some(arp) = table.get::<Table<'_>>("arp") else { return default };
    arp.check(&[ARP_FIELDS], &[]);
    let retry_after = arp.get_or("retry", default.retry_after);
    if retry_after < Duration::from_millis(1) {
        arp.report("retry", "asking again without waiting would never end", "at least \"1ms\"");
    }
    let tries = arp.get_or("tries", default.tries);
    if tries == 0 {
        arp.report("tries", "a neighbor that is never asked is never found", "at least 1");
    }
    ArpSettings {
        reachable_for: arp.get_or("reachable", default.reachable_for),
        retry_after,
        tries,
        queue_packets: usize::from(arp.get_or::<u16>("queue", default.queue_packets as u16)),
        announces: arp.get_or("announce", default.announces),
        detects_conflicts: arp.get_or("detect_conflicts", default.detects_conflicts),
        defence: match arp.item("defend").and_then(|_| arp.one_of("defend", DEFENCES)) {
            Some("always") => Defence::Always,
            Some("never") => Defence::Never,
            _ => default.defence,
        },
        ..default
    }
}

/// On which interfaces others are answered for.
fn proxies(table: &Table<'_>, interfaces: &[InterfaceSpec]) -> Vec<usize> {
    let Some(item) = table.item("proxy_arp") else { return Vec::new() };
    if item.value.as_bool().is_some() {
        let everywhere = table.get_or("proxy_arp", false);
        return (0..interfaces.len()).filter(|_| everywhere).collect();
    }
    let names: Vec<Located<String>> = table.get_or("proxy_arp", Vec::new());
    let find = |name: Located<String>| {
        let found = interfaces.iter().position(|interface| interface.name == name.value);
        if found.is_none() {
            let title = format!("no interface is called `{}`", name.value);
            let known = interfaces.iter().map(|interface| interface.name.as_str());
            table.reader.report(Diagnostic::new(name.span, title).not_among(&name.value, known));
        }
        found
    };
    names.into_iter().filter_map(find).collect()
}

fn ipv6(table: &Table<'_>, wish: Ipv6Wish, forwards: bool, interfaces: &[InterfaceSpec]) -> Ipv6Settings {
    let autoconfigures = wish == Ipv6Wish::Autoconfigured;
    if autoconfigures && forwards {
        // RFC 4862 §1: "The autoconfiguration process specified in this document applies only to hosts and not routers."
        table.report("ipv6", "a router does not make its own addresses", "`true`, or addresses in `addr`");
    }
    let privacy = table.get_or("privacy", false);
    if privacy && !autoconfigures {
        table.report("privacy", "temporary addresses are made from what routers advertise", "needs `ipv6 = \"slaac\"`");
    }
    let has_stable_identifiers =
        table.item("interface_id").and_then(|_| table.one_of("interface_id", INTERFACE_IDS)) == Some("stable");
    if has_stable_identifiers && wish == Ipv6Wish::None {
        table.report(
            "interface_id",
            "without IPv6 there are no such addresses",
            "`ipv6 = true` or `\"slaac\"` is missing",
        );
    }
    let advertise = advertise(table, interfaces);
    if advertise.is_some() && !forwards {
        table.report("advertise", "a host is no router, and advertises nothing", "`kind = \"router\"` is missing");
    }
    Ipv6Settings {
        is_enabled: wish != Ipv6Wish::None,
        autoconfigures,
        has_stable_identifiers,
        privacy,
        nd: nd(table),
        advertise,
    }
}

fn advertise(table: &Table<'_>, interfaces: &[InterfaceSpec]) -> Option<AdvertiseSettings> {
    let default = AdvertiseSettings::default();
    let item = table.item("advertise")?;
    if item.value.as_bool().is_some() {
        return table.get_or("advertise", false).then_some(default);
    }
    let advertise = Table::read(&item)?;
    advertise.check(&[ADVERTISE_FIELDS], &[]);
    let interval_max = advertise.get_or("interval", default.interval_max);
    // RFC 4861 §6.2.1: MaxRtrAdvInterval "MUST be no less than 4 seconds and no greater than 1800 seconds."
    if !(Duration::from_secs(4)..=Duration::from_secs(1800)).contains(&interval_max) {
        advertise.report(
            "interval",
            "routers advertise neither that often nor that seldom",
            "from \"4s\" to \"1800s\"",
        );
    }
    let interval_min = advertise.get::<Duration>("interval_min");
    // MinRtrAdvInterval "MUST be no less than 3 seconds and no greater than .75 * MaxRtrAdvInterval."
    if interval_min.is_some_and(|least| !(Duration::from_secs(3)..=interval_max * 3 / 4).contains(&least)) {
        let title = "the shortest time between advertisements does not suit the longest";
        advertise.report("interval_min", title, "from \"3s\" to three quarters of `interval`");
    }
    let reachable_for = advertise.get_or("reachable", default.reachable_for);
    // AdvReachableTime "MUST be no greater than 3,600,000 milliseconds (1 hour)."
    if reachable_for > Duration::from_secs(3600) {
        advertise.report("reachable", "nobody trusts an answer for that long", "at most \"1h\"");
    }
    let preference = match advertise.item("preference").and_then(|_| advertise.one_of("preference", ROUTER_PREFERENCES))
    {
        Some("low") => RouterPreference::Low,
        Some("high") => RouterPreference::High,
        _ => default.preference,
    };
    let lifetime = advertise.get_or("lifetime", default.lifetime);
    // AdvDefaultLifetime "MUST be either zero or between MaxRtrAdvInterval and 9000 seconds."
    if !lifetime.is_zero() && !(interval_max..=Duration::from_secs(9000)).contains(&lifetime) {
        let title = "a router's lifetime is to outlive the interval of its advertisements";
        advertise.report("lifetime", title, "\"0s\", or from `interval` to \"9000s\"");
    }
    let (preferred, valid) =
        (advertise.get_or("preferred", default.preferred), advertise.get_or("valid", default.valid));
    if preferred > valid {
        // RFC 4861 §6.2.1: AdvPreferredLifetime "MUST NOT be larger than AdvValidLifetime."
        advertise.report("preferred", "an address cannot be preferred for longer than it is valid", "at most `valid`");
    }
    let mtu = advertise.get::<Size>("mtu");
    if mtu.is_some_and(|mtu| !(1280..=65_535).contains(&mtu.bytes())) {
        advertise.report("mtu", "no IPv6 link has that MTU", "from \"1280B\" to \"65535B\"");
    }
    let on: Option<Vec<Located<String>>> = advertise.get("on");
    let on = on.map(|names| {
        let found = names.iter().filter_map(|name| {
            let found = interfaces.iter().position(|interface| interface.name == name.value);
            if found.is_none() {
                let title = format!("no interface is called `{}`", name.value);
                let known = interfaces.iter().map(|interface| interface.name.as_str());
                table.reader.report(Diagnostic::new(name.span.clone(), title).not_among(&name.value, known));
            }
            found
        });
        found.collect()
    });
    Some(AdvertiseSettings {
        interfaces: on,
        interval_max,
        interval_min,
        lifetime,
        preference,
        is_managed: advertise.get_or("managed", default.is_managed),
        has_other: advertise.get_or("other", default.has_other),
        reachable_for,
        retry_after: advertise.get_or("retry", default.retry_after),
        preferred,
        valid,
        is_autonomous: advertise.get_or("autonomous", default.is_autonomous),
        is_on_link: advertise.get_or("on_link", default.is_on_link),
        mtu: mtu.and_then(|mtu| u32::try_from(mtu.bytes()).ok()),
        hop_limit: advertise.get_or("hop_limit", default.hop_limit),
    })
}

fn nd(table: &Table<'_>) -> NdSettings {
    let default = NdSettings::default();
    let Some(nd) = table.get::<Table<'_>>("nd") else { return default };
    nd.check(&[ND_FIELDS], &[]);
    let retry_after = nd.get_or("retry", default.retry_after);
    if retry_after < Duration::from_millis(1) {
        nd.report("retry", "asking again without waiting would never end", "at least \"1ms\"");
    }
    let tries = nd.get_or("tries", default.tries);
    if tries == 0 {
        nd.report("tries", "a neighbor that is never asked is never found", "at least 1");
    }
    NdSettings {
        reachable_for: nd.get_or("reachable", default.reachable_for),
        retry_after,
        probe_after: nd.get_or("probe", default.probe_after),
        tries,
        queue_packets: usize::from(nd.get_or::<u16>("queue", default.queue_packets as u16)),
        dad_transmits: nd.get_or("dad", default.dad_transmits),
    }
}

fn tcp(table: &Table<'_>) -> TcpSettings {
    let default = TcpSettings::default();
    let Some(item) = table.item("tcp") else { return default };
    if item.value.as_str().is_some() {
        let _ = table.one_of("tcp", TCP_PRESETS);
        return default;
    }
    let Some(tcp) = Table::read(&item) else { return default };
    tcp.check(&[TCP_FIELDS], &[]);
    let congestion = match tcp.item("congestion").and_then(|_| tcp.one_of("congestion", CONGESTIONS)) {
        Some("none") => Congestion::None,
        Some("reno") => Congestion::Reno,
        _ => default.congestion,
    };
    let ack_delay = tcp.get::<Duration>("ack_delay").or(default.ack_delay).filter(|delay| !delay.is_zero());
    TcpSettings {
        give_up_after: tcp.get_or("give_up", default.give_up_after),
        connect_timeout: tcp.get_or("connect_timeout", default.connect_timeout),
        congestion,
        ack_delay,
        keep_alive: tcp.get("keep_alive"),
        keep_alive_probes: tcp.get_or("keep_alive_probes", default.keep_alive_probes),
        nagle: tcp.get_or("nagle", default.nagle),
        receive_buffer: buffer(&tcp, "receive_buffer").unwrap_or(default.receive_buffer),
        send_buffer: buffer(&tcp, "send_buffer").unwrap_or(default.send_buffer),
        syn_ack_retries: tcp.get_or("syn_ack_retries", default.syn_ack_retries),
        ..default
    }
}

fn buffer(tcp: &Table<'_>, key: &str) -> Option<usize> {
    let size: Size = tcp.get(key)?;
    if !(1..=TCP_BUFFER_BYTES_MAX).contains(&size.bytes()) {
        tcp.report(key, format!("a TCP buffer cannot hold {size}"), "from \"1B\" to \"1GiB\"");
        return None;
    }
    usize::try_from(size.bytes()).ok()
}

/// Reads `routes`; `ports` are the machine's, in the order of their ids. Mistakes are reported.
#[must_use]
pub fn read_routes(table: &Table<'_>, ports: &[PortSpec]) -> Vec<RouteSpec> {
    let rows: Vec<Table<'_>> = table.get_or("routes", Vec::new());
    rows.iter().filter_map(|row| read_route(row, ports)).collect()
}

fn read_route(row: &Table<'_>, ports: &[PortSpec]) -> Option<RouteSpec> {
    row.check(&[ROUTE_FIELDS], &[]);
    let via: Option<IpAddr> = row.get("via");
    let to: Located<String> = row.get("to")?;
    let prefix = match to.value.as_str() {
        "default" if via.is_some_and(|via| via.is_ipv6()) => {
            Some(IpNet::new_assert(std::net::Ipv6Addr::UNSPECIFIED.into(), 0))
        }
        "default" => Some(IpNet::new_assert(std::net::Ipv4Addr::UNSPECIFIED.into(), 0)),
        text => text.parse().ok(),
    };
    let Some(prefix) = prefix else {
        row.report(
            "to",
            format!("`{}` is not a range of addresses", to.value),
            "such as \"10.9.0.0/16\" or \"default\"",
        );
        return None;
    };
    let kind = match row.item("kind").and_then(|_| row.one_of("kind", ROUTE_KINDS)) {
        Some("blackhole") => RouteKind::Blackhole,
        Some("prohibit") => RouteKind::Prohibit,
        Some("unreachable") => RouteKind::Unreachable,
        _ => RouteKind::Unicast,
    };
    let device: Option<Located<String>> = row.get("dev");
    let interface = match device {
        None => None,
        Some(device) => {
            let found = ports.iter().position(|port| port.name == device.value);
            if found.is_none() {
                let known = ports.iter().map(|port| port.name.as_str());
                let title = format!("no interface is called `{}`", device.value);
                row.reader.report(Diagnostic::new(device.span, title).not_among(&device.value, known));
                return None;
            }
            found
        }
    };
    if kind == RouteKind::Unicast && via.is_none() && interface.is_none() {
        row.report("to", "this route leads nowhere", "`via` (a router) or `dev` (an interface) is missing");
        return None;
    }
    if via.is_some_and(|via| via.is_ipv6() != prefix.addr().is_ipv6()) {
        row.report("via", "a route does not lead from one family of addresses to the other", "as in `to`");
        return None;
    }
    if let Some(via) = via.filter(|_| interface.is_none())
        && !ports.iter().any(|port| port.addresses.iter().any(|own| own.contains(&via)))
    {
        row.report(
            "via",
            format!("{via} is on no link of this machine"),
            "a router on one of its subnets belongs here",
        );
        return None;
    }
    Some(RouteSpec { prefix, via, interface, metric: row.get_or("metric", 0), kind })
}

fn neighbors(table: &Table<'_>, ports: &[PortSpec]) -> Vec<NeighborSpec> {
    let Some(rows) = table.get::<Table<'_>>("neighbors") else { return Vec::new() };
    let read = |(key, item): (Located<&str>, Item<'_>)| {
        let Ok(address) = key.value.parse::<IpAddr>() else {
            let title = format!("`{}` is not an IP address", key.value);
            table.reader.report(Diagnostic::new(key.span, title).label("such as \"10.0.0.2\""));
            return None;
        };
        let text = item.text("a hardware address in quotes")?;
        let Some(mac) = parse_mac(text).filter(EthernetAddress::is_unicast) else {
            let title = format!("`{text}` is not the hardware address of one station");
            table.reader.report(Diagnostic::new(item.span, title).label("such as \"02:00:00:00:00:02\""));
            return None;
        };
        let is_there = |port: &PortSpec| port.addresses.iter().any(|own| own.contains(&address));
        let Some(interface) = ports.iter().position(is_there) else {
            let title = format!("{address} is on no link of this machine");
            table
                .reader
                .report(Diagnostic::new(key.span, title).label("an address of one of its subnets belongs here"));
            return None;
        };
        Some(NeighborSpec { interface, address, mac })
    };
    rows.entries().into_iter().filter_map(read).collect()
}

/// Reads `02:00:00:00:00:01`.
#[must_use]
pub fn parse_mac(text: &str) -> Option<EthernetAddress> {
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part =
            parts.next().filter(|part| (1..=2).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(EthernetAddress(bytes))
}
