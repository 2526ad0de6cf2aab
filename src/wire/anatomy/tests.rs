//! Every byte of every frame is in one field, and nothing is too strange to be explained.

use proptest::prelude::*;

use super::*;
use crate::wire::summary::Numeric;

fn anatomy(bytes: &[u8], layer: Layer) -> Anatomy {
    let known = Known { hosts: &Numeric, stations: &BTreeMap::new(), relative: Relative::default() };
    Anatomy::of_bytes(bytes, layer, &known)
}

/// Takes bytes apart and checks that each bit is in exactly one field, in order.
fn checked(bytes: &[u8], layer: Layer) -> Anatomy {
    let anatomy = anatomy(bytes, layer);
    let mut at = 0;
    for field in anatomy.headers.iter().flat_map(|header| &header.fields) {
        assert_eq!(field.bits.start, at, "{}: {anatomy:?}", field.name);
        assert!(field.bits.end > at, "{} is empty: {anatomy:?}", field.name);
        at = field.bits.end;
        let (place, spelled) = (field.place(), field.spelled(bytes, 8));
        assert!(!place.is_empty() && !spelled.is_empty(), "{}", field.name);
    }
    assert_eq!(at, bytes.len() * 8, "{anatomy:?}");
    anatomy
}

fn names(anatomy: &Anatomy) -> Vec<&'static str> {
    anatomy.headers.iter().map(|header| header.name).collect()
}

fn field<'a>(anatomy: &'a Anatomy, header: &str, name: &str) -> &'a Field {
    let header = anatomy.headers.iter().find(|one| one.name == header).unwrap();
    header.fields.iter().find(|field| field.name == name).unwrap()
}

/// 10.0.0.1 > 10.0.0.2 with this protocol and payload, its checksum right.
fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 7, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = !smoltcp::wire::checksum::data(&bytes);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend(payload);
    crate::wire::frame::fill_transport_checksum(&mut bytes);
    bytes
}

fn udp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [source, destination, 8 + data.len() as u16, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(data);
    ipv4(17, &bytes)
}

fn tcp(port: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 0];
    bytes.extend(port.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0x80, 0, 0, 0, 0, 0]);
    bytes.extend(data);
    ipv4(6, &bytes)
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    bytes.extend(kind.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A query for `www.example.` and its answer, whose name points back at the question's.
fn dns() -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1, 3];
    bytes.extend(b"www\x07example\0\0\x01\0\x01");
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 80]);
    bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn a_whole_frame_is_named_from_the_outside_in() {
    let mut bytes = ethernet(0x8100, &[0x20, 10, 8, 0]);
    bytes.extend(udp(1000, 2000, b"hello"));
    bytes.resize(64, 0);
    let anatomy = checked(&bytes, Layer::Ethernet);
    assert_eq!(names(&anatomy), ["Ethernet", "VLAN tag", "IPv4", "UDP", "Data", "Padding"]);
    assert_eq!(field(&anatomy, "VLAN tag", "VLAN").value, "10");
    assert_eq!(field(&anatomy, "VLAN tag", "VLAN").place(), "14-15 bits 4-15");
    assert_eq!(field(&anatomy, "IPv4", "version").spelled(&bytes, 8), "0100 ....");
    assert_eq!(field(&anatomy, "UDP", "checksum").meaning, "right");
    assert_eq!(field(&anatomy, "Data", "text").value, "\"hello\"");
}

#[test]
fn a_wrong_checksum_is_told_with_the_right_one() {
    let right = udp(1000, 2000, b"hello");
    let sum = field(&checked(&right, Layer::Ip), "UDP", "checksum").value.clone();
    let mut wrong = right.clone();
    wrong[26] ^= 1;
    let found = field(&checked(&wrong, Layer::Ip), "UDP", "checksum").meaning.clone();
    assert_eq!(found, format!("wrong: {sum} would be right"));
    let header = field(&checked(&right, Layer::Ip), "IPv4", "header checksum").value.clone();
    let mut wrong = right;
    wrong[8] = 63;
    wrong[10..12].fill(0);
    assert!(field(&checked(&wrong, Layer::Ip), "IPv4", "header checksum").meaning.starts_with("wrong: 0x"));
    assert_ne!(header, "0x0000");
}

#[test]
fn what_stands_above_is_known_by_its_port_or_its_beginning() {
    let cases: [(Vec<u8>, &str); 6] = [
        (udp(4000, 53, &dns()), "DNS"),
        (tcp(53, &[&[0, dns().len() as u8], &dns()[..]].concat()), "DNS over TCP"),
        (tcp(80, b"GET /a HTTP/1.1\r\nHost: www\r\n\r\nbody"), "HTTP request"),
        (tcp(8080, b"HTTP/1.1 404 Not Found\r\nServer: x"), "HTTP response"),
        (tcp(443, &[21, 3, 3, 0, 2, 2, 48]), "TLS record"),
        (udp(520, 520, &[2, 2, 0, 0, 0, 2, 0, 0, 10, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "RIP"),
    ];
    for (bytes, name) in cases {
        assert_eq!(checked(&bytes, Layer::Ip).headers[2].name, name);
    }
    let anatomy = checked(&udp(4000, 53, &dns()), Layer::Ip);
    assert_eq!(field(&anatomy, "DNS answer", "name").value, "www.example.");
    assert_eq!(field(&anatomy, "DNS answer", "address").value, "192.0.2.80");
    assert_eq!(field(&anatomy, "DNS additional record", "UDP size").value, "1232");
    let anatomy = checked(&tcp(443, &[21, 3, 3, 0, 2, 2, 48]), Layer::Ip);
    assert_eq!(field(&anatomy, "TLS record", "description").meaning, "unknown certificate authority");
}

#[test]
fn a_name_that_points_at_itself_ends() {
    let mut bytes = vec![0; 12];
    bytes[5] = 1;
    bytes.extend([0xc0, 12, 0, 1, 0, 1]);
    let anatomy = checked(&udp(4000, 53, &bytes), Layer::Ip);
    assert!(field(&anatomy, "DNS question", "name").meaning.contains("circle"));
}

#[test]
fn an_error_quotes_a_packet_one_level_deeper() {
    let quoted = udp(4000, 33434, b"probe");
    let mut message = vec![11, 0, 0, 0, 0, 0, 0, 0];
    message.extend(&quoted[..28]);
    let anatomy = checked(&ipv4(1, &message), Layer::Ip);
    let found: Vec<(&str, u8)> = anatomy.headers.iter().map(|header| (header.name, header.depth)).collect();
    assert_eq!(found, [("IPv4", 0), ("ICMP", 0), ("IPv4", 1), ("UDP", 1)]);
    assert_eq!(field(&anatomy, "UDP", "checksum").meaning, "cannot be checked: not all that it covers is here");
}

#[test]
fn a_frame_cut_off_anywhere_is_explained_as_far_as_it_goes() {
    let mut whole = ethernet(0x0800, &tcp(443, &[22, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3, 1, 2, 3]));
    whole.extend([0; 4]);
    for length in 0..=whole.len() {
        checked(&whole[..length], Layer::Ethernet);
    }
    let cut = checked(&whole[..20], Layer::Ethernet);
    assert!(cut.headers.iter().any(|header| header.is_cut_short));
}

/// Bytes that look like something, so that the walk goes deep.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = || prop::collection::vec(any::<u8>(), 0..120);
    let transport = prop_oneof![
        any_bytes(),
        (prop::sample::select(vec![53_u16, 67, 68, 520, 521, 5353, 9]), any_bytes())
            .prop_map(|(port, data)| { udp(if port == 67 { 68 } else { port }, port, &data)[20..].to_vec() }),
        (prop::sample::select(vec![53_u16, 80, 443]), any_bytes())
            .prop_map(|(port, data)| tcp(port, &data)[20..].to_vec()),
        any_bytes().prop_map(|data| tcp(443, &[&[22, 3, 3, 0, 60, 1, 0, 0, 50][..], &data].concat())[20..].to_vec()),
        any_bytes().prop_map(|data| tcp(80, &[b"GET / HTTP/1.1\r\n", &data[..]].concat())[20..].to_vec()),
        (0_u8..20, any_bytes()).prop_map(|(kind, data)| [&[kind, 0, 0, 0], &data[..]].concat()),
        (prop::sample::select(vec![1_u8, 2, 3, 4, 128, 130, 133, 134, 135, 136, 137, 143]), any_bytes())
            .prop_map(|(kind, data)| [&[kind, 0, 0, 0], &data[..]].concat()),
        (1_u8..6, any_bytes()).prop_map(|(kind, data)| {
            let mut bytes = vec![2, kind, 0, 24 + data.len() as u8];
            bytes.resize(24, 0);
            bytes.extend(data);
            bytes
        }),
        any_bytes().prop_map(|data| {
            let mut bytes = vec![1, 1, 6, 0];
            bytes.resize(236, 0);
            bytes.extend([0x63, 0x82, 0x53, 0x63]);
            bytes.extend(data);
            udp(68, 67, &bytes)[20..].to_vec()
        }),
    ];
    let packet = (
        prop::sample::select(vec![0x45_u8, 0x46, 0x4f, 0x60, 0x61, 0x40]),
        prop::sample::select(vec![0_u8, 1, 6, 17, 43, 44, 58, 59, 60, 89]),
        any::<[u8; 36]>(),
        transport,
    )
        .prop_map(|(first, protocol, noise, transport)| {
            let mut bytes = noise.to_vec();
            bytes.insert(0, first);
            let (is_v4, header) = (first < 0x60, usize::from(first & 15) * 4);
            bytes.resize(if is_v4 { header.max(20) } else { 40 }, 0);
            if is_v4 {
                let total = (bytes.len() + transport.len()) as u16;
                bytes[2..4].copy_from_slice(&total.to_be_bytes());
                bytes[6] &= 0xe0;
                bytes[7] = 0;
                bytes[9] = protocol;
            } else {
                bytes[4..6].copy_from_slice(&(transport.len() as u16).to_be_bytes());
                bytes[6] = protocol;
            }
            bytes.extend(transport);
            bytes
        });
    (
        prop::sample::select(vec![0x0800_u16, 0x0806, 0x8100, 0x86dd, 38, 0x1234]),
        packet,
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        any::<prop::sample::Index>(),
        0_u8..4,
    )
        .prop_map(|(kind, packet, flips, end, cut)| {
            let mut bytes = ethernet(kind, &packet);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut == 0 {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_bit_of_any_bytes_is_in_exactly_one_field(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        checked(&bytes, Layer::Ethernet);
        checked(&bytes, Layer::Ip);
    }

    #[test]
    fn every_bit_of_what_looks_like_a_frame_is_in_exactly_one_field(bytes in likely()) {
        checked(&bytes, Layer::Ethernet);
        if let Some(packet) = bytes.get(14..) {
            checked(packet, Layer::Ip);
        }
    }
}
