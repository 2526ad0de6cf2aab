//! What is built, told through the summaries that it is seen by.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::wire::verify::{header_checksum, transport_checksum};
use crate::wire::{Frame, Numeric, Pool, View, summarize};

fn resolve(name: &str) -> Vec<IpAddr> {
    match name {
        "server" => vec!["2001:db8::2".parse().unwrap(), "10.0.0.2".parse().unwrap()],
        "four" => vec!["10.0.0.4".parse().unwrap()],
        _ => Vec::new(),
    }
}

fn defaults() -> PacketDefaults<'static> {
    PacketDefaults {
        mac: [2, 0, 0, 0, 0, 1],
        ipv4: Some(Ipv4Addr::new(10, 0, 0, 1)),
        ipv6: Some("2001:db8::1".parse().unwrap()),
        resolve: &resolve,
    }
}

fn built(text: &str) -> (Layer, Vec<u8>) {
    PacketExpression::parse(text)
        .and_then(|packet| packet.build(&defaults()))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn line(text: &str) -> String {
    let (layer, bytes) = built(text);
    summarize(&Frame::new(Pool::default().copy(&bytes), layer), &Numeric)
}

fn error(text: &str) -> (String, String, String) {
    let error = PacketExpression::parse(text).and_then(|packet| packet.build(&defaults())).unwrap_err();
    (text[error.span].to_owned(), error.title, error.label)
}

#[test]
fn what_is_written_is_what_is_seen() {
    for (text, seen) in [
        (
            r#"ip(dst=10.0.2.80, ttl=1) / udp(sport=4000, dport=33434) / "probe""#,
            "10.0.0.1.4000 > 10.0.2.80.33434: UDP, length 5 [ttl 1]",
        ),
        ("ip(dst=server) / tcp(dport=80)", "10.0.0.1.49152 > 10.0.0.2.80: Flags [S], seq 0, win 65535, length 0"),
        (
            "ip(dst=server)/tcp(dport=80, flags=SA, seq=5, ack=9, mss=1460, sackok=1, wscale=7)",
            "10.0.0.1.49152 > 10.0.0.2.80: Flags [S.], seq 5, ack 9, win 65535, \
             options [mss 1460,sackOK,wscale 7,nop,nop,nop], length 0",
        ),
        (
            r#"ipv6(dst=server)/tcp(dport=80, flags=P., seq=0x10)/"abc""#,
            "2001:db8::1.49152 > 2001:db8::2.80: Flags [P.], seq 16:19, ack 0, win 65535, length 3",
        ),
        ("ip(dst=server)/icmp/\"12345678\"", "10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 1, length 16"),
        ("ipv6(dst=::1)/icmpv6(id=7, seq=9)", "2001:db8::1 > ::1: ICMP6, echo request, id 7, seq 9, length 8"),
        ("arp(pdst=10.0.0.2)", "arp who-has 10.0.0.2 tell 10.0.0.1"),
        (
            "arp(op=reply, psrc=10.0.0.1, hwdst=02:00:00:00:00:02, pdst=10.0.0.2)",
            "arp 10.0.0.1 is-at 02:00:00:00:00:01",
        ),
        (
            "eth(dst=02:00:00:00:00:07)/vlan(id=10)/ip(dst=four)/udp(dport=9)",
            "vlan 10, 10.0.0.1.49152 > 10.0.0.4.9: UDP, length 0",
        ),
        ("eth/\"x\"", "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff: ethertype 0x88b5, length 15"),
        (
            "ip(dst=server, id=7, mf=1) / udp(dport=9, len=3008) / bytes(count=1472)",
            "10.0.0.1.49152 > 10.0.0.2.9: UDP, length 3000, frag id 7, offset 0+",
        ),
        (
            "ip(dst=server, id=7, offset=1480, proto=17) / bytes(count=1528)",
            "10.0.0.1 > 10.0.0.2: udp, length 1528, frag id 7, offset 1480",
        ),
        ("ip(dst=server)/\"?\"", "10.0.0.1 > 10.0.0.2: ip-proto-253, length 1"),
        ("ip(dst=server)/udp(dport=9, checksum=1)/\"?\"", "10.0.0.1.49152 > 10.0.0.2.9: UDP, length 1 (bad udp cksum)"),
        ("ip(dst=server, checksum=1)/udp(dport=9)", "10.0.0.1.49152 > 10.0.0.2.9: UDP, length 0 (bad ip cksum)"),
        ("ip(dst=server)/udp(dport=9, checksum=0)/\"?\"", "10.0.0.1.49152 > 10.0.0.2.9: UDP, length 1"),
    ] {
        assert_eq!(line(text), seen, "{text}");
    }
}

#[test]
fn an_error_quotes_the_packet_behind_it() {
    assert_eq!(
        line("ip(dst=server)/icmp(type=time-exceeded)/ip(src=server, dst=10.9.9.9)/udp(sport=1, dport=2)"),
        "10.0.0.1 > 10.0.0.2: ICMP time exceeded in-transit (about udp 10.0.0.2.1 > 10.9.9.9.2), length 36"
    );
    assert_eq!(
        line("ip(dst=server)/icmp(type=3, code=4, mtu=1400)/ip(src=server, dst=10.9.9.9)/tcp(sport=1, dport=2)"),
        "10.0.0.1 > 10.0.0.2: ICMP 10.9.9.9 unreachable - need to frag (mtu 1400) \
         (about tcp 10.0.0.2.1 > 10.9.9.9.2), length 48"
    );
}

#[test]
fn bytes_stand_as_they_are_written() {
    assert_eq!(
        built(r#"hex"00ff 12" / "a\x00" / bytes(count=2, value=0x61)"#),
        (Layer::Ethernet, vec![0x00, 0xff, 0x12, b'a', 0, b'a', b'a'])
    );
}

#[test]
fn an_arp_alone_gets_its_ethernet_header() {
    let (layer, request) = built("arp(pdst=10.0.0.2)");
    assert_eq!((layer, request.len(), &request[..6]), (Layer::Ethernet, 42, &[0xff; 6][..]));
    let (_, reply) = built("arp(op=reply, pdst=10.0.0.2, hwdst=02:00:00:00:00:02)");
    assert_eq!(&reply[..6], &[2, 0, 0, 0, 0, 2]);
}

#[test]
fn what_is_said_wrong_stays_wrong() {
    let (_, bytes) = built(r#"ip(dst=server, len=9, proto=99, checksum=0xbeef, df=1) / udp(dport=1, len=2)"#);
    assert_eq!((&bytes[2..4], bytes[9], &bytes[10..12]), (&[0, 9][..], 99, &[0xbe, 0xef][..]));
    assert_eq!((bytes[6], &bytes[24..26]), (0x40, &[0, 2][..]));
}

#[test]
fn a_mistake_is_shown_where_it_stands() {
    for (text, at, title, label) in [
        ("ip(dts=10.0.0.1)", "dts", "`ip` has no `dts`", "did you mean `dst`?"),
        ("upd(dport=1)", "upd", "no header is called `upd`", "did you mean `udp`?"),
        ("ip(ttl=1)", "ip", "`ip` lacks `dst`", "`ip(… dst=…)`"),
        (
            "ip(dst=10.0.0.1, ttl=256)",
            "256",
            "`ttl` is a whole number up to 255, not `256`",
            "a whole number up to 255 belongs here",
        ),
        (
            "ip(dst=::1)",
            "::1",
            "`dst` is an IPv4 address or a node, not `::1`",
            "an IPv4 address or a node belongs here",
        ),
        (
            "ip(dst=10.0.0.256)",
            "10.0.0.256",
            "`dst` is an IPv4 address or a node, not `10.0.0.256`",
            "an IPv4 address or a node belongs here",
        ),
        (
            "ip(dst=nobody)",
            "nobody",
            "`nobody` has no IPv4 address",
            "an address or the name of a node that has one belongs here",
        ),
        ("ip(dst=four, dst=four)", "dst", "`dst` is said twice", "once is enough"),
        ("ip(dst)", "dst", "`dst` is not set to anything", "`dst=…`"),
        ("udp(dport=1)", "udp", "`udp` cannot come first", "`ip` or `ipv6` belongs before it"),
        ("ip(dst=four)/arp(pdst=four)", "arp", "`arp` cannot stand behind `ip`", "`eth` or `vlan` belongs before it"),
        (
            "\"x\"/ip(dst=four)",
            "ip",
            "`ip` cannot stand behind bytes",
            "`eth` or `icmp` or `ip` or `ipv6` or `vlan` belongs before it",
        ),
        ("ip(dst=four) udp(dport=1)", "udp", "unexpected `udp`", "`/` belongs before what comes next"),
        ("ip(dst=four", "(", "this `(` is never closed", "`)` is missing"),
        (
            "ip(dst=four) /",
            "",
            "the packet ends too early",
            "a header or text belongs here: `ip(dst=10.0.0.2)`, \"hello\"",
        ),
        ("hex\"0\"", "\"0\"", "half a byte is missing", "such as hex\"00ff 1234\""),
        ("hex\"0g\"", "\"0g\"", "these are not hexadecimal digits", "such as hex\"00ff 1234\""),
        ("ip(dst=four, offset=4)", "4", "a fragment begins at a multiple of 8", "RFC 791 counts in 8 bytes"),
        ("ip(dst=four)/tcp(dport=1, flags=SX)", "SX", "`flags` is TCP flags, not `SX`", "TCP flags belongs here"),
        ("ip(dst=four)/bytes(count=65535)", "ip", "`ip` would carry 65555 bytes", "at most 65535 fit its length field"),
    ] {
        let (found_at, found_title, found_label) = error(text);
        assert_eq!((found_at.as_str(), found_title.as_str(), found_label.as_str()), (at, title, label), "{text}");
    }
}

#[test]
fn without_an_address_a_source_must_be_said() {
    let nobody = PacketDefaults { ipv4: None, ..defaults() };
    let build = |text| PacketExpression::parse(text).unwrap().build(&nobody);
    assert_eq!(build("ip(dst=four)").unwrap_err().label, "`src=…` belongs here");
    assert!(build("ip(src=10.0.0.9, dst=four)").is_ok());
}

#[test]
fn nodes_are_listed_with_their_places() {
    let text = "ip(src=client, dst=10.0.0.1)/icmp(type=5, gateway=r1:wan)";
    let packet = PacketExpression::parse(text).unwrap();
    let nodes: Vec<_> = packet.nodes().map(|(name, span)| (name.to_owned(), &text[span])).collect();
    assert_eq!(nodes, [("client".to_owned(), "client"), ("r1:wan".to_owned(), "r1:wan")]);
}

#[test]
fn too_many_parts_or_bytes_are_refused() {
    let slashes = vec!["\"x\""; 33].join("/");
    assert!(PacketExpression::parse(&slashes).unwrap_err().title.contains("more than 32 parts"));
    assert!(PacketExpression::parse("bytes(count=65535)/\"x\"").unwrap_err().title.contains("more than 65535 bytes"));
    assert!(PacketExpression::parse("bytes(count=65535)").is_ok());
}

/// A packet in which `header` stands where it may.
fn around(name: &str, header: &str) -> String {
    match name {
        "arp" | "eth" | "ip" | "ipv6" => format!("{header}/\"x\""),
        "vlan" => format!("eth/{header}/\"x\""),
        "icmpv6" => format!("ipv6(dst=::2)/{header}/\"x\""),
        _ => format!("ip(dst=10.0.0.2)/{header}/\"x\""),
    }
}

#[test]
fn whatever_can_be_said_of_a_header_changes_it() {
    for layer in layers() {
        let needed = |key: &KeyRow, value: &str| format!("{}={value}", key.name);
        let sample = |form: KeyForm, which: usize| match form {
            KeyForm::Flags => ["S", "RA"][which],
            KeyForm::Integer { max: 1, .. } => ["0", "1"][which],
            KeyForm::Integer { max: 3, .. } => ["2", "3"][which],
            KeyForm::Integer { max: 7, .. } => ["5", "6"][which],
            KeyForm::Integer { .. } => ["8", "16"][which],
            KeyForm::Ipv4 => ["10.0.0.7", "10.0.0.8"][which],
            KeyForm::Ipv6 => ["::7", "::8"][which],
            KeyForm::Mac => ["02:00:00:00:00:07", "02:00:00:00:00:08"][which],
        };
        for tried in layer.keys {
            let text = |which: usize| {
                let others = layer.keys.iter().filter(|key| key.default.is_empty() && key.name != tried.name);
                let mut settings: Vec<String> = others.map(|key| needed(key, sample(key.form, 0))).collect();
                settings.push(needed(tried, sample(tried.form, which)));
                around(layer.name, &format!("{}({})", layer.name, settings.join(", ")))
            };
            let (first, second) = (built(&text(0)), built(&text(1)));
            assert_ne!(first, second, "{}", text(1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn reading_never_panics(text in r#"([a-z0-9(),=/." :]|ip|udp|tcp|dst=|hex|bytes|count=|65535|\PC){0,40}"#) {
        if let Err(error) = PacketExpression::parse(&text).and_then(|packet| packet.build(&defaults())) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{error:?}");
        }
    }

    #[test]
    fn lengths_and_checksums_are_right(
        headers in prop::sample::select(vec![
            "ip(dst=server)/tcp(dport=80, mss=1)",
            "ip(dst=server)/udp(dport=80)",
            "ip(dst=server)/icmp",
            "ipv6(dst=server)/tcp(dport=80)",
            "ipv6(dst=server)/udp(dport=80)",
            "ipv6(dst=server)/icmpv6",
        ]),
        payload in prop::collection::vec(any::<u8>(), 0..1500),
    ) {
        let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        let (layer, bytes) = built(&format!("{headers}/hex\"{hex}\""));
        let ip = View::of_bytes(&bytes, layer).ip.unwrap();
        prop_assert_eq!(ip.payload_claimed, ip.payload.len());
        prop_assert!(ip.payload.ends_with(&payload));
        prop_assert_ne!(header_checksum(&ip), Some(false));
        prop_assert_eq!(transport_checksum(&ip), Some(true));
    }
}
