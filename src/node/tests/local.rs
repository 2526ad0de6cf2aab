//! What a machine sends by itself, to others and to itself.

use std::time::Duration;

use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::id::PortId;
use crate::node::machine::{InterfaceSpec, MachineSpec, RouteKind, RouteSpec};
use crate::node::{Command, Machine, Node as _};
use crate::record::Cause;
use crate::wire::Layer;

/// A host with two links: 10.0.1.1 on port 0, 10.0.2.1 on port 1, and a default route by 10.0.1.254.
fn host() -> Lab {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("h", 1).interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
    let spec = spec.route(default_via("10.0.1.254"));
    let spec = spec.route(RouteSpec::refusing("10.66.0.0/16".parse().unwrap(), RouteKind::Unreachable));
    let spec = knowing(knowing(knowing(spec, 0, "10.0.1.254", 0x54), 0, "10.0.1.9", 0x19), 1, "10.0.2.9", 0x29);
    lab.add("h", Machine::new(spec));
    lab
}

fn send(lab: &mut Lab, port: Option<u16>, packet: Packet) -> String {
    lab.log.clear();
    let command = Command::Inject { port: port.map(PortId), layer: Layer::Ip, bytes: packet.finish() };
    lab.command(0, &command).unwrap();
    lab.told()
}

#[test]
fn what_is_for_the_machine_itself_never_reaches_a_link() {
    let mut lab = host();
    for own in ["10.0.1.1", "10.0.2.1", "127.0.0.1", "127.9.9.9"] {
        lab.log.clear();
        lab.send_ip(0, Packet::udp("10.0.1.1", own, 9, b"").finish());
        assert_eq!(lab.sent_by(0).len(), 0, "{own}");
        // The datagram, and the complaint that comes back to nobody.
        assert_eq!(lab.drops_of(0), [Cause::NobodyListens, Cause::NobodyListens], "{own}");
    }
}

#[test]
fn a_ping_to_oneself_goes_round() {
    let mut lab = host();
    lab.send_ip(0, Packet::ping("127.0.0.1", "127.0.0.1", b"").finish());
    insta::assert_snapshot!(lab.told(), @r"
    0.000 h x nobody-listens: 127.0.0.1 > 127.0.0.1 ttl 64 echo reply, length 8
    ");
}

#[test]
fn loopback_addresses_do_not_leave_the_machine() {
    let mut lab = host();
    let told = send(&mut lab, None, Packet::udp("127.0.0.1", "10.0.1.9", 9, b""));
    assert!(told.contains("h x martian"), "{told}");
    let told = send(&mut lab, Some(0), Packet::udp("10.0.1.1", "127.0.0.1", 9, b""));
    assert!(told.contains("h x martian"), "{told}");
}

#[test]
fn packets_take_their_routes() {
    let mut lab = host();
    let mut next = |destination: &str, port| {
        lab.log.clear();
        let bytes = Packet::udp("10.0.1.1", destination, 9, b"").finish();
        lab.command(0, &Command::Inject { port, layer: Layer::Ip, bytes }).unwrap();
        let what = lab.log.last().map(|entry| entry.what.clone());
        let Some(Happened::Sent { port, bytes, .. }) = what else { panic!("{what:?}") };
        (port, EthernetAddress::from_bytes(&bytes[..6]))
    };
    let everybody = EthernetAddress::BROADCAST;
    assert_eq!(next("10.0.1.9", None), (0, mac(0x19)));
    assert_eq!(next("10.0.2.9", None), (1, mac(0x29)));
    assert_eq!(next("192.0.2.1", None), (0, mac(0x54)));
    assert_eq!(next("10.0.2.255", None), (1, everybody));
    assert_eq!(next("255.255.255.255", None), (0, everybody));
    assert_eq!(next("255.255.255.255", Some(PortId(1))), (1, everybody));
    // RFC 1112 §6.4: the low 23 bits; 224.128.64.32 shares its address with 224.0.64.32.
    assert_eq!(next("224.128.64.32", Some(PortId(1))), (1, EthernetAddress([1, 0, 0x5e, 0, 64, 32])));
    // Through a port that no route leads through: the destination is looked for on its link.
    assert_eq!(next("10.0.2.9", Some(PortId(1))), (1, mac(0x29)));
}

#[test]
fn what_no_route_leads_to_is_dropped_with_its_cause() {
    let mut lab = Lab::new();
    lab.add("h", Machine::new(MachineSpec::host("h", 1).interface(interface(1, "10.0.1.1/24"))));
    assert!(send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.2.1", 9, b"")).contains("h x no-route"));
    assert!(send(&mut host(), None, Packet::udp("10.0.1.1", "10.66.0.1", 9, b"")).contains("h x no-route"));
}

#[test]
fn a_machine_fragments_its_own_packets_unless_told_not_to() {
    let mut lab = host();
    // 1500 - 20 - 8 = 1472.
    assert!(send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.1.9", 9, &[0; 1472])).contains("length 1472"));
    let told = send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.1.9", 9, &[0; 1473]));
    assert!(told.contains("frag 1480@0+") && told.contains("frag 1@1480\n"), "{told}");
    let told = send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.1.9", 9, &[0; 1473]).dont_fragment());
    assert!(told.contains("h x fragmentation-needed"), "{told}");
}

#[test]
fn a_configured_mtu_does_not_follow_the_link() {
    let mut lab = Lab::new();
    let with_mtu = InterfaceSpec { mtu: Some(1000), ..interface(1, "10.0.1.1/24") };
    lab.add("h", Machine::new(knowing(MachineSpec::host("h", 1).interface(with_mtu), 0, "10.0.1.9", 9)));
    lab.set_link(0, 0, true, 1500);
    assert!(send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.1.9", 9, &[0; 973])).contains("frag"));
    let mut lab = host();
    lab.set_link(0, 0, true, 9000);
    assert!(send(&mut lab, None, Packet::udp("10.0.1.1", "10.0.1.9", 9, &[0; 8972])).contains("length 8972"));
}

#[test]
fn a_frame_is_injected_as_it_is() {
    let mut lab = host();
    let bytes = vec![7; 60];
    let inject = |port| Command::Inject { port, layer: Layer::Ethernet, bytes: bytes.clone() };
    lab.command(0, &inject(Some(PortId(1)))).unwrap();
    assert_eq!(lab.sent_by(0)[0], bytes);
    assert!(lab.command(0, &inject(None)).unwrap_err().contains("several interfaces"));
    assert!(lab.command(0, &inject(Some(PortId(2)))).unwrap_err().contains("no port 2"));
    let nonsense = Command::Inject { port: None, layer: Layer::Ip, bytes: vec![0x60; 40] };
    assert!(lab.command(0, &nonsense).unwrap_err().contains("not an IPv4 packet"));
}

#[test]
fn injected_packets_keep_their_wrong_checksums() {
    let mut lab = pair();
    let mut bytes = Packet::udp("10.0.0.1", "10.0.0.2", 9, b"hi").finish();
    *bytes.last_mut().unwrap() ^= 1;
    lab.send_ip(0, bytes);
    lab.run_for(Duration::from_secs(1));
    assert_eq!(lab.drops_of(1), [Cause::BadChecksum]);
}

#[test]
fn the_views_read_as_people_know_them() {
    let mut lab = host();
    let now = lab.now;
    insta::assert_snapshot!(lab.machine(0).show("addr", now).unwrap(), @r"
    lo: <LOOPBACK,UP> mtu 65535
        inet 127.0.0.1/8
    eth1: <BROADCAST,MULTICAST,UP> mtu 1500
        link/ether 02:00:00:00:00:01
        inet 10.0.1.1/24 brd 10.0.1.255
    eth2: <BROADCAST,MULTICAST,UP> mtu 1500
        link/ether 02:00:00:00:00:02
        inet 10.0.2.1/24 brd 10.0.2.255
    ");
    insta::assert_snapshot!(lab.machine(0).show("route", now).unwrap(), @r"
    default via 10.0.1.254 dev eth1
    unreachable 10.66.0.0/16
    10.0.1.0/24 dev eth1 proto kernel scope link src 10.0.1.1
    10.0.2.0/24 dev eth2 proto kernel scope link src 10.0.2.1
    ");
    insta::assert_snapshot!(lab.machine(0).show("neigh", now).unwrap(), @r"
    10.0.1.9 dev eth1 lladdr 02:00:00:00:00:19 PERMANENT
    10.0.1.254 dev eth1 lladdr 02:00:00:00:00:54 PERMANENT
    10.0.2.9 dev eth2 lladdr 02:00:00:00:00:29 PERMANENT
    ");
    assert_eq!(lab.machine(0).show("weather", now), None);
    assert!(Machine::VIEWS.iter().all(|view| lab.machine(0).show(view, now).is_some()));
}

#[test]
fn counters_have_a_fixed_order_and_are_found_by_name() {
    let mut lab = host();
    lab.send_ip(0, Packet::ping("127.0.0.1", "127.0.0.1", b"").finish());
    let machine = lab.machine(0);
    for (name, value) in machine.counters() {
        assert_eq!(machine.counter(&name), Some(value), "{name}");
    }
    assert_eq!(machine.counter("ip.nonsense"), None);
}
