//! What a `[nodes.x]` table may say about a host or a router, and how it is read.
//!
//! `addr` and `gateway` are told here, for the reference and the check of keys, and read by who plans the addresses of
//! the whole network; everything else is read here.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use super::Machine;
use super::spec::{ArpSettings, InterfaceSpec, MachineSpec, NeighborSpec, RouteKind, RouteSpec};
use crate::net::{Congestion, TcpSettings};
use crate::node::{Build, Node, NodeKind, NodeSpec, PortSpec, Role};
use crate::read::{Diagnostic, Field, Form, Item, Located, Need, Read, Table};
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
    fields: FIELDS,
    build: Build { role: Role::Router, build: |table, spec| build(table, spec, true) },
};

/// What may be said of a host or a router.
pub static FIELDS: &[Field] = &[
    Field {
        name: "addr",
        form: Form::Any,
        need: Need::Optional,
        doc: "Addresses with their prefix lengths: one, a list, or a table from interface names to either; found if left out.",
    },
    Field {
        name: "gateway",
        form: Form::Address,
        need: Need::Optional,
        doc: "The router for everything that no other route leads to; found if left out.",
    },
    Field {
        name: "routes",
        form: Form::List(&Form::Table(ROUTE_FIELDS)),
        need: Need::Optional,
        doc: "Further routes; routes that the rest of the network needs are found if `routes` and `gateway` are left out.",
    },
    Field {
        name: "neighbors",
        form: Form::Any,
        need: Need::Optional,
        doc: "A table from addresses to hardware addresses that are known without asking: `{ \"10.0.0.2\" = \"02:00:00:00:00:02\" }`.",
    },
    Field {
        name: "mtu",
        form: Form::Size,
        need: Need::Optional,
        doc: "The largest IP packet that the machine sends on any link, in place of what the link allows: for showing MTU mismatches.",
    },
    Field {
        name: "ttl",
        form: Form::Integer { min: 1, max: 255 },
        need: Need::Default("64"),
        doc: "The time to live of what the machine itself sends.",
    },
    Field {
        name: "answer_broadcast_ping",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether echo requests to a broadcast address are answered.",
    },
    Field {
        name: "arp",
        form: Form::Table(ARP_FIELDS),
        need: Need::Optional,
        doc: "How neighbors are found and forgotten.",
    },
    Field {
        name: "tcp",
        form: Form::Either(&[Form::OneOf(TCP_PRESETS), Form::Table(TCP_FIELDS)]),
        need: Need::Default("\"stock\""),
        doc: "How TCP behaves: a named set of habits, or a table of single ones.",
    },
];

/// What may be said of a route.
pub static ROUTE_FIELDS: &[Field] = &[
    Field {
        name: "to",
        form: Form::Text,
        need: Need::Required,
        doc: "Which destinations: `10.9.0.0/16`, or `default`.",
    },
    Field { name: "via", form: Form::Address, need: Need::Optional, doc: "The router to hand packets to." },
    Field {
        name: "dev",
        form: Form::Text,
        need: Need::Optional,
        doc: "The interface; without `via`, the destinations are on its link.",
    },
    Field {
        name: "metric",
        form: Form::Integer { min: 0, max: u32::MAX as i64 },
        need: Need::Default("0"),
        doc: "Of routes to the same destinations the least metric wins.",
    },
    Field {
        name: "kind",
        form: Form::OneOf(ROUTE_KINDS),
        need: Need::Default("\"unicast\""),
        doc: "What becomes of packets: they go on, vanish, or are refused as unreachable or prohibited.",
    },
];

/// What may be said of finding neighbors.
pub static ARP_FIELDS: &[Field] = &[
    Field {
        name: "reachable",
        form: Form::Duration,
        need: Need::Default("\"60s\""),
        doc: "How long an answer is trusted; `\"0s\"`: for ever.",
    },
    Field {
        name: "retry",
        form: Form::Duration,
        need: Need::Default("\"1s\""),
        doc: "How long an answer is waited for before asking again.",
    },
    Field {
        name: "tries",
        form: Form::Integer { min: 1, max: 255 },
        need: Need::Default("3"),
        doc: "How often to ask before giving up.",
    },
    Field {
        name: "queue",
        form: Form::Integer { min: 1, max: 65_535 },
        need: Need::Default("101"),
        doc: "How many packets may wait for one neighbor.",
    },
];

/// What may be said of TCP.
pub static TCP_FIELDS: &[Field] = &[
    Field {
        name: "congestion",
        form: Form::OneOf(CONGESTIONS),
        need: Need::Default("\"cubic\""),
        doc: "The congestion control algorithm.",
    },
    Field {
        name: "nagle",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether small segments wait for an acknowledgment.",
    },
    Field {
        name: "ack_delay",
        form: Form::Duration,
        need: Need::Default("\"10ms\""),
        doc: "How long an acknowledgment may wait for company; `\"0s\"`: not at all.",
    },
    Field {
        name: "connect_timeout",
        form: Form::Duration,
        need: Need::Default("\"127s\""),
        doc: "How long a SYN is sent again before a connect fails.",
    },
    Field {
        name: "give_up",
        form: Form::Duration,
        need: Need::Default("\"924.6s\""),
        doc: "How long unacknowledged data is sent again before the connection is given up.",
    },
    Field {
        name: "keep_alive",
        form: Form::Duration,
        need: Need::Optional,
        doc: "After how much silence an idle connection is probed.",
    },
    Field {
        name: "keep_alive_probes",
        form: Form::Integer { min: 1, max: 1000 },
        need: Need::Default("9"),
        doc: "How many probes may go unanswered.",
    },
    Field {
        name: "syn_ack_retries",
        form: Form::Integer { min: 0, max: 255 },
        need: Need::Default("5"),
        doc: "How often a SYN|ACK is sent again.",
    },
    Field {
        name: "receive_buffer",
        form: Form::Size,
        need: Need::Default("\"64KiB\""),
        doc: "How much may wait to be read: the largest window.",
    },
    Field {
        name: "send_buffer",
        form: Form::Size,
        need: Need::Default("\"64KiB\""),
        doc: "How much may be written before it is acknowledged.",
    },
];

const ROUTE_KINDS: &[&str] = &["blackhole", "prohibit", "unicast", "unreachable"];
const CONGESTIONS: &[&str] = &["cubic", "none", "reno"];
const TCP_PRESETS: &[&str] = &["stock"];

/// The largest buffer that a TCP window can describe (RFC 7323 §2.3): 1 GiB.
const TCP_BUFFER_BYTES_MAX: u64 = 1 << 30;

fn build(table: &Table<'_>, spec: NodeSpec, forwards: bool) -> Option<Box<dyn Node>> {
    let mtu = mtu(table);
    let mut routes = read_routes(table, &spec.ports);
    routes.extend(spec.routes);
    let neighbors = neighbors(table, &spec.ports);
    let interfaces =
        spec.ports.into_iter().map(|PortSpec { name, mac, addresses }| InterfaceSpec { name, mac, addresses, mtu });
    let base = MachineSpec::host(spec.name, spec.seed);
    let ttl = table.get_or("ttl", base.ttl);
    if ttl == 0 {
        table.report("ttl", "what is sent with a time to live of zero arrives nowhere", "from 1 to 255");
    }
    Some(Box::new(Machine::new(MachineSpec {
        forwards,
        interfaces: interfaces.collect(),
        routes,
        neighbors,
        arp: arp(table),
        ttl,
        answers_broadcast_echo: table.get_or("answer_broadcast_ping", false),
        tcp: tcp(table),
        hosts: spec.hosts,
        ..base
    })))
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

fn arp(table: &Table<'_>) -> ArpSettings {
    let default = ArpSettings::default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::KINDS;
    use crate::read::{Reader, Scope, Source};
    use std::sync::Arc;

    /// What a table makes of the node kind `name`, and the mistakes in it.
    fn read(name: &str, text: &str) -> (Option<Box<dyn Node>>, String) {
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{errors:?}");
        let reader = Reader::new(text, Scope::default());
        let table = Table::new(table.get_ref(), 0..text.len(), String::new(), &reader);
        let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
        table.check(&[kind.fields], &["kind"]);
        let port = |name: &str, number, address: &str| PortSpec {
            name: name.into(),
            mac: EthernetAddress([2, 0, 0, 0, 0, number]),
            addresses: vec![address.parse().unwrap()],
        };
        let spec = NodeSpec {
            name: "x".into(),
            seed: 1,
            ports: vec![port("lan", 1, "10.0.1.1/24"), port("wan", 2, "10.0.2.1/24")],
            routes: vec![RouteSpec::via("0.0.0.0/0".parse().unwrap(), "10.0.2.254".parse().unwrap())],
            hosts: Arc::default(),
        };
        let node = (kind.build.build)(&table, spec);
        let source = Source { name: "x.toml".into(), text: text.into() };
        let problems = reader.into_problems();
        (node, problems.iter().map(|problem| problem.render(&source, false) + "\n").collect())
    }

    fn spec(text: &str) -> MachineSpec {
        let (node, problems) = read("router", text);
        assert_eq!(problems, "");
        node.unwrap().as_any().downcast_mut::<Machine>().unwrap().spec().clone()
    }

    #[test]
    fn every_example_is_read_without_a_mistake() {
        for kind in KINDS {
            let (node, problems) = read(kind.name, kind.example);
            assert_eq!(problems, "", "{}", kind.name);
            assert_eq!(node.unwrap().kind(), kind.name);
            assert!(kind.doc.ends_with('.') && kind.fields.iter().all(|field| field.doc.ends_with('.')));
        }
        let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn what_is_left_out_is_as_the_fields_say() {
        let spec = spec("");
        assert_eq!((spec.ttl, spec.answers_broadcast_echo), (64, false));
        assert_eq!(spec.arp, ArpSettings::default());
        assert_eq!(spec.tcp, TcpSettings::default());
        assert_eq!(spec.routes.len(), 1);
        // What the fields call default, written out, is the same.
        let defaults = |fields: &[Field]| -> String {
            let written = fields.iter().filter_map(|field| match field.need {
                Need::Default(value) => Some(format!("{} = {value}", field.name)),
                _ => None,
            });
            written.collect::<Vec<_>>().join(", ")
        };
        let written = format!("arp = {{ {} }}\ntcp = {{ {} }}\n", defaults(ARP_FIELDS), defaults(TCP_FIELDS));
        let written = self::spec(&written);
        assert_eq!(written.arp, ArpSettings::default());
        assert_eq!(written.tcp, TcpSettings::default());
    }

    #[test]
    fn everything_that_may_be_said_is_heard() {
        let spec = spec(
            r#"
            ttl = 9
            mtu = "1400B"
            answer_broadcast_ping = true
            neighbors = { "10.0.2.9" = "02:00:00:00:00:99" }
            arp = { reachable = "5s", retry = "200ms", tries = 7, queue = 3 }
            tcp = { congestion = "reno", nagle = false, ack_delay = "0s", keep_alive = "7200s", send_buffer = "4KiB" }
            routes = [
              { to = "10.9.0.0/16", via = "10.0.1.9", metric = 5 },
              { to = "10.8.0.0/16", dev = "wan" },
              { to = "default", kind = "blackhole" },
            ]
            "#,
        );
        assert_eq!((spec.ttl, spec.answers_broadcast_echo), (9, true));
        assert!(spec.interfaces.iter().all(|interface| interface.mtu == Some(1400)));
        let neighbor = NeighborSpec {
            interface: 1,
            address: "10.0.2.9".parse().unwrap(),
            mac: EthernetAddress([2, 0, 0, 0, 0, 0x99]),
        };
        assert_eq!(spec.neighbors, [neighbor]);
        let arp = ArpSettings {
            reachable_for: Duration::from_secs(5),
            retry_after: Duration::from_millis(200),
            tries: 7,
            queue_packets: 3,
        };
        assert_eq!(spec.arp, arp);
        assert_eq!((spec.tcp.congestion, spec.tcp.nagle, spec.tcp.ack_delay), (Congestion::Reno, false, None));
        assert_eq!((spec.tcp.keep_alive, spec.tcp.send_buffer), (Some(Duration::from_secs(7200)), 4096));
        let routes: Vec<_> = spec.routes.iter().map(|r| (r.prefix.to_string(), r.via, r.interface, r.metric)).collect();
        let via = |text: &str| Some(text.parse().unwrap());
        // Written routes come before those that were found, so that of equals they win.
        let expected = [
            ("10.9.0.0/16".into(), via("10.0.1.9"), None, 5),
            ("10.8.0.0/16".into(), None, Some(1), 0),
            ("0.0.0.0/0".into(), None, None, 0),
            ("0.0.0.0/0".into(), via("10.0.2.254"), None, 0),
        ];
        assert_eq!(routes, expected);
    }

    #[test]
    fn every_mistake_is_reported_where_it_stands() {
        let (_, problems) = read(
            "host",
            r#"ttl = 0
mtu = "20B"
gatway = "10.0.1.9"
arp = { retry = "0s", tries = 0, qeue = 1 }
tcp = { congestion = "bbr", send_buffer = "2GB" }
routes = [
  { to = "10.9.0.0", via = "10.0.1.9" },
  { to = "default" },
  { to = "default", dev = "wlan" },
  { to = "default", via = "2001:db8::1", kind = "unicats" },
  { to = "10.1.0.0/16", via = "2001:db8::1" },
  { to = "10.1.0.0/16", via = "10.0.3.1" },
]
neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
"#,
        );
        insta::assert_snapshot!(problems, @r"
        error: what is sent with a time to live of zero arrives nowhere
         --> x.toml:1:7
          |
        1 | ttl = 0
          |       ^ from 1 to 255
        error: no IP packet is limited to 20B
         --> x.toml:2:7
          |
        2 | mtu = "20B"
          |       ^^^^^ from 68B to 65535B
        error: unknown key `gatway`
         --> x.toml:3:1
          |
        3 | gatway = "10.0.1.9"
          | ^^^^^^ did you mean `gateway`?
          |
          = known: addr, answer_broadcast_ping, arp, gateway, kind, mtu, neighbors, routes, tcp, ttl
        error: asking again without waiting would never end
         --> x.toml:4:17
          |
        4 | arp = { retry = "0s", tries = 0, qeue = 1 }
          |                 ^^^^ at least "1ms"
        error: a neighbor that is never asked is never found
         --> x.toml:4:31
          |
        4 | arp = { retry = "0s", tries = 0, qeue = 1 }
          |                               ^ at least 1
        error: unknown key `qeue` in `arp`
         --> x.toml:4:34
          |
        4 | arp = { retry = "0s", tries = 0, qeue = 1 }
          |                                  ^^^^ did you mean `queue`?
          |
          = known: queue, reachable, retry, tries
        error: `congestion` cannot be `bbr`
         --> x.toml:5:22
          |
        5 | tcp = { congestion = "bbr", send_buffer = "2GB" }
          |                      ^^^^^
          |
          = known: cubic, none, reno
        error: a TCP buffer cannot hold 1953125KiB
         --> x.toml:5:43
          |
        5 | tcp = { congestion = "bbr", send_buffer = "2GB" }
          |                                           ^^^^^ from "1B" to "1GiB"
        error: `10.9.0.0` is not a range of addresses
         --> x.toml:7:10
          |
        7 |   { to = "10.9.0.0", via = "10.0.1.9" },
          |          ^^^^^^^^^^ such as "10.9.0.0/16" or "default"
        error: this route leads nowhere
         --> x.toml:8:10
          |
        8 |   { to = "default" },
          |          ^^^^^^^^^ `via` (a router) or `dev` (an interface) is missing
        error: no interface is called `wlan`
         --> x.toml:9:27
          |
        9 |   { to = "default", dev = "wlan" },
          |                           ^^^^^^ did you mean `lan`?
          |
          = known: lan, wan
        error: 2001:db8::1 is on no link of this machine
          --> x.toml:10:27
           |
        10 |   { to = "default", via = "2001:db8::1", kind = "unicats" },
           |                           ^^^^^^^^^^^^^ a router on one of its subnets belongs here
        error: `kind` cannot be `unicats`
          --> x.toml:10:49
           |
        10 |   { to = "default", via = "2001:db8::1", kind = "unicats" },
           |                                                 ^^^^^^^^^ did you mean `unicast`?
           |
           = known: blackhole, prohibit, unicast, unreachable
        error: a route does not lead from one family of addresses to the other
          --> x.toml:11:31
           |
        11 |   { to = "10.1.0.0/16", via = "2001:db8::1" },
           |                               ^^^^^^^^^^^^^ as in `to`
        error: 10.0.3.1 is on no link of this machine
          --> x.toml:12:31
           |
        12 |   { to = "10.1.0.0/16", via = "10.0.3.1" },
           |                               ^^^^^^^^^^ a router on one of its subnets belongs here
        error: 10.0.3.9 is on no link of this machine
          --> x.toml:14:15
           |
        14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
           |               ^^^^^^^^^^ an address of one of its subnets belongs here
        error: `03:00:00:00:00:99` is not the hardware address of one station
          --> x.toml:14:62
           |
        14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
           |                                                              ^^^^^^^^^^^^^^^^^^^ such as "02:00:00:00:00:02"
        error: `nobody` is not an IP address
          --> x.toml:14:83
           |
        14 | neighbors = { "10.0.3.9" = "02:00:00:00:00:99", "10.0.1.9" = "03:00:00:00:00:99", "nobody" = "x" }
           |                                                                                   ^^^^^^^^ such as "10.0.0.2"
        ");
    }

    #[test]
    fn hardware_addresses_are_read_in_both_spellings_and_nothing_else() {
        assert_eq!(parse_mac("02:00:00:00:00:ff"), Some(EthernetAddress([2, 0, 0, 0, 0, 255])));
        assert_eq!(parse_mac("2-0-0-0-0-1"), Some(EthernetAddress([2, 0, 0, 0, 0, 1])));
        for wrong in
            ["", "02:00:00:00:00", "02:00:00:00:00:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:+1", "02:00:00:00:00:"]
        {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
