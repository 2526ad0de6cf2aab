//! A capture read back by the letter of its format.

use super::*;
use crate::output::testing::*;
use crate::wire::Pool;

/// Code and value of each option.
type Options = Vec<(u16, Vec<u8>)>;

/// What a reader of the file finds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Capture {
    interfaces: Vec<(u16, Options)>,
    names: Options,
    packets: Vec<Read>,
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    interface: u32,
    nanos: u64,
    bytes: Vec<u8>,
    options: Options,
}

impl Read {
    fn option(&self, code: u16) -> &[u8] {
        self.options.iter().find(|(found, _)| *found == code).map_or(&[], |(_, value)| value)
    }

    fn comment(&self) -> &str {
        std::str::from_utf8(self.option(1)).unwrap()
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Reads options or records up to their end; what follows must be nothing.
fn options(mut bytes: &[u8]) -> Options {
    let mut found = Vec::new();
    loop {
        let (code, length) = (u16_at(bytes, 0), usize::from(u16_at(bytes, 2)));
        if code == 0 {
            assert_eq!((length, bytes.len()), (0, 4));
            return found;
        }
        found.push((code, bytes[4..4 + length].to_vec()));
        assert!(bytes[4 + length..4 + length.next_multiple_of(4)].iter().all(|byte| *byte == 0));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

fn read(mut bytes: &[u8]) -> Capture {
    let mut capture = Capture::default();
    let mut is_first = true;
    while !bytes.is_empty() {
        let (kind, length) = (u32_at(bytes, 0), u32_at(bytes, 4) as usize);
        assert_eq!(length % 4, 0);
        assert_eq!(u32_at(bytes, length - 4) as usize, length);
        let body = &bytes[8..length - 4];
        match kind {
            0x0a0d_0d0a => {
                assert!(is_first);
                assert_eq!((u32_at(body, 0), u16_at(body, 4), u16_at(body, 6)), (0x1a2b_3c4d, 1, 0));
                options(&body[16..]);
            }
            1 => capture.interfaces.push((u16_at(body, 0), options(&body[8..]))),
            4 => capture.names.extend(options(body)),
            6 => {
                let captured = u32_at(body, 12) as usize;
                assert_eq!(captured, u32_at(body, 16) as usize);
                let packet = Read {
                    interface: u32_at(body, 0),
                    nanos: u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8)),
                    bytes: body[20..20 + captured].to_vec(),
                    options: options(&body[20 + captured.next_multiple_of(4)..]),
                };
                assert!((packet.interface as usize) < capture.interfaces.len(), "described before it is used");
                capture.packets.push(packet);
            }
            other => panic!("block {other:#x}"),
        }
        is_first = false;
        bytes = &bytes[length..];
    }
    assert!(capture.packets.is_sorted_by_key(|packet| packet.nanos));
    capture
}

fn captured(options: PcapngOptions, story: fn(&mut dyn Observer)) -> Capture {
    let sink = Sink::memory();
    story(&mut Pcapng::new(options, sink.clone()));
    sink.close().unwrap();
    read(&sink.take_bytes())
}

/// One line per packet: time, interface, direction, length, comment.
fn listing(capture: &Capture) -> String {
    let line = |packet: &Read| {
        let name = capture.interfaces[packet.interface as usize].1.iter().find(|(code, _)| *code == 2).unwrap();
        let direction = if packet.option(2) == [1, 0, 0, 0] { "in " } else { "out" };
        let name = String::from_utf8_lossy(&name.1);
        format!("{:>11} {name:<11} {direction} {:>3} {}", packet.nanos, packet.bytes.len(), packet.comment())
    };
    capture.packets.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_lost_frame_is_there_once_and_says_why() {
    let capture = captured(PcapngOptions::default(), lossy_handshake);
    insta::assert_snapshot!(listing(&capture), @r"
             0 client:eth0 out  58 #1
       1004000 r1:lan      in   58 #1
       1004000 r1:wan      out  58 #2 forwards #1; dropped on wan: lose-first-syn (fault)
    1000000000 client:eth0 out  58 #3 resends #1
    1001004000 r1:lan      in   58 #3 resends #1
    1001004000 r1:wan      out  58 #4 forwards #3; copied as #5 by wan/ab/duplicate
    1021004000 server:eth0 in   58 #4 forwards #3
    1021004000 server:eth0 out  58 #6 answers #4
    1021004000 server:eth0 in   58 #5 copy of #4; dropped by server: stale-segment (RFC 9293 §3.10.7)
    1041004000 r1:wan      in   58 #6 answers #4
    1041004000 r1:lan      out  58 #7 forwards #6
    1042008000 client:eth0 in   58 #7 forwards #6
    1042008000 client:eth0 out  59 #8 answers #7; still on its way at the end
    ");
}

#[test]
fn each_misfortune_is_a_comment() {
    let capture = captured(PcapngOptions::default(), misfortunes);
    insta::assert_snapshot!(listing(&capture), @r"
           0 client:eth0 out  42 #1
      500000 r1:lan      in   42 #1
      500000 r1:lan      out  42 #2 answers #1
     1000000 client:eth0 in   42 #2 answers #1
     1000000 client:eth0 out  47 #3
     1500000 r1:lan      in   47 #3; dropped by r1: ttl-expired (RFC 791 §3.2)
     2000000 r1:wan      out  47 #4; bit 3 of byte 42 flipped by wan/ab/duplicate
    22000000 server:eth0 in   47 #4; damaged on its way; dropped by server: bad-checksum (RFC 1122 §3.2.1.2, §4.2.2.7)
    30000000 r1:wan      out  47 #5; held back for 30ms by wan/ab/duplicate; dropped on wan 10.0 ms later: link-down
    ");
}

#[test]
fn bytes_times_and_packet_ids_are_exact() {
    let capture = captured(PcapngOptions::default(), lossy_handshake);
    let first = &capture.packets[0];
    assert_eq!(first.bytes, tcp_out(smoltcp::wire::TcpControl::Syn, 1000, None, b"", 64));
    assert_eq!((first.nanos, capture.packets[1].nanos), (0, 1_004_000));
    // Outbound and inbound are the same packet.
    assert_eq!((first.option(5), capture.packets[1].option(5)), (&1_u64.to_le_bytes()[..], &1_u64.to_le_bytes()[..]));
}

#[test]
fn each_link_end_is_an_interface_with_its_link_speed_and_resolution() {
    let rates = vec![(wan(), "10Mbit".parse().unwrap())];
    let capture = captured(PcapngOptions { rates, hosts: hosts(), ..Default::default() }, lossy_handshake);
    let text = |value: &str| value.as_bytes().to_vec();
    let [client, lan, fast, server] = capture.interfaces.try_into().unwrap();
    assert_eq!(client, (1, vec![(2, text("client:eth0")), (3, text("access")), (9, vec![9])]));
    assert_eq!(lan.1[0], (2, text("r1:lan")));
    let speed = 10_000_000_u64.to_le_bytes().to_vec();
    assert_eq!(fast, (1, vec![(2, text("r1:wan")), (3, text("wan")), (8, speed), (9, vec![9])]));
    assert_eq!(server.1[0], (2, text("server:eth0")));
    assert_eq!(capture.names[0], (1, b"\x0a\x00\x01\x0aclient\0".to_vec()));
}

#[test]
fn only_the_named_places_are_captured_but_every_fate_is_known() {
    let places = Places::new(vec!["r1:wan".into()]);
    let capture = captured(PcapngOptions { places, ..Default::default() }, misfortunes);
    assert_eq!(capture.interfaces.len(), 1);
    insta::assert_snapshot!(listing(&capture), @r"
     2000000 r1:wan      out  47 #4; bit 3 of byte 42 flipped by wan/ab/duplicate; dropped by server: bad-checksum (RFC 1122 §3.2.1.2, §4.2.2.7)
    30000000 r1:wan      out  47 #5; held back for 30ms by wan/ab/duplicate; dropped on wan 10.0 ms later: link-down
    ");
}

#[test]
fn a_bare_packet_gets_an_interface_of_its_own_kind() {
    let capture = captured(PcapngOptions::default(), |observer| {
        let mut teller = Teller::new(observer);
        let mut packet = Frame::new(Pool::default().copy(&udp(b"x", 64)[14..]), Layer::Ip);
        packet.id = Some(id(R1, 0));
        teller.sent(5, R1, WAN, &packet);
        teller.delivered(7, SERVER, ETH0, &packet);
        teller.finish(1);
    });
    let kinds: Vec<u16> = capture.interfaces.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [1, 1, 1, 1, 101, 101]);
    assert_eq!(capture.packets.iter().map(|packet| packet.interface).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_frame_whose_fate_stays_unknown_does_not_hold_the_others_forever() {
    let sink = Sink::memory();
    let mut pcapng = Pcapng::new(PcapngOptions::default(), sink.clone());
    let mut teller = Teller::new(&mut pcapng);
    let lost = frame(&arp_request(), id(CLIENT, 0), None);
    teller.sent(0, CLIENT, ETH0, &lost);
    // Each of the others makes two packets.
    for count in 0..HELD_MAX as u32 / 2 {
        let other = frame(&arp_reply(), id(R1, count), None);
        teller.sent(1 + u64::from(count), R1, LAN, &other);
        teller.delivered(1 + u64::from(count), CLIENT, ETH0, &other);
    }
    teller.tell(1_000_000, Place::Node(R1), What::Note { app: None, text: "later" });
    let capture = read(&sink.take_bytes());
    assert_eq!(capture.packets.len(), 1 + HELD_MAX);
    assert_eq!(capture.packets[0].comment(), "#1; still on its way when this was written");
    // Told too late, and so to nobody.
    teller.dropped(1_000_001, Place::Pipe(PipeId(0)), &lost, Cause::LinkDown, None);
    teller.finish(2_000);
    assert_eq!(read(&sink.take_bytes()), Capture::default());
}
