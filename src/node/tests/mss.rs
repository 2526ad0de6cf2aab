//! MSS clamping: SYNs that pass a router announce what fits its links.

use smoltcp::wire::{IpProtocol, TcpPacket};

use super::lab::*;
use crate::node::machine::MachineSpec;
use crate::node::{Machine, Node as _};
use crate::record::Value;

const A: &str = "10.0.1.10";
const B: &str = "10.0.2.20";

/// A router 10.0.1.1, 10.0.2.1 between links of 1500 and 1400 bytes, that knows 10.0.1.10 and 10.0.2.20.
fn router(clamps: bool) -> Lab {
    let mut lab = Lab::new();
    let spec =
        MachineSpec::router("r", 1).interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
    let mut spec = knowing(knowing(spec, 0, A, 10), 1, B, 20);
    spec.ipv4.clamps_mss = clamps;
    lab.add("r", Machine::new(spec));
    lab.set_link(0, 1, true, 1400);
    lab
}

/// A segment with these flags that announces `mss`.
fn segment(source: &str, destination: &str, flags: &str, mss: u16) -> Packet {
    let bare = Packet::tcp(source, destination, flags, b"").bytes.split_off(20);
    let mut segment = [&bare[..], &[1, 2, 4], &mss.to_be_bytes(), &[1, 1, 0]].concat();
    TcpPacket::new_unchecked(&mut segment).set_header_len(28);
    Packet::new(source, destination, IpProtocol::Tcp, &segment)
}

/// What a segment announces behind the router, its checksums right.
fn behind(lab: &mut Lab, port: u16, packet: &Packet) -> u16 {
    lab.log.clear();
    let number = if port == 0 { 10 } else { 20 };
    lab.arrive(0, port, &packet.clone().framed(mac(number), mac(1 + port as u8)));
    let frame = lab.sent_by(0).pop().unwrap();
    let mut again = frame[14..].to_vec();
    crate::wire::frame::fill_transport_checksum(&mut again);
    assert_eq!(again, frame[14..], "the checksum was mended wrongly");
    u16::from_be_bytes([frame[14 + 20 + 23], frame[14 + 20 + 24]])
}

#[test]
fn syns_both_ways_announce_what_fits_the_narrower_link() {
    let mut lab = router(true);
    // 1400 - 40, whichever way it goes and whichever link is the narrow one.
    assert_eq!(behind(&mut lab, 0, &segment(A, B, "S", 1460)), 1360);
    assert_eq!(behind(&mut lab, 1, &segment(B, A, "S.", 1460)), 1360);
    // Also once the destination is in the cache of hops.
    assert_eq!(behind(&mut lab, 0, &segment(A, B, "S", 9000)), 1360);
    assert_eq!(lab.machine(0).counter("ip.mss_clamped"), Some(Value::Integer(3)));
}

#[test]
fn what_fits_or_is_no_syn_is_left_alone() {
    let mut lab = router(true);
    assert_eq!(behind(&mut lab, 0, &segment(A, B, "S", 1360)), 1360);
    assert_eq!(behind(&mut lab, 0, &segment(A, B, "S", 536)), 536);
    assert_eq!(behind(&mut lab, 0, &segment(A, B, ".", 1460)), 1460);
    assert_eq!(lab.machine(0).counter("ip.mss_clamped"), Some(Value::Integer(0)));
    assert_eq!(behind(&mut router(false), 0, &segment(A, B, "S", 1460)), 1460);
}

#[test]
fn a_syn_without_the_option_passes_unchanged_but_for_its_hop() {
    let mut lab = router(true);
    let sent = Packet::tcp(A, B, "S", b"").finish();
    lab.arrive(0, 0, &framed(&sent, smoltcp::wire::EthernetProtocol::Ipv4, mac(10), mac(1)));
    assert_eq!(lab.sent_by(0)[0][14 + 20..], sent[20..]);
}

#[test]
fn the_clamped_number_is_noted() {
    let mut lab = router(true);
    lab.arrive(0, 0, &segment(A, B, "S", 1460).framed(mac(10), mac(1)));
    assert!(lab.told().starts_with("0.000 r # mss: 10.0.1.10 > 10.0.2.20: 1460 becomes 1360\n"));
}
