//! Match expressions over real packets.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::read::{Reader, Scope, Table};
use crate::wire::{Conversations, Flow, Layer, Numeric, Pool, Summary};

fn frame(packet: &str) -> Frame {
    let defaults = PacketDefaults {
        mac: [2, 0, 0, 0, 0, 1],
        ipv4: Some(Ipv4Addr::new(10, 0, 0, 1)),
        ipv6: Some("2001:db8::1".parse().unwrap()),
        resolve: &|_| Vec::new(),
    };
    let (layer, bytes) = PacketExpression::parse(packet).and_then(|packet| packet.build(&defaults)).unwrap();
    Frame::new(Pool::default().copy(&bytes), layer)
}

fn matches(filter: &str, frame: &Frame) -> bool {
    Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(frame)
}

/// Of these expressions exactly those without a leading `no:` are to match.
fn check(packet: &str, expressions: &[&str]) {
    let frame = frame(packet);
    for expression in expressions {
        match expression.strip_prefix("no: ") {
            Some(expression) => assert!(!matches(expression, &frame), "{expression} on {packet}"),
            None => assert!(matches(expression, &frame), "{expression} on {packet}"),
        }
    }
}

#[test]
fn a_syn_is_what_it_is() {
    check(
        "eth(dst=02:00:00:00:00:02)/ip(dst=10.0.0.2, id=77, df=1)/tcp(sport=49152, dport=80, flags=S, seq=1000, mss=1460, wscale=2)",
        &[
            "tcp",
            "ip",
            "eth",
            "frame",
            "no: udp",
            "no: icmp",
            "no: arp",
            "no: ipv6",
            "no: vlan",
            "tcp.syn && !tcp.ack",
            "tcp.flags.syn == 1 and tcp.flags.ack == 0",
            "no: tcp.ack",
            "no: tcp.fin || tcp.rst || tcp.psh || tcp.urg",
            "tcp.flags == 2",
            "tcp.flags == 0x002",
            "tcp.port == 80",
            "tcp.port == 49152",
            "no: tcp.port == 81",
            "tcp.srcport == 49152 && tcp.dstport == 80",
            "tcp.port in {443, 80}",
            "tcp.port in {1000..2000, 60..80}",
            "no: tcp.port in {81..49151}",
            "tcp.seq_raw == 1000",
            "tcp.ack_raw == 0",
            "tcp.len == 0",
            "tcp.hdr_len == 28",
            "tcp.window_size_value == 65535",
            "tcp.options.mss_val == 1460",
            "tcp.options.wscale.shift == 2",
            "no: tcp.options.sack_perm",
            "no: tcp.payload",
            "tcp.checksum.status == 1 && ip.checksum.status == 1",
            "ip.src == 10.0.0.1 && ip.dst == 10.0.0.2",
            "ip.addr == 10.0.0.2",
            "ip.src == 10.0.0.0/8",
            "ip.src == 10.0.0.0/31",
            "no: ip.src == 10.0.0.0/32",
            "ip.src == 0.0.0.0/0",
            "ip.src in {192.168.0.0/16, 10.0.0.0/24}",
            "ip.src in {10.0.0.1..10.0.0.2}",
            "ip.ttl == 64 && ip.ttl >= 64 && ip.ttl <= 64 && ip.ttl > 63 && ip.ttl < 65",
            "no: ip.ttl > 64",
            "no: ip.ttl < 64",
            "ip.id == 77 && ip.len == 48 && ip.proto == 6 && ip.hdr_len == 20 && ip.version == 4",
            "ip.flags.df && !ip.flags.mf && ip.frag_offset == 0",
            "eth.src == 02:00:00:00:00:01",
            "eth.addr == 02-00-00-00-00-02",
            "eth.type == 0x0800",
            "frame.len == 62",
        ],
    );
}

#[test]
fn either_side_may_equal_but_both_must_differ() {
    let packet = "ip(src=10.0.0.1, dst=10.0.0.2)/udp(sport=5, dport=6)";
    check(
        packet,
        &[
            "ip.addr == 10.0.0.1",
            "ip.addr == 10.0.0.2",
            "no: ip.addr != 10.0.0.1",
            "no: ip.addr != 10.0.0.2",
            "ip.addr != 10.0.0.3",
            "!(ip.addr == 10.0.0.3)",
            "udp.port < 6",
            "udp.port > 5",
            "no: udp.port != 5",
        ],
    );
    // A field that is not there is neither equal nor different.
    check(packet, &["no: tcp.port != 5", "no: tcp.port == 5", "!(tcp.port == 5)", "no: ipv6.addr != ::1"]);
}

#[test]
fn words_and_symbols_mean_the_same() {
    check(
        "ip(dst=10.0.0.2)/udp(dport=9)",
        &[
            "udp.dstport eq 9 and not udp.dstport ne 9",
            "ip.ttl gt 63 or tcp",
            "ip.ttl ge 64 and ip.ttl le 64 and ip.ttl lt 65",
            "ip.flags.df == false",
        ],
    );
}

#[test]
fn and_binds_stronger_than_or_and_not_strongest() {
    check(
        "ip(dst=10.0.0.2)/udp(dport=9)",
        &[
            "udp || tcp && icmp",
            "no: (udp || tcp) && icmp",
            "!tcp && udp",
            "no: !(tcp || udp)",
            "!tcp.port == 9",
            "!!udp",
        ],
    );
}

#[test]
fn payload_is_searched() {
    check(
        r#"ip(dst=10.0.0.2)/tcp(dport=80, flags=P.)/"GET / HTTP/1.1\r\n""#,
        &[
            r#"frame contains "GET""#,
            r#"tcp.payload contains "HTTP/1.1\r\n""#,
            r#"tcp contains "GET""#,
            "tcp.payload contains 47:45:54",
            r#"no: tcp.payload contains "POST""#,
            r#"no: udp.payload contains "GET""#,
            r#"tcp.payload == "GET / HTTP/1.1\r\n""#,
            r#"tcp.payload != "GET""#,
            "tcp.len == 16 && tcp.payload",
        ],
    );
    check(r#"ip(dst=10.0.0.2)/udp(dport=9)/"abc""#, &[r#"udp.payload == "abc""#, "udp.length == 11"]);
    check("ip(dst=10.0.0.2)/udp(dport=9)", &["no: udp.payload"]);
}

#[test]
fn other_protocols_have_their_fields() {
    check(
        "arp(op=reply, psrc=10.0.0.9, hwdst=02:00:00:00:00:02, pdst=10.0.0.2)",
        &[
            "arp",
            "arp.opcode == 2",
            "arp.src.proto_ipv4 == 10.0.0.9 && arp.dst.proto_ipv4 == 10.0.0.2",
            "arp.src.hw_mac == 02:00:00:00:00:01 && arp.dst.hw_mac == 02:00:00:00:00:02",
            "no: ip.addr == 10.0.0.2",
            "no: ip",
        ],
    );
    check(
        "ip(dst=10.0.0.2, dscp=46, ecn=3)/icmp(id=7, seq=9)",
        &[
            "icmp.type == 8 && icmp.code == 0 && icmp.ident == 7 && icmp.seq == 9",
            "icmp.checksum.status == 1",
            "no: icmp.mtu",
            "ip.dsfield == 0xbb && ip.dsfield.dscp == 46 && ip.dsfield.ecn == 3",
        ],
    );
    check(
        "ip(dst=10.0.0.2)/icmp(type=3, code=4, mtu=1400)/ip(dst=10.0.0.3)/udp(dport=9)",
        &["icmp.type == 3", "icmp.mtu == 1400", "no: icmp.ident", "no: udp", "no: ip.addr == 10.0.0.3"],
    );
    check(
        "ip(dst=10.0.0.2)/icmp(type=redirect, code=1, gateway=10.0.0.9)",
        &["icmp.type == 5 && icmp.redir_gw == 10.0.0.9", "no: icmp.mtu"],
    );
    check(
        "ipv6(dst=2001:db8::2, hlim=9, flow=5, tclass=3)/icmpv6(type=neighbor-solicitation, target=2001:db8::2)",
        &[
            "icmpv6.type == 135 && icmpv6.code == 0",
            "icmpv6.nd.ns.target_address == 2001:db8::2",
            "no: icmpv6.nd.na.target_address",
            "ipv6.addr == 2001:db8::/32 && ipv6.src == 2001:db8::1 && ipv6.dst != 2001:db8::1",
            "ipv6.hlim == 9 && ipv6.flow == 5 && ipv6.tclass == 3 && ipv6.nxt == 58 && ipv6.plen == 24",
            "no: icmpv6.echo.identifier",
        ],
    );
    check("ipv6(dst=::2)/icmpv6(type=packet-too-big, mtu=1280)", &["icmpv6.mtu == 1280"]);
    check(
        "ip(dst=10.0.0.2, id=5, mf=1, offset=1480)/udp(dport=1)",
        &["ip.flags.mf && ip.frag_offset == 1480", "no: udp", "ip.proto == 17"],
    );
    check(
        "eth/vlan(id=100, priority=5)/arp(pdst=10.0.0.2)",
        &["vlan.id == 100 && vlan.priority == 5 && vlan.etype == 0x0806 && eth.type == 0x8100 && arp"],
    );
}

#[test]
fn checksums_that_do_not_fit_are_seen() {
    check("ip(dst=10.0.0.2)/udp(dport=9, checksum=7)", &["udp.checksum.status == 0"]);
    check("ip(dst=10.0.0.2, checksum=7)/udp(dport=9)", &["ip.checksum.status == 0", "udp.checksum.status == 1"]);
    let pending = frame("ip(dst=10.0.0.2)/tcp(dport=9, checksum=7)").with_checksum_pending();
    assert!(matches("tcp.checksum.status == 1", &pending));
}

#[test]
fn what_the_bytes_do_not_reach_to_is_absent() {
    let whole = frame("ip(dst=10.0.0.2)/tcp(sport=5, dport=80, flags=S)");
    let cut = |length: usize| Frame::new(Pool::default().copy(&whole.bytes()[..length]), Layer::Ip);
    // 20 bytes of IP header, then ports at 20..24, flags at 33.
    assert!(matches("tcp.dstport == 80", &cut(24)) && !matches("tcp.dstport", &cut(23)));
    assert!(matches("tcp.syn", &cut(34)) && !matches("tcp.flags.syn", &cut(33)));
    assert!(matches("ip", &cut(20)) && !matches("ip || tcp || eth", &cut(19)));
    assert!(matches("frame && frame.len == 0", &cut(0)));
}

#[test]
fn all_means_all() {
    for packet in ["arp(pdst=10.0.0.1)", "hex\"00\"", "ip(dst=10.0.0.1)"] {
        assert!(Filter::all().matches(&frame(packet)));
    }
    assert_eq!(Filter::all().to_string(), "frame");
}

#[test]
fn a_filter_prints_in_one_way() {
    for (text, printed) in [
        ("tcp.syn&&!tcp.ack", "tcp.syn && !tcp.ack"),
        ("(a) ", ""),
        ("((tcp))", "tcp"),
        ("tcp and (udp and icmp)", "tcp && udp && icmp"),
        ("tcp and (udp or icmp)", "tcp && (udp || icmp)"),
        ("tcp or udp and icmp", "tcp || udp && icmp"),
        ("not tcp.port eq 80", "!(tcp.port == 80)"),
        ("!(tcp || udp)", "!(tcp || udp)"),
        ("ip.src == 10.1.2.3/8", "ip.src == 10.0.0.0/8"),
        ("ip.src in {10.0.0.0..10.0.0.255, 1.2.3.4..1.2.3.6}", "ip.src in {10.0.0.0/24, 1.2.3.4..1.2.3.6}"),
        ("ipv6.src == ::/0", "ipv6.src == ::/0"),
        ("eth.type == 0x800", "eth.type == 2048"),
        ("eth.src==02-0A-00-00-00-0f", "eth.src == 02:0a:00:00:00:0f"),
        ("tcp.syn == true", "tcp.syn == 1"),
        ("frame contains 00:41:ff", "frame contains \"\\0A\\xff\""),
    ] {
        match Filter::parse(text) {
            Ok(filter) => assert_eq!(filter.to_string(), printed, "{text}"),
            Err(_) => assert_eq!(printed, "", "{text}"),
        }
    }
}

#[test]
fn a_mistake_is_shown_where_it_stands() {
    for (text, at, title, label) in [
        ("tcp.prot == 80", "tcp.prot", "no field is called `tcp.prot`", "did you mean `tcp.port`?"),
        ("ip.tll < 2", "ip.tll", "no field is called `ip.tll`", "did you mean `ip.ttl`?"),
        ("zebra", "zebra", "no field is called `zebra`", "not a known field"),
        ("tcp.seq == 1", "tcp.seq", "no field is called `tcp.seq`", "not known here"),
        (
            "ip.ttl == 10.0.0.1",
            "10.0.0.1",
            "`ip.ttl` is a whole number up to 255, not an IPv4 address",
            "a whole number up to 255 belongs here",
        ),
        (
            "ip.ttl == 256",
            "256",
            "`ip.ttl` is a whole number up to 255, not `256`",
            "a whole number up to 255 belongs here",
        ),
        ("ip.src == 5", "5", "`ip.src` is an IPv4 address, not `5`", "such as 10.0.0.1 or 10.0.0.0/8"),
        ("ip.src == ::1", "::1", "`ip.src` is an IPv4 address, not an IPv6 address", "such as 10.0.0.1 or 10.0.0.0/8"),
        ("ip.src == 10.0.0.0/33", "33", "`33` is not the length of a prefix", "a number from 0 to 32 belongs here"),
        ("ip.src < 10.0.0.1", "<", "`ip.src` is an IPv4 address, which has no order", "`==` or `!=` belongs here"),
        (
            "ip.src == ip.dst",
            "ip.dst",
            "`ip.src` is an IPv4 address, not another field",
            "such as 10.0.0.1 or 10.0.0.0/8",
        ),
        ("tcp.ack == 1000", "1000", "`tcp.ack` is a flag, not `1000`", "0 or 1 belongs here, or nothing"),
        (
            "tcp == 6",
            "==",
            "`tcp` is a protocol, which has no value to compare",
            "`tcp` alone asks whether it is there",
        ),
        ("tcp.port = 80", "=", "`=` alone does not compare", "`==` does"),
        (
            "tcp.port == \"http\"",
            "\"http\"",
            "`tcp.port` is a whole number up to 65535, not text",
            "a whole number up to 65535 belongs here",
        ),
        (
            "tcp.port contains 80",
            "contains",
            "`tcp.port` is a whole number up to 65535, which contains nothing",
            "`==` or `in` belongs here",
        ),
        ("frame contains GET", "GET", "`GET` is neither text nor bytes", "such as \"GET\" or 47:45:54"),
        ("frame contains \"\"", "\"\"", "there is nothing to look for", "at least one byte belongs here"),
        ("tcp.port in 80", "80", "a set stands in braces", "such as `{80, 443, 1000..2000}`"),
        ("tcp.port in {80 443}", "443", "unexpected `443`", "`,` or `}` belongs before it"),
        ("tcp.port in {80", "{", "this `{` is never closed", "`}` is missing"),
        ("tcp.port in {}", "}", "unexpected `}`", "a whole number up to 65535 belongs here"),
        ("tcp.port in {90..80}", "90..80", "this range is empty", "the smaller value stands first"),
        ("tcp in {6}", "in", "`tcp` is a protocol, which is in no set", "`in` is for numbers and addresses"),
        ("tcp && ", "", "the expression ends too early", "a field belongs here, such as `tcp.port` or `icmp`"),
        ("", "", "the expression ends too early", "a field belongs here, such as `tcp.port` or `icmp`"),
        ("tcp udp", "udp", "unexpected `udp`", "`&&` or `||` belongs before it"),
        ("(tcp", "(", "this `(` is never closed", "`)` is missing"),
        ("(tcp udp)", "udp", "unexpected `udp`", "`&&`, `||` or `)` belongs before it"),
        ("tcp)", ")", "unexpected `)`", "no `(` stands before it"),
        ("80 == tcp.port", "80", "`80` stands where a field belongs", "the field stands on the left: `tcp.port == 80`"),
        ("tcp & udp", "&", "`&` means nothing here", "`&&` joins two conditions"),
    ] {
        let error = Filter::parse(text).unwrap_err();
        let found = (&text[error.span.clone()], error.title.as_str(), error.label.as_str());
        assert_eq!(found, (at, title, label), "{text}");
    }
}

#[test]
fn notes_say_what_is_known() {
    let notes = |text| Filter::parse(text).unwrap_err().notes.join("\n");
    assert!(notes("udp.prot == 1").starts_with("known: udp, udp.checksum.status, udp.dstport"));
    assert!(notes("zebra").starts_with("known: arp, dhcp, dns, eth, frame, http, icmp"));
    assert!(notes("ip.src == ::1").contains("`ipv6.src`"));
    assert!(notes("ipv6.dst == 10.0.0.1").contains("`ip.dst`"));
    assert!(notes("tcp.ack == 1000").contains("`tcp.ack_raw`"));
    assert!(notes("tcp.seq == 1").contains("`tcp.seq_raw`"));
}

#[test]
fn nesting_is_bounded_and_long_chains_are_not_nesting() {
    let nested = |depth: usize| format!("{}tcp{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(63)).is_ok());
    assert!(Filter::parse(&nested(64)).unwrap_err().title.contains("inside each other"));
    assert!(Filter::parse(&format!("{}tcp", "!".repeat(64))).is_err());
    assert!(Filter::parse(&vec!["tcp"; 1000].join("&&")).is_ok());
}

/// What a scenario's reader says of these lines, each mistake with the text that it underlines.
fn mistakes(text: &str) -> Vec<(String, String)> {
    let scope = Scope { nodes: vec!["client".into(), "server".into()], ..Scope::default() };
    let reader = Reader::new(text, scope);
    let document = toml::de::DeTable::parse(text).unwrap();
    let table = Table::new(document.get_ref(), 0..text.len(), String::new(), &reader);
    let _: (Option<Filter>, Option<PacketExpression>) = (table.get("match"), table.get("packet"));
    let problems = reader.into_problems();
    problems.into_iter().map(|problem| (text[problem.span].to_owned(), problem.title)).collect()
}

#[test]
fn a_scenario_shows_the_part_that_is_wrong() {
    let told = |at: &str, title: &str| vec![(at.to_owned(), title.to_owned())];
    assert_eq!(mistakes("match = 'tcp.syn && tcp.prot == 80'"), told("tcp.prot", "no field is called `tcp.prot`"));
    assert_eq!(mistakes("match = 7"), told("7", "`match` must be a match expression in quotes, not an integer"));
    assert_eq!(mistakes("packet = 'ip(dts=server)'"), told("dts", "`ip` has no `dts`"));
    assert_eq!(mistakes("packet = 'ip(dst=sever)'"), told("sever", "no node is called `sever`"));
    assert_eq!(mistakes("match = 'tcp'\npacket = 'ip(dst=server:eth0, src=client)'"), []);
}

/// Any expression of the language, as text.
fn expression() -> impl Strategy<Value = String> {
    let test = prop_oneof![
        prop::sample::select(fields().iter().map(|field| field.name).collect::<Vec<_>>()).prop_map(str::to_owned),
        (prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]), any::<u16>())
            .prop_map(|(relation, value)| format!("tcp.port {relation} {value}")),
        (any::<u32>(), 0..=32_u8).prop_map(|(bits, length)| format!("ip.addr == {}/{length}", Ipv4Addr::from(bits))),
        (any::<u128>(), 0..=128_u8)
            .prop_map(|(bits, length)| format!("ipv6.src != {}/{length}", std::net::Ipv6Addr::from(bits))),
        (any::<u32>(), any::<u32>())
            .prop_map(|(a, b)| { format!("ip.src in {{{}..{}}}", Ipv4Addr::from(a.min(b)), Ipv4Addr::from(a.max(b))) }),
        prop::collection::vec(any::<u8>(), 1..9).prop_map(|bytes| {
            let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("tcp.payload contains {}", pairs.join(":"))
        }),
        any::<[u8; 6]>().prop_map(|mac| {
            let pairs: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("eth.dst == {}", pairs.join("-"))
        }),
    ];
    test.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("!({inner})")),
            inner.clone().prop_map(|inner| format!("not {inner}")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner, 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_reads_back_as_the_same(text in expression()) {
        let filter = Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
    }

    #[test]
    fn reading_never_panics(text in r#"([a-z0-9.(){}!&|=<>,"/: ]|tcp\.port|ip\.src|in|contains|frame|\PC){0,40}"#) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
        }
    }

    #[test]
    fn no_bytes_make_looking_panic(
        head in prop::sample::select(vec![
            "", "eth/hex\"\"", "ip(dst=1.2.3.4)/tcp(dport=1, mss=5, wscale=1)", "ip(dst=1.2.3.4)/udp(dport=1)",
            "ip(dst=1.2.3.4)/icmp(type=3)/ip(dst=1.2.3.5)/udp(dport=1)", "ipv6(dst=::1)/icmpv6(type=1)/ipv6(dst=::1)",
            "eth/ip(dst=1.2.3.4)/tcp(dport=1)", "eth/vlan(id=1)/arp(pdst=1.2.3.4)", "eth/ipv6(dst=::1, nxt=0)",
            "ipv6(dst=::1, nxt=44)", "arp(pdst=1.2.3.4)",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..120),
        cut in 0..160_usize,
        flips in prop::collection::vec((0..120_usize, any::<u8>()), 0..6),
        is_ip in any::<bool>(),
    ) {
        let mut bytes = if head.is_empty() { Vec::new() } else { frame(head).bytes().to_vec() };
        bytes.extend(tail);
        bytes.truncate(cut);
        for (at, value) in flips {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let layer = if is_ip { Layer::Ip } else { Layer::Ethernet };
        let frame = Frame::new(Pool::default().copy(&bytes), layer);
        let view = View::of(&frame);
        for field in fields() {
            for value in (field.values)(&view).iter() {
                let fits = match field.field_type {
                    FieldType::Boolean => matches!(value, Value::Boolean(_)),
                    FieldType::Bytes | FieldType::Protocol => matches!(value, Value::Bytes(_)),
                    FieldType::Name => matches!(value, Value::Name(_)),
                    FieldType::Integer { max } => matches!(value, Value::Integer(number) if number <= max),
                    FieldType::Ipv4 => matches!(value, Value::Ipv4(_)),
                    FieldType::Ipv6 => matches!(value, Value::Ipv6(_)),
                    FieldType::Mac => matches!(value, Value::Mac(_)),
                };
                prop_assert!(fits, "{:?} is {:?}", field, value);
            }
        }
        let _ = Flow::of(&frame).map(|flow| flow.reversed().to_string());
        let summary = Summary::observed(&frame, &Numeric, &mut Conversations::default());
        prop_assert!(!summary.to_string().is_empty() && !summary.short().to_string().is_empty());
        prop_assert!(Filter::all().matches(&frame));
    }
}
