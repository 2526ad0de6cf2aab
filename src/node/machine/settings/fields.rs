//! The keys of a host's or router's table, for the check of keys, the reference page and the schema.

use crate::read::{Field, Form, Need};

/// What may be said of how names are looked up.
pub static RESOLVER_FIELDS: &[Field] = &[
    Field {
        name: "search",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "The domains in which short names are looked up, first come first; the one that DHCP tells of if left out.",
    },
    Field {
        name: "ndots",
        form: Form::Integer { min: 0, max: 15 },
        need: Need::Default("1"),
        doc: "How many dots a name needs to be tried as it stands before the search list is.",
    },
    Field {
        name: "timeout",
        form: Form::Duration,
        need: Need::Default("\"5s\""),
        doc: "How long the answer of a server is waited for.",
    },
    Field {
        name: "attempts",
        form: Form::Integer { min: 1, max: 5 },
        need: Need::Default("2"),
        doc: "How often all servers are asked before it is given up.",
    },
];

/// What may be said of a host or a router.
pub static FIELDS: &[Field] = &[
    Field {
        name: "addr",
        form: Form::Any,
        need: Need::Optional,
        doc: "Addresses with their prefix lengths: one, a list, or a table from interface names to either; found if left out. `\"dhcp\"` in place of one: a DHCP client asks for it.",
    },
    Field {
        name: "gateway",
        form: Form::List(&Form::Address),
        need: Need::Optional,
        doc: "The router for everything that no other route leads to, or a list of one for each IP version; found if left out.",
    },
    Field {
        name: "dns",
        form: Form::List(&Form::Address),
        need: Need::Optional,
        doc: "The name server that is asked for names that no node has, or several, at most three; those that DHCP tells of if left out.",
    },
    Field {
        name: "resolver",
        form: Form::Table(RESOLVER_FIELDS),
        need: Need::Optional,
        doc: "How name servers are asked: what `resolv.conf` says elsewhere.",
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
        name: "icmp_errors",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether senders are told what became of their packets; `false` makes a silent machine, a `*` in a traceroute.",
    },
    Field {
        name: "icmp_limit",
        form: Form::Table(ICMP_LIMIT_FIELDS),
        need: Need::Optional,
        doc: "How many ICMP errors are sent; those beyond are withheld and counted.",
    },
    Field {
        name: "accept_redirects",
        form: Form::Boolean,
        need: Need::Optional,
        doc: "Whether ICMP redirects are believed, for five minutes; if left out, hosts do and routers do not.",
    },
    Field {
        name: "path_mtu_age",
        form: Form::Duration,
        need: Need::Default("\"600s\""),
        doc: "How long a path is remembered to be narrow before larger packets are tried again, at least 300s; `\"0s\"`: for ever.",
    },
    Field {
        name: "arp",
        form: Form::Table(ARP_FIELDS),
        need: Need::Optional,
        doc: "How neighbors are found and forgotten.",
    },
    Field {
        name: "ipv6",
        form: Form::Either(&[Form::Boolean, Form::OneOf(IPV6_WORDS)]),
        need: Need::Optional,
        doc: "Whether IPv6 is spoken on all links, and an IPv6 address found for each that has none; with `\"slaac\"` a host makes its addresses itself from what routers advertise. As the whole scenario says if left out, and in any case where an IPv6 address is written. Programs wait, about a second, until addresses are known to be free.",
    },
    Field {
        name: "interface_id",
        form: Form::OneOf(INTERFACE_IDS),
        need: Need::Default("\"eui64\""),
        doc: "Where the last 64 bits of addresses come from that the machine makes itself: its hardware address, or a secret that tells nothing of it and is another for each prefix (RFC 7217).",
    },
    Field {
        name: "privacy",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether a host with `ipv6 = \"slaac\"` makes temporary addresses too, and prefers them (RFC 8981).",
    },
    Field {
        name: "advertise",
        form: Form::Either(&[Form::Boolean, Form::Table(ADVERTISE_FIELDS)]),
        need: Need::Default("false"),
        doc: "Whether a router advertises itself and the prefixes of its addresses to the hosts on its links (RFC 4861 §6.2), or how.",
    },
    Field {
        name: "nd",
        form: Form::Table(ND_FIELDS),
        need: Need::Optional,
        doc: "How IPv6 neighbors are found and forgotten.",
    },
    Field {
        name: "firewall",
        form: Form::Table(crate::node::machine::firewall::settings::FIELDS),
        need: Need::Optional,
        doc: "Which packets it lets in, through and out, of both IP versions; all of them if left out. ARP and IPv6's neighbor and router discovery always pass.",
    },
    Field {
        name: "tcp",
        form: Form::Either(&[Form::OneOf(TCP_PRESETS), Form::Table(TCP_FIELDS)]),
        need: Need::Default("\"stock\""),
        doc: "How TCP behaves: a named set of habits, or a table of single ones.",
    },
];

/// What may be said of a router alone.
static OF_ROUTERS: [Field; 6] = [
    Field {
        name: "nat",
        form: Form::Table(crate::node::machine::nat::settings::FIELDS),
        need: Need::Optional,
        doc: "Address translation: everybody behind one interface is hidden behind its addresses.",
    },
    Field {
        name: "send_redirects",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether hosts on a link are told of a better router there.",
    },
    Field {
        name: "clamp_mss",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether SYNs that pass are made to announce no larger segments than fit the links on both sides.",
    },
    Field {
        name: "check_source",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether packets are dropped that come from where an answer to them would not be sent: forged ones (RFC 2827).",
    },
    Field {
        name: "forward_broadcasts",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether packets for the broadcast address of one of its subnets are passed on there from elsewhere (RFC 2644: no).",
    },
    Field {
        name: "proxy_arp",
        form: Form::Either(&[Form::Boolean, Form::List(&Form::Text)]),
        need: Need::Default("false"),
        doc: "Whether it answers ARP requests for addresses that it has a route to by another interface (RFC 1027); or the interfaces where it does.",
    },
];

/// What may be said of a router.
pub static ROUTER_FIELDS: &[Field] = &joined::<{ FIELDS.len() + OF_ROUTERS.len() }>(FIELDS, &OF_ROUTERS);

/// Two lists as one.
const fn joined<const LENGTH: usize>(first: &[Field], second: &[Field]) -> [Field; LENGTH] {
    let mut all = [first[0]; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

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

/// What may be said of the number of ICMP errors.
pub static ICMP_LIMIT_FIELDS: &[Field] = &[
    Field {
        name: "per_second",
        form: Form::Integer { min: 1, max: u32::MAX as i64 },
        need: Need::Default("10000"),
        doc: "How many in the long run.",
    },
    Field {
        name: "burst",
        form: Form::Integer { min: 1, max: u32::MAX as i64 },
        need: Need::Default("10000"),
        doc: "How many at once, after a quiet time.",
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
    Field {
        name: "announce",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether it tells everybody on a link of its addresses there when it starts and when the link comes up (gratuitous ARP).",
    },
    Field {
        name: "detect_conflicts",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether written addresses are probed for before they are used, which takes some five seconds, announced, and defended (RFC 5227). Addresses from DHCP always are.",
    },
    Field {
        name: "defend",
        form: Form::OneOf(DEFENCES),
        need: Need::Default("\"once\""),
        doc: "What becomes of an address that somebody else claims: kept whatever happens, given up at once, or given up when it is claimed again within ten seconds.",
    },
];

/// What may be said of finding IPv6 neighbors.
pub static ND_FIELDS: &[Field] = &[
    Field {
        name: "reachable",
        form: Form::Duration,
        need: Need::Default("\"30s\""),
        doc: "How long an answer is trusted, on average: each interface draws from half of it to three halves.",
    },
    Field {
        name: "retry",
        form: Form::Duration,
        need: Need::Default("\"1s\""),
        doc: "How long an answer is waited for before asking again.",
    },
    Field {
        name: "probe",
        form: Form::Duration,
        need: Need::Default("\"5s\""),
        doc: "How long a neighbor that was not heard of lately is used before it is asked.",
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
    Field {
        name: "dad",
        form: Form::Integer { min: 0, max: 255 },
        need: Need::Default("1"),
        doc: "How often to ask whether an address is taken before using it; 0: not at all.",
    },
];

/// What may be said of router advertisements.
pub static ADVERTISE_FIELDS: &[Field] = &[
    Field {
        name: "on",
        form: Form::List(&Form::Text),
        need: Need::Optional,
        doc: "The interfaces to advertise on; all if left out.",
    },
    Field {
        name: "interval",
        form: Form::Duration,
        need: Need::Default("\"600s\""),
        doc: "The longest time from one advertisement to the next, from 4 s to 1800 s.",
    },
    Field {
        name: "interval_min",
        form: Form::Duration,
        need: Need::Optional,
        doc: "The shortest, from 3 s to three quarters of the longest; a third of it if left out.",
    },
    Field {
        name: "lifetime",
        form: Form::Duration,
        need: Need::Default("\"1800s\""),
        doc: "How long hosts may use it as a default router, in whole seconds; `\"0s\"`: not at all.",
    },
    Field {
        name: "preference",
        form: Form::OneOf(ROUTER_PREFERENCES),
        need: Need::Default("\"medium\""),
        doc: "Whether hosts prefer it to other default routers (RFC 4191).",
    },
    Field {
        name: "managed",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether hosts are told that addresses are to be had by DHCPv6; those here do not ask.",
    },
    Field {
        name: "other",
        form: Form::Boolean,
        need: Need::Default("false"),
        doc: "Whether hosts are told that other things are to be had by DHCPv6.",
    },
    Field {
        name: "reachable",
        form: Form::Duration,
        need: Need::Default("\"0s\""),
        doc: "How long hosts are told to trust a neighbor's answer, up to an hour; `\"0s\"`: nothing is said.",
    },
    Field {
        name: "retry",
        form: Form::Duration,
        need: Need::Default("\"0s\""),
        doc: "How long hosts are told to wait for one before asking again; `\"0s\"`: nothing is said.",
    },
    Field {
        name: "preferred",
        form: Form::Duration,
        need: Need::Default("\"168h\""),
        doc: "How long addresses made from its prefixes are preferred, in whole seconds.",
    },
    Field {
        name: "valid",
        form: Form::Duration,
        need: Need::Default("\"720h\""),
        doc: "How long addresses made from its prefixes are valid, in whole seconds.",
    },
    Field {
        name: "autonomous",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether hosts may make addresses from its prefixes.",
    },
    Field {
        name: "on_link",
        form: Form::Boolean,
        need: Need::Default("true"),
        doc: "Whether hosts are told that the addresses of its prefixes are on the link.",
    },
    Field {
        name: "mtu",
        form: Form::Size,
        need: Need::Optional,
        doc: "The MTU that hosts are told to use; nothing is said if left out.",
    },
    Field {
        name: "hop_limit",
        form: Form::Integer { min: 0, max: 255 },
        need: Need::Default("64"),
        doc: "The hop limit that hosts are told to use; 0: nothing is said.",
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

pub(super) const ROUTE_KINDS: &[&str] = &["blackhole", "prohibit", "unicast", "unreachable"];
/// What `ipv6` may say beside yes and no.
pub const IPV6_WORDS: &[&str] = &["slaac"];
pub(super) const DEFENCES: &[&str] = &["always", "never", "once"];
pub(super) const CONGESTIONS: &[&str] = &["cubic", "none", "reno"];
pub(super) const INTERFACE_IDS: &[&str] = &["eui64", "stable"];
pub(super) const ROUTER_PREFERENCES: &[&str] = &["low", "medium", "high"];
pub(super) const TCP_PRESETS: &[&str] = &["stock"];
