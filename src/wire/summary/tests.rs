//! Every spelling, one line each.

use std::collections::BTreeMap;
use std::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, Ipv6Address,
    Ipv6Packet, Ipv6Repr, TcpPacket,
};

use super::*;
use crate::wire::{Layer, Pool};

const CLIENT: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);

fn names() -> BTreeMap<IpAddr, String> {
    [(CLIENT.into(), "client"), (SERVER.into(), "server")]
        .map(|(address, name): (IpAddr, &str)| (address, name.to_owned()))
        .into()
}

fn frame(bytes: &[u8], layer: Layer) -> Frame {
    Frame::new(Pool::default().copy(bytes), layer)
}

fn line(bytes: &[u8], layer: Layer) -> String {
    summarize(&frame(bytes, layer), &names())
}

/// An IPv4 packet with a right header checksum.
fn ipv4(source: Ipv4Address, destination: Ipv4Address, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv4Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; 20];
    repr.emit(&mut Ipv4Packet::new_unchecked(bytes.as_mut_slice()), &ChecksumCapabilities::default());
    bytes.extend(payload);
    bytes
}

struct Tcp {
    from_client: bool,
    flags: u8,
    sequence: u32,
    acknowledgment: u32,
    window: u16,
    options: Vec<u8>,
    length: usize,
}

/// A bare ACK from the client.
const fn ack(sequence: u32, acknowledgment: u32) -> Tcp {
    Tcp { from_client: true, flags: 0x10, sequence, acknowledgment, window: 1000, options: Vec::new(), length: 0 }
}

impl Tcp {
    /// The same from the server.
    fn answered(self) -> Self {
        Self { from_client: false, ..self }
    }

    fn flags(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    fn carrying(self, length: usize) -> Self {
        Self { length, ..self }
    }

    fn frame(&self) -> Frame {
        let (source, destination) = if self.from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let ports: [u16; 2] = if self.from_client { [49152, 80] } else { [80, 49152] };
        let mut tcp = ports.map(u16::to_be_bytes).concat();
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.push(u8::try_from((20 + self.options.len()) / 4).unwrap() << 4);
        tcp.push(self.flags);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&self.options);
        tcp.resize(tcp.len() + self.length, b'x');
        TcpPacket::new_unchecked(tcp.as_mut_slice()).fill_checksum(&source.into(), &destination.into());
        frame(&ipv4(source, destination, IpProtocol::Tcp, &tcp), Layer::Ip)
    }
}

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const PSH_ACK: u8 = 0x18;
const FIN_ACK: u8 = 0x11;
const RST: u8 = 0x04;
const RST_ACK: u8 = 0x14;

/// The long and the short line of each segment, seen one after the other.
fn lines(segments: &[Tcp]) -> Vec<(String, String)> {
    let (names, mut conversations) = (names(), Conversations::default());
    let mut lines = Vec::new();
    for segment in segments {
        let frame = segment.frame();
        let summary = Summary::observed(&frame, &names, &mut conversations);
        lines.push((summary.to_string(), summary.short().to_string()));
    }
    lines
}

fn long(segments: &[Tcp]) -> Vec<String> {
    // What everybody has seen: who speaks to whom.
    lines(segments).into_iter().map(|(long, _)| long.split_once(": ").unwrap().1.to_owned()).collect()
}

fn short(segments: &[Tcp]) -> Vec<String> {
    lines(segments).into_iter().map(|(_, short)| short).collect()
}

#[test]
fn a_connection_is_counted_from_its_first_byte_in_both_directions() {
    let story = [
        ack(4_000_000_000, 0).flags(SYN),
        ack(77, 4_000_000_001).flags(SYN_ACK).answered(),
        ack(4_000_000_001, 78),
        ack(4_000_000_001, 78).flags(PSH_ACK).carrying(1460),
        ack(78, 4_000_001_461).answered(),
        ack(4_000_001_461, 78).flags(FIN_ACK),
        ack(78, 4_000_001_462).flags(FIN_ACK).answered(),
        ack(4_000_001_462, 79),
    ];
    assert_eq!(
        lines(&story).iter().map(|(long, _)| long.as_str()).collect::<Vec<_>>(),
        [
            "client.49152 > server.80: Flags [S], seq 0, win 1000, length 0",
            "server.80 > client.49152: Flags [S.], seq 0, ack 1, win 1000, length 0",
            "client.49152 > server.80: Flags [.], ack 1, win 1000, length 0",
            "client.49152 > server.80: Flags [P.], seq 1:1461, ack 1, win 1000, length 1460",
            "server.80 > client.49152: Flags [.], ack 1461, win 1000, length 0",
            "client.49152 > server.80: Flags [F.], seq 1461, ack 1, win 1000, length 0",
            "server.80 > client.49152: Flags [F.], seq 1, ack 1462, win 1000, length 0",
            "client.49152 > server.80: Flags [.], ack 2, win 1000, length 0",
        ]
    );
    assert_eq!(
        short(&story),
        [
            "SYN seq 0",
            "SYN,ACK seq 0 ack 1",
            "ACK 1",
            "PSH,ACK 1:1461",
            "ACK 1461",
            "FIN,ACK seq 1461",
            "FIN,ACK seq 1",
            "ACK 2"
        ]
    );
}

#[test]
fn a_syn_sent_again_and_a_lost_syn_ack_change_nothing() {
    let story = [
        ack(500, 0).flags(SYN),
        ack(500, 0).flags(SYN),
        ack(77, 501).flags(SYN_ACK).answered(),
        ack(77, 501).flags(SYN_ACK).answered(),
        ack(501, 78),
    ];
    assert_eq!(short(&story)[1..], ["SYN seq 0", "SYN,ACK seq 0 ack 1", "SYN,ACK seq 0 ack 1", "ACK 1"]);
}

#[test]
fn a_simultaneous_open_counts_each_side_from_its_own_syn() {
    let story = [
        ack(500, 0).flags(SYN),
        ack(900, 0).flags(SYN).answered(),
        ack(500, 901).flags(SYN_ACK),
        ack(900, 501).flags(SYN_ACK).answered(),
    ];
    assert_eq!(short(&story), ["SYN seq 0", "SYN seq 0", "SYN,ACK seq 0 ack 1", "SYN,ACK seq 0 ack 1"]);
}

#[test]
fn a_refused_connection_begins_nowhere() {
    let story = [ack(500, 0).flags(SYN), ack(0, 501).flags(RST_ACK).answered()];
    assert_eq!(long(&story)[1], "Flags [R.], seq 0, ack 1, win 1000, length 0");
    assert_eq!(short(&story)[1], "RST,ACK");
}

#[test]
fn a_connection_met_in_the_middle_begins_at_one() {
    let story = [ack(7000, 9000).flags(PSH_ACK).carrying(10), ack(9000, 7010).answered(), ack(7010, 9000).flags(RST)];
    assert_eq!(
        long(&story),
        [
            "Flags [P.], seq 1:11, ack 1, win 1000, length 10",
            "Flags [.], ack 11, win 1000, length 0",
            "Flags [R], seq 11, win 1000, length 0",
        ]
    );
}

#[test]
fn ports_used_again_begin_anew() {
    let story = [
        ack(500, 0).flags(SYN),
        ack(77, 501).flags(SYN_ACK).answered(),
        ack(90_000, 0).flags(SYN),
        ack(40_000, 90_001).flags(SYN_ACK).answered(),
        ack(90_001, 40_001),
    ];
    assert_eq!(short(&story)[2..], ["SYN seq 0", "SYN,ACK seq 0 ack 1", "ACK 1"]);
}

#[test]
fn options_are_spelled_as_tcpdump_does() {
    let mut syn = ack(500, 0).flags(SYN);
    syn.options =
        vec![2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7, 254, 4, 0xaa, 0xbb, 0, 0, 0, 0];
    let mut sack = ack(501, 1);
    sack.options = [&[1, 1, 5, 10][..], &11_u32.to_be_bytes(), &21_u32.to_be_bytes()].concat();
    let mut bad = ack(501, 1);
    bad.options = vec![2, 9, 0, 0];
    assert_eq!(
        long(&[syn, sack, bad]),
        [
            "Flags [S], seq 0, win 1000, options [mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7,unknown-254 0xaabb,eol], length 0",
            "Flags [.], ack 1, win 1000, options [nop,nop,sack 1 {11:21}], length 0",
            "Flags [.], ack 1, win 1000, options [bad opt], length 0",
        ]
    );
}

#[test]
fn a_closed_window_and_odd_flags_are_told() {
    let mut closed = ack(501, 1);
    closed.window = 0;
    let mut urgent = ack(501, 1).flags(0xe0).carrying(1);
    urgent.window = 9;
    let story = [closed, urgent, ack(502, 1).flags(0)];
    assert_eq!(short(&story), ["ACK 1 win 0", "URG,ECE,CWR 1:2", "no flags"]);
    assert_eq!(long(&story)[1..], ["Flags [UEW], seq 1:2, win 9, urg 0, length 1", "Flags [none], win 1000, length 0"]);
}

#[test]
fn without_a_memory_numbers_stand_as_they_are() {
    let frame = ack(4_000_000_000, 9).flags(PSH_ACK).carrying(10).frame();
    let expected = "10.0.0.1.49152 > 10.0.0.2.80: Flags [P.], seq 4000000000:4000000010, ack 9, win 1000, length 10";
    assert_eq!(summarize(&frame, &Numeric), expected);
}

#[test]
fn a_flipped_bit_shows_as_a_bad_checksum() {
    let whole = ack(1, 1).carrying(4).frame();
    let flipped = |at: usize| {
        let mut bytes = whole.bytes().to_vec();
        bytes[at] ^= 1;
        line(&bytes, Layer::Ip)
    };
    assert!(flipped(43).ends_with("length 4 (bad tcp cksum)"));
    assert!(flipped(8).ends_with("length 4 (bad ip cksum)"));
    let pending = ack(1, 1).frame().with_checksum_pending();
    assert!(!summarize(&pending, &Numeric).contains("cksum"));
}

#[test]
fn a_packet_inside_its_machine_may_lack_a_header_checksum() {
    let mut bytes = ack(1, 1).frame().bytes().to_vec();
    bytes[10..12].fill(0);
    assert!(!line(&bytes, Layer::Ip).contains("cksum"));
    let mut on_a_wire = vec![0; 12];
    on_a_wire.extend([8, 0]);
    on_a_wire.extend(bytes);
    assert!(line(&on_a_wire, Layer::Ethernet).ends_with("(bad ip cksum)"));
}

#[test]
fn headers_cut_short_say_so() {
    let whole = ack(1, 1).frame().bytes().to_vec();
    assert_eq!(line(&whole[..19], Layer::Ip), "[truncated ip]");
    assert_eq!(line(&whole[..22], Layer::Ip), "client > server: [truncated tcp]");
    assert_eq!(line(&whole[..30], Layer::Ip), "client.49152 > server.80: [truncated tcp]");
    assert_eq!(line(&[0; 13], Layer::Ethernet), "[truncated ethernet]");
    let mut short_offset = whole;
    short_offset[32] = 0x10;
    assert!(line(&short_offset, Layer::Ip).starts_with("client.49152 > server.80: [bad tcp header length 4]"));
    assert_eq!(
        line(&ipv4(CLIENT, SERVER, IpProtocol::Udp, &[0, 9, 0, 9, 0, 8]), Layer::Ip),
        "client.9 > server.9: [truncated udp]"
    );
    assert_eq!(
        line(&ipv4(CLIENT, SERVER, IpProtocol::Udp, &[0, 9, 0, 9, 0, 7, 0, 0]), Layer::Ip),
        "client.9 > server.9: UDP, bad length 7"
    );
    assert_eq!(
        line(&ipv4(CLIENT, SERVER, IpProtocol::Icmp, &[8, 0, 0]), Layer::Ip),
        "client > server: [truncated icmp]"
    );
}

#[test]
fn frames_that_are_not_ip_show_their_stations() {
    let ethernet = |ethertype: u16, payload: &[u8]| {
        let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(payload);
        line(&bytes, Layer::Ethernet)
    };
    assert_eq!(ethernet(0x88cc, &[0; 46]), "02:00:00:00:00:01 > 02:00:00:00:00:02: ethertype 0x88cc, length 60");
    assert_eq!(ethernet(38, &[0; 46]), "02:00:00:00:00:01 > 02:00:00:00:00:02: 802.3, length 38");
    assert_eq!(ethernet(0x0800, &[0x45]), "02:00:00:00:00:01 > 02:00:00:00:00:02: [truncated ip]");
    assert_eq!(ethernet(0x86dd, &[0x60]), "02:00:00:00:00:01 > 02:00:00:00:00:02: [truncated ip6]");
    assert_eq!(ethernet(0x0806, &[0, 1, 8, 0, 6, 4, 0, 1]), "[truncated arp]");
    assert_eq!(ethernet(0x0806, &[9; 28]), "arp, not IPv4 over Ethernet");
}

#[test]
fn arp_speaks_as_people_know_it() {
    let of = |operation: u8, sender: [u8; 4]| {
        let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];
        bytes.extend([0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1]);
        bytes.extend(sender);
        bytes.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
        frame(&bytes, Layer::Ethernet)
    };
    let arp = |operation: u8| of(operation, [10, 0, 0, 1]);
    assert_eq!(summarize(&arp(1), &Numeric), "arp who-has 10.0.0.2 tell 10.0.0.1");
    assert_eq!(summarize(&arp(2), &Numeric), "arp 10.0.0.1 is-at 02:00:00:00:00:01");
    assert_eq!(summarize(&arp(1), &names()), "arp who-has server tell client");
    assert_eq!(summarize(&of(1, [0; 4]), &Numeric), "arp probe 10.0.0.2");
    assert_eq!(summarize(&of(1, [10, 0, 0, 2]), &Numeric), "arp announcement 10.0.0.2 is-at 02:00:00:00:00:01");
    assert_eq!(Summary::new(&of(1, [0; 4]), &names()).short().to_string(), "arp probe server");
    assert_eq!(Summary::new(&of(1, [10, 0, 0, 2]), &names()).short().to_string(), "arp announcement server");
    assert_eq!(summarize(&arp(9), &Numeric), "arp operation 9 of 10.0.0.1");
    assert_eq!(Summary::new(&arp(1), &names()).short().to_string(), "arp who-has server");
    assert_eq!(Summary::new(&arp(2), &names()).short().to_string(), "arp reply client");
}

/// The long and the short line of an ICMP message from the server to the client.
fn icmp(message: &[u8]) -> (String, String) {
    let mut message = message.to_vec();
    Icmpv4Packet::new_unchecked(message.as_mut_slice()).fill_checksum();
    let frame = frame(&ipv4(SERVER, CLIENT, IpProtocol::Icmp, &message), Layer::Ip);
    let (names, prefix) = (names(), "server > client: ");
    let summary = Summary::new(&frame, &names);
    (summary.to_string().strip_prefix(prefix).unwrap().to_owned(), summary.short().to_string())
}

fn both(long: &str, short: &str) -> (String, String) {
    (long.to_owned(), short.to_owned())
}

#[test]
fn echoes_have_an_ident_and_a_number() {
    let mut bytes = vec![0; 64];
    let repr = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 3, data: &[0; 56] };
    repr.emit(&mut Icmpv4Packet::new_unchecked(bytes.as_mut_slice()), &ChecksumCapabilities::default());
    assert_eq!(icmp(&bytes), both("ICMP echo request, id 7, seq 3, length 64", "echo request seq 3"));
    bytes[0] = 0;
    assert_eq!(icmp(&bytes), both("ICMP echo reply, id 7, seq 3, length 64", "echo reply seq 3"));
}

#[test]
fn errors_say_what_and_about_whom() {
    // RFC 792: the header and 64 bits of the datagram.
    let quoted = &ipv4(CLIENT, SERVER, IpProtocol::Udp, &[0x0f, 0xa0, 0x82, 0x9a, 0, 20, 0, 0, 1, 2])[..28];
    let error = |kind: u8, code: u8, word: u32| icmp(&[&[kind, code, 0, 0][..], &word.to_be_bytes(), quoted].concat());
    let about = "(about udp client.4000 > server.33434), length 36";
    let expect = |words: &str, short: &str| both(&format!("ICMP {words} {about}"), short);
    assert_eq!(error(11, 0, 0), expect("time exceeded in-transit", "time exceeded in-transit"));
    assert_eq!(error(11, 1, 0), expect("ip reassembly time exceeded", "reassembly time exceeded"));
    assert_eq!(error(3, 0, 0), expect("net server unreachable", "net unreachable"));
    assert_eq!(error(3, 1, 0), expect("host server unreachable", "host unreachable"));
    assert_eq!(error(3, 2, 0), expect("server protocol 17 unreachable", "unreachable - protocol"));
    assert_eq!(error(3, 3, 0), expect("server udp port 33434 unreachable", "port 33434 unreachable"));
    assert_eq!(error(3, 4, 1400), expect("server unreachable - need to frag (mtu 1400)", "need to frag (mtu 1400)"));
    assert_eq!(error(3, 4, 0).0, expect("server unreachable - need to frag", "").0);
    assert_eq!(
        error(3, 13, 0),
        expect("host server unreachable - admin prohibited filter", "host unreachable - admin prohibited filter")
    );
    assert_eq!(error(5, 1, 0x0a00_0001), expect("redirect server to host client", "redirect"));
    assert_eq!(error(12, 0, 0x0900_0000).0, expect("parameter problem - octet 9", "").0);
}

#[test]
fn an_error_about_an_echo_says_which() {
    let quoted = ipv4(CLIENT, SERVER, IpProtocol::Icmp, &[8, 0, 0, 0, 0, 7, 0, 3]);
    let (long, _) = icmp(&[&[11, 0, 0, 0, 0, 0, 0, 0][..], &quoted].concat());
    assert_eq!(long, "ICMP time exceeded in-transit (about icmp client > server id 7 seq 3), length 36");
}

#[test]
fn an_error_without_a_quotation_still_prints() {
    assert_eq!(icmp(&[3, 1, 0, 0, 0, 0, 0, 0]).0, "ICMP unreachable, length 8");
    assert_eq!(icmp(&[3, 3, 0, 0, 0, 0, 0, 0]), both("ICMP unreachable - port, length 8", "port unreachable"));
    assert_eq!(icmp(&[40, 2, 0, 0, 0, 0, 0, 0]), both("ICMP type-40 code-2, length 8", "ICMP type-40 code-2"));
}

/// The long and the short line of an ICMPv6 message.
fn icmpv6(message: &[u8]) -> (String, String) {
    let (source, destination): (Ipv6Address, Ipv6Address) =
        ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let mut message = message.to_vec();
    Icmpv6Packet::new_unchecked(message.as_mut_slice()).fill_checksum(&source, &destination);
    let bytes = [ipv6(IpProtocol::Icmpv6, message.len()), message].concat();
    let frame = frame(&bytes, Layer::Ip);
    let summary = Summary::new(&frame, &Numeric);
    let long = summary.to_string();
    (long.strip_prefix("2001:db8::1 > 2001:db8::2: ").unwrap().to_owned(), summary.short().to_string())
}

fn ipv6(protocol: IpProtocol, payload_len: usize) -> Vec<u8> {
    let (src_addr, dst_addr) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let repr = Ipv6Repr { src_addr, dst_addr, next_header: protocol, payload_len, hop_limit: 64 };
    let mut bytes = vec![0; 40];
    repr.emit(&mut Ipv6Packet::new_unchecked(bytes.as_mut_slice()));
    bytes
}

#[test]
fn icmpv6_is_spelled_as_tcpdump_does() {
    let quoted = [ipv6(IpProtocol::Udp, 8), vec![0x0f, 0xa0, 0x82, 0x9a, 0, 8, 0, 0]].concat();
    let error =
        |kind: u8, code: u8, word: u32| icmpv6(&[&[kind, code, 0, 0][..], &word.to_be_bytes(), &quoted].concat());
    let about = "(about udp 2001:db8::1.4000 > 2001:db8::2.33434), length 56";
    let expect = |words: &str, short: &str| both(&format!("ICMP6, {words} {about}"), short);
    assert_eq!(
        error(1, 4, 0),
        expect("destination unreachable, unreachable port, 2001:db8::2 udp port 33434", "port 33434 unreachable")
    );
    assert_eq!(error(1, 0, 0), expect("destination unreachable, unreachable route 2001:db8::2", "no route"));
    assert_eq!(error(2, 0, 1280), expect("packet too big, mtu 1280", "packet too big (mtu 1280)"));
    assert_eq!(error(3, 0, 0), expect("time exceeded in-transit", "time exceeded in-transit"));
    let solicitation =
        [&[135, 0, 0, 0, 0, 0, 0, 0][..], &"2001:db8::2".parse::<Ipv6Address>().unwrap().octets()].concat();
    assert_eq!(
        icmpv6(&solicitation),
        both("ICMP6, neighbor solicitation, who has 2001:db8::2, length 24", "nd who-has 2001:db8::2")
    );
    assert_eq!(icmpv6(&solicitation[..12]).0, "ICMP6, neighbor solicitation, who has [truncated], length 12");
    let better = |target: u8| {
        let mut address = [0; 16];
        (address[0], address[1], address[15]) = (0xfe, 0x80, target);
        address
    };
    let redirect = [&[137, 0, 0, 0, 0, 0, 0, 0][..], &better(2), &better(9)].concat();
    assert_eq!(icmpv6(&redirect).0, "ICMP6, redirect, fe80::9 to fe80::2, length 40");
    let mut echo = vec![0; 12];
    let repr = Icmpv6Repr::EchoRequest { ident: 1, seq_no: 2, data: &[0; 4] };
    let (source, destination) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let packet = &mut Icmpv6Packet::new_unchecked(echo.as_mut_slice());
    repr.emit(&source, &destination, packet, &ChecksumCapabilities::default());
    assert_eq!(icmpv6(&echo), both("ICMP6, echo request, id 1, seq 2, length 12", "echo request seq 2"));
}

#[test]
fn fragments_say_where_they_belong() {
    let mut first = ipv4(CLIENT, SERVER, IpProtocol::Udp, &[0x0f, 0xa0, 0, 9, 0x0b, 0xc0, 0, 0]);
    first[4..8].copy_from_slice(&[0, 7, 0x20, 0]);
    let mut second = first.clone();
    second[4..8].copy_from_slice(&[0, 7, 0, 185]);
    for bytes in [&mut first, &mut second] {
        Ipv4Packet::new_unchecked(bytes.as_mut_slice()).fill_checksum();
    }
    assert_eq!(line(&first, Layer::Ip), "client.4000 > server.9: UDP, length 3000, frag id 7, offset 0+");
    assert_eq!(line(&second, Layer::Ip), "client > server: udp, length 8, frag id 7, offset 1480");
    let short = |bytes: &[u8]| Summary::new(&frame(bytes, Layer::Ip), &Numeric).short().to_string();
    assert_eq!(short(&first), "UDP length 3000 frag 0:8+");
    assert_eq!(short(&second), "udp frag 1480:1488");
}

#[test]
fn hops_left_are_told_when_few_or_when_asked_for() {
    let with_ttl = |ttl: u8| {
        let mut bytes = ack(1, 1).frame().bytes().to_vec();
        bytes[8] = ttl;
        Ipv4Packet::new_unchecked(bytes.as_mut_slice()).fill_checksum();
        frame(&bytes, Layer::Ip)
    };
    assert!(summarize(&with_ttl(FEW_HOPS), &Numeric).ends_with("length 0 [ttl 32]"));
    assert!(summarize(&with_ttl(FEW_HOPS + 1), &Numeric).ends_with("length 0"));
    assert!(Summary::new(&with_ttl(64), &Numeric).with_hops().to_string().ends_with("length 0 [ttl 64]"));
}

#[test]
fn spanning_tree_messages_say_who_speaks_of_which_tree() {
    use crate::wire::bpdu::{BPDU_LLC, Bpdu, BpduKind, BpduRole, BpduTime, BridgeId};

    let bpdu = Bpdu {
        kind: BpduKind::Rapid,
        flags: 0x32,
        role: BpduRole::Designated,
        root: BridgeId { priority: 0x1000, mac: [2, 0, 0, 0, 0, 1] },
        cost: 20_000,
        bridge: BridgeId { priority: 0x8000, mac: [2, 0, 0, 0, 0, 2] },
        port: 0x8003,
        message_age: BpduTime(256),
        max_age: BpduTime(20 * 256),
        hello: BpduTime(2 * 256),
        forward_delay: BpduTime(15 * 256),
    };
    let spelled = |bpdu: Bpdu, cut: usize| {
        let mut bytes = vec![0; 12];
        let length = 3 + bpdu.len() - cut;
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend(BPDU_LLC);
        bytes.extend(&bpdu.emit()[..bpdu.len() - cut]);
        let frame = frame(&bytes, Layer::Ethernet);
        format!("{}\n{}\n", summarize(&frame, &names()), Summary::new(&frame, &names()).short())
    };
    let old = Bpdu { kind: BpduKind::Configuration, flags: 0, ..bpdu };
    let all = [(bpdu, 0), (old, 0), (Bpdu::NOTIFICATION, 0), (bpdu, 1)];
    let lines: String = all.into_iter().map(|(bpdu, cut)| spelled(bpdu, cut)).collect();
    insta::assert_snapshot!(lines, @"
    STP 802.1w, Rapid STP, Flags [Proposal, Learn, Forward], bridge-id 8000.02:00:00:00:00:02.8003, root-id 1000.02:00:00:00:00:01, root-pathcost 20000, port-role Designated, length 36
    RSTP Designated proposal cost 20000
    STP 802.1d, Config, Flags [none], bridge-id 8000.02:00:00:00:00:02.8003, root-id 1000.02:00:00:00:00:01, root-pathcost 20000, length 35
    STP Config cost 20000
    STP 802.1d, Topology Change
    STP Topology Change
    STP, unknown or truncated, length 35
    STP, unknown or truncated
    ");
}

#[test]
fn a_vlan_stands_before_what_is_in_it() {
    let mut bytes = vec![2; 12];
    bytes.extend([0x81, 0, 0x60, 10, 8, 0]);
    bytes.extend(ipv4(CLIENT, SERVER, IpProtocol::Udp, &[0x0f, 0xa0, 0, 9, 0, 8, 0, 0]));
    let frame = frame(&bytes, Layer::Ethernet);
    assert_eq!(summarize(&frame, &names()), "vlan 10, client.4000 > server.9: UDP, length 0");
    assert_eq!(Summary::new(&frame, &names()).short().to_string(), "vlan 10 UDP length 0");
}
