//! What `nat = { … }` of a router may say, and how it is read.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::spec::{
    Dependence, Forwarded, NatSpec, PRESETS, Pooling, PortChoice, PortForward, SESSIONS_MAX, Unsolicited,
};
use crate::node::PortSpec;
use crate::read::{Diagnostic, Field, Form, Located, Need, Table};

/// What may be said of an address translator.
pub static FIELDS: &[Field] = &[
    Field {
        name: "outside",
        form: Form::Text,
        need: Need::Required,
        doc: "The interface whose addresses stand for everybody behind the others.",
    },
    Field {
        name: "preset",
        form: Form::OneOf(PRESETS),
        need: Need::Default("\"home\""),
        doc: "A well-known behaviour, from which the other keys depart. Their defaults are those of `home`.",
    },
    Field {
        name: "mapping",
        form: Form::OneOf(DEPENDENCES),
        need: Need::Default("\"endpoint-independent\""),
        doc: "Whether what one inside endpoint sends to different far ends has one outside endpoint (RFC 4787 §4.1).",
    },
    Field {
        name: "filtering",
        form: Form::OneOf(DEPENDENCES),
        need: Need::Default("\"address-and-port-dependent\""),
        doc: "Who may send to a mapped outside endpoint: anybody, or whom the inside has sent to (RFC 4787 §5).",
    },
    Field {
        name: "ports",
        form: Form::OneOf(PORT_CHOICES),
        need: Need::Default("\"preserve\""),
        doc: "How outside ports are chosen: the inside port if it is free, any, or the next.",
    },
    Field {
        name: "parity",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether even ports become even ones and odd ports odd ones, while there are any.",
    },
    Field {
        name: "port_range",
        form: Form::Text,
        need: Need::Optional,
        doc: "The outside ports to choose from, such as `\"40000-40099\"`; without it, low ports become low ones and others others.",
    },
    Field {
        name: "pooling",
        form: Form::OneOf(POOLINGS),
        need: Need::Default("\"paired\""),
        doc: "Of several outside addresses, whether each host inside always gets the same.",
    },
    Field {
        name: "hairpin",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether hosts inside reach each other by outside endpoints.",
    },
    Field {
        name: "inbound_refresh",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether a packet from outside keeps a UDP mapping alive too.",
    },
    Field {
        name: "unsolicited",
        form: Form::OneOf(UNSOLICITED),
        need: Need::Default("\"drop\""),
        doc: "What becomes of what nobody asked for: it vanishes, or it is refused (a SYN only after six seconds, RFC 5382 REQ-4).",
    },
    Field {
        name: "udp_timeout",
        form: Form::Duration,
        need: Need::Default("\"300s\""),
        doc: "How long a UDP mapping lasts unused; RFC 4787 REQ-5 asks for two minutes at least.",
    },
    Field {
        name: "tcp_established",
        form: Form::Duration,
        need: Need::Default("\"7440s\""),
        doc: "How long an established TCP connection may be idle; RFC 5382 REQ-5 asks for 2 h 4 min at least.",
    },
    Field {
        name: "tcp_transitory",
        form: Form::Duration,
        need: Need::Default("\"240s\""),
        doc: "How long a TCP connection may be half open or closing; RFC 5382 REQ-5 asks for 4 min at least.",
    },
    Field {
        name: "icmp_timeout",
        form: Form::Duration,
        need: Need::Default("\"60s\""),
        doc: "How long the answer to a ping is waited for; RFC 5508 REQ-2 asks for 60 s at least.",
    },
    Field {
        name: "sessions",
        form: Form::Integer { min: 1, max: SESSIONS_MAX as i64 },
        need: Need::Default("16384"),
        doc: "How many connections are known at once; one more is refused until another is forgotten.",
    },
    Field {
        name: "ports_per_host",
        form: Form::Integer { min: 1, max: 65_535 },
        need: Need::Optional,
        doc: "How many outside ports one host inside may hold (RFC 6888 REQ-4); without it, as many as there are.",
    },
    Field {
        name: "forward",
        form: Form::List(&Form::Table(FORWARD_FIELDS)),
        need: Need::Optional,
        doc: "What is always passed on inside: `[{ port = 8080, to = \"10.0.1.10:80\" }]`.",
    },
];

/// What may be said of a port forwarding.
pub static FORWARD_FIELDS: &[Field] = &[
    Field { name: "port", form: Form::Integer { min: 1, max: 65_535 }, need: Need::Required, doc: "The port outside." },
    Field {
        name: "to",
        form: Form::Text,
        need: Need::Required,
        doc: "The address inside, and the port if it is another: `\"10.0.1.10:80\"`.",
    },
    Field {
        name: "protocol",
        form: Form::OneOf(PROTOCOLS),
        need: Need::Default("\"both\""),
        doc: "For TCP, UDP, or both.",
    },
];

const DEPENDENCES: &[&str] = &["address-and-port-dependent", "address-dependent", "endpoint-independent"];
const PORT_CHOICES: &[&str] = &["preserve", "random", "sequential"];
const POOLINGS: &[&str] = &["arbitrary", "paired"];
const PROTOCOLS: &[&str] = &["both", "tcp", "udp"];
const UNSOLICITED: &[&str] = &["drop", "refuse"];

/// Reads `nat`; `ports` are the machine's. `None`: absent, or a mistake has been reported.
pub(in crate::node::machine) fn read(table: &Table<'_>, ports: &[PortSpec]) -> Option<NatSpec> {
    let nat: Table<'_> = table.get("nat")?;
    nat.check(&[FIELDS], &[]);
    let outside = interface(&nat, "outside", ports)?;
    let preset = nat.one_of("preset", PRESETS).unwrap_or("home");
    let base = NatSpec::preset(preset, outside).expect("it is one of the presets' names");
    let spec = NatSpec {
        mapping: dependence(&nat, "mapping").unwrap_or(base.mapping),
        filtering: dependence(&nat, "filtering").unwrap_or(base.filtering),
        port_choice: match nat.one_of("ports", PORT_CHOICES) {
            Some("preserve") => PortChoice::Preserve,
            Some("random") => PortChoice::Random,
            Some("sequential") => PortChoice::Sequential,
            _ => base.port_choice,
        },
        keeps_parity: nat.get_or("parity", base.keeps_parity),
        ports: port_range(&nat),
        pooling: match nat.one_of("pooling", POOLINGS) {
            Some("arbitrary") => Pooling::Arbitrary,
            Some("paired") => Pooling::Paired,
            _ => base.pooling,
        },
        hairpins: nat.get_or("hairpin", base.hairpins),
        refreshed_from_outside: nat.get_or("inbound_refresh", base.refreshed_from_outside),
        unsolicited: match nat.one_of("unsolicited", UNSOLICITED) {
            Some("drop") => Unsolicited::Drop,
            Some("refuse") => Unsolicited::Refuse,
            _ => base.unsolicited,
        },
        udp_for: timeout(&nat, "udp_timeout", base.udp_for),
        tcp_established_for: timeout(&nat, "tcp_established", base.tcp_established_for),
        tcp_transitory_for: timeout(&nat, "tcp_transitory", base.tcp_transitory_for),
        icmp_for: timeout(&nat, "icmp_timeout", base.icmp_for),
        sessions_max: count(&nat, "sessions", SESSIONS_MAX).unwrap_or(base.sessions_max),
        ports_per_host: count(&nat, "ports_per_host", 65_535).or(base.ports_per_host),
        forwards: forwards(&nat),
        ..base
    };
    Some(spec)
}

/// The index of the interface that a key names.
pub(in crate::node::machine) fn interface(table: &Table<'_>, key: &str, ports: &[PortSpec]) -> Option<usize> {
    let name: Located<String> = table.get(key)?;
    let found = ports.iter().position(|port| port.name == name.value);
    if found.is_none() {
        let title = format!("no interface is called `{}`", name.value);
        let known = ports.iter().map(|port| port.name.as_str());
        table.reader.report(Diagnostic::new(name.span, title).not_among(&name.value, known));
    }
    found
}

fn dependence(nat: &Table<'_>, key: &str) -> Option<Dependence> {
    let word = nat.item(key).and_then(|_| nat.one_of(key, DEPENDENCES))?;
    [Dependence::AddressAndPort, Dependence::Address, Dependence::Endpoint].into_iter().find(|one| one.name() == word)
}

fn timeout(nat: &Table<'_>, key: &str, default: Duration) -> Duration {
    let timeout = nat.get_or(key, default);
    if timeout < Duration::from_millis(1) {
        nat.report(key, "a mapping that lasts no time lets no answer in", "at least \"1ms\"");
        return default;
    }
    timeout
}

fn count(nat: &Table<'_>, key: &str, most: usize) -> Option<usize> {
    let count: Located<usize> = nat.get(key)?;
    if !(1..=most).contains(&count.value) {
        nat.report(key, format!("`{}.{key}` is out of range", nat.path), format!("from 1 to {most}"));
        return None;
    }
    Some(count.value)
}

fn port_range(nat: &Table<'_>) -> Option<(u16, u16)> {
    let text: Located<String> = nat.get("port_range")?;
    let ends = text.value.split_once('-').unwrap_or((&text.value, &text.value));
    let range = ends.0.trim().parse().ok().zip(ends.1.trim().parse().ok());
    let range = range.filter(|(first, last): &(u16, u16)| (1..=*last).contains(first));
    if range.is_none() {
        nat.report("port_range", format!("`{}` is not a range of ports", text.value), "such as \"40000-40099\"");
    }
    range
}

fn forwards(nat: &Table<'_>) -> Vec<PortForward> {
    let rows: Vec<Table<'_>> = nat.get_or("forward", Vec::new());
    let mut forwards: Vec<PortForward> = Vec::new();
    for row in &rows {
        row.check(&[FORWARD_FIELDS], &[]);
        let port = count(row, "port", 65_535).and_then(|port| u16::try_from(port).ok());
        let to: Option<Located<String>> = row.get("to");
        let protocols = match row.one_of("protocol", PROTOCOLS) {
            Some("tcp") => Forwarded::Tcp,
            Some("udp") => Forwarded::Udp,
            _ => Forwarded::Both,
        };
        let (Some(port), Some(to)) = (port, to) else { continue };
        let inside = to.value.parse::<SocketAddrV4>().map(|to| (*to.ip(), to.port()));
        let inside = inside.or_else(|_| to.value.parse::<Ipv4Addr>().map(|address| (address, port)));
        let Ok((address, inside_port)) = inside.map_err(|_| ()) else {
            let why = match to.value.parse::<IpAddr>() {
                Ok(_) => "addresses of IPv6 are not translated".to_owned(),
                Err(_) => format!("`{}` is not an address inside", to.value),
            };
            row.report("to", why, "such as \"10.0.1.10:80\"");
            continue;
        };
        let both = |a, b| a == b || a == Forwarded::Both || b == Forwarded::Both;
        if forwards.iter().any(|other| other.port == port && both(other.protocols, protocols)) {
            row.report("port", format!("port {port} is forwarded twice"), "one host inside for each port");
            continue;
        }
        forwards.push(PortForward { port, address, inside_port, protocols });
    }
    forwards
}
