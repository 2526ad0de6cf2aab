//! What machines promise over IPv6: stories on small networks.

mod autoconfiguration;
mod deliver;
mod discovery;
mod duplicate;
mod firewall;
mod forward;
mod fragments;
mod hostile;
mod learned;
mod path_mtu;
mod programs;
mod redirect;
mod rules;
mod zones;

use std::net::Ipv6Addr;

use smoltcp::wire::{EthernetAddress, EthernetProtocol, IpProtocol, Ipv6Packet, TcpPacket, UdpPacket};

use super::lab::{Lab, default_via, framed, interface, mac};

use crate::node::machine::{MachineSpec, NdSettings, RouteSpec};
use crate::node::{Machine, Node};
use crate::time::Time;

/// When addresses have been checked.
const READY: Time = Time::from_secs(1);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn default6(router: &str) -> RouteSpec {
    RouteSpec::via("::/0".parse().unwrap(), router.parse().unwrap())
}

/// a (2001:db8:1::a) ── b (2001:db8:1::b): hosts 0 and 1, their addresses checked, nothing told of that.
fn pair() -> Lab {
    ready(unready_pair())
}

fn unready_pair() -> Lab {
    let mut lab = Lab::new();
    lab.add("a", Machine::new(MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64"))));
    lab.add("b", Machine::new(MachineSpec::host("b", 1).interface(interface(2, "2001:db8:1::b/64"))));
    lab.wire((0, 0), (1, 0));
    lab
}

/// Starts everybody and waits until addresses have been checked.
fn ready(mut lab: Lab) -> Lab {
    lab.start();
    // One wire later nobody has anything left to say.
    lab.run_until(READY + super::lab::WIRE_DELAY * 2);
    lab.log.clear();
    lab
}

/// a (2001:db8:1::a) ── r (2001:db8:1::1, 2001:db8:2::1) ── b (2001:db8:2::b): nodes 0, 1 and 2, ready.
///
/// Nobody checks addresses, so that time begins at zero; who is where is found out by the first packet.
fn routed() -> Lab {
    let mut lab = Lab::new();
    let a = MachineSpec::host("a", 1).interface(interface(1, "2001:db8:1::a/64")).route(default6("2001:db8:1::1"));
    let b = MachineSpec::host("b", 1).interface(interface(4, "2001:db8:2::b/64")).route(default6("2001:db8:2::1"));
    let r = MachineSpec::router("r", 1)
        .interface(interface(2, "2001:db8:1::1/64"))
        .interface(interface(3, "2001:db8:2::1/64"));
    lab.add("a", Machine::new(unchecked(a)));
    lab.add("r", Machine::new(unchecked(r)));
    lab.add("b", Machine::new(unchecked(b)));
    lab.wire((0, 0), (1, 0));
    lab.wire((1, 1), (2, 0));
    lab.start();
    lab.run_until(Time::ZERO + super::lab::WIRE_DELAY * 2);
    lab.log.clear();
    lab
}

/// The same machine, without duplicate address detection.
fn unchecked(mut spec: MachineSpec) -> MachineSpec {
    let nd = NdSettings { dad_transmits: 0, ..NdSettings::default() };
    spec.ipv6.nd = nd;
    spec
}

/// An IPv6 packet, its transport checksum right once `finish`ed.
#[derive(Debug, Clone)]
struct Packet6 {
    bytes: Vec<u8>,
}

impl Packet6 {
    fn new(source: &str, destination: &str, protocol: IpProtocol, payload: &[u8]) -> Self {
        let mut bytes = vec![0; 40];
        bytes.extend(payload);
        let mut ip = Ipv6Packet::new_unchecked(&mut bytes);
        ip.set_version(6);
        ip.set_payload_len(payload.len() as u16);
        ip.set_hop_limit(64);
        ip.set_next_header(protocol);
        ip.set_src_addr(v6(source));
        ip.set_dst_addr(v6(destination));
        Self { bytes }
    }

    /// From port 4000.
    fn udp(source: &str, destination: &str, port: u16, payload: &[u8]) -> Self {
        let mut datagram = vec![0; 8];
        datagram.extend(payload);
        let length = datagram.len();
        let mut udp = UdpPacket::new_unchecked(&mut datagram);
        udp.set_src_port(4000);
        udp.set_dst_port(port);
        udp.set_len(length as u16);
        Self::new(source, destination, IpProtocol::Udp, &datagram)
    }

    fn ping(source: &str, destination: &str, payload: &[u8]) -> Self {
        let message = [&[128, 0, 0, 0, 0x12, 0x34, 0, 1], payload].concat();
        Self::new(source, destination, IpProtocol::Icmpv6, &message)
    }

    fn icmp(source: &str, destination: &str, message: &[u8]) -> Self {
        Self::new(source, destination, IpProtocol::Icmpv6, message)
    }

    /// From port 4000 to port 80.
    fn syn(source: &str, destination: &str) -> Self {
        let mut segment = vec![0; 20];
        let mut tcp = TcpPacket::new_unchecked(&mut segment);
        tcp.set_src_port(4000);
        tcp.set_dst_port(80);
        tcp.set_seq_number(smoltcp::wire::TcpSeqNumber(100));
        tcp.set_header_len(20);
        tcp.set_syn(true);
        Self::new(source, destination, IpProtocol::Tcp, &segment)
    }

    fn hops(mut self, limit: u8) -> Self {
        self.bytes[7] = limit;
        self
    }

    /// With this extension header in front of everything, its checksum filled in before.
    fn extended(self, kind: u8, header: &[u8]) -> Self {
        let mut bytes = self.finish();
        let was = std::mem::replace(&mut bytes[6], kind);
        let mut header = header.to_vec();
        header[0] = was;
        bytes.splice(40..40, header);
        let length = bytes.len() - 40;
        bytes[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        Self { bytes }
    }

    /// A part of a packet behind a fragment header.
    fn fragment(&self, ident: u32, range: std::ops::Range<usize>, more: bool) -> Self {
        let whole = self.clone().finish();
        let mut bytes = whole[..40].to_vec();
        let field = range.start as u16 | u16::from(more);
        bytes.extend([whole[6], 0]);
        bytes.extend(field.to_be_bytes());
        bytes.extend(ident.to_be_bytes());
        bytes.extend(&whole[40..][range]);
        bytes[6] = 44;
        let length = bytes.len() - 40;
        bytes[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        Self { bytes }
    }

    fn finish(mut self) -> Vec<u8> {
        crate::wire::frame::fill_transport_checksum(&mut self.bytes);
        self.bytes
    }

    fn framed(self, source: EthernetAddress, destination: EthernetAddress) -> Vec<u8> {
        framed(&self.finish(), EthernetProtocol::Ipv6, source, destination)
    }
}

#[test]
fn a_machine_with_ipv4_addresses_alone_neither_speaks_nor_hears_ipv6() {
    let mut lab = Lab::new();
    let spec = MachineSpec::host("a", 1).interface(interface(1, "10.0.0.1/24")).route(default_via("10.0.0.9"));
    lab.add("a", Machine::new(spec));
    lab.start();
    lab.arrive(0, 0, &Packet6::ping("fe80::9", "fe80::ff:fe00:1", b"").framed(mac(9), mac(1)));
    assert_eq!(
        lab.told(),
        "0.000 a x unknown-protocol: fe80::9 > fe80::ff:fe00:1: ICMP6, echo request, id 4660, seq 1, length 8\n"
    );
    assert!(!lab.machine(0).show("addr", READY).unwrap().contains("inet6"));
}

#[test]
fn only_interfaces_with_an_ipv6_address_speak_it_unless_all_are_told_to() {
    let spec = |is_enabled| {
        let mut spec = MachineSpec::router("r", 1)
            .interface(interface(1, "10.0.0.1/24"))
            .interface(interface(2, "2001:db8::1/64"));
        spec.ipv6.is_enabled = is_enabled;
        spec
    };
    for (is_enabled, speakers) in [(false, vec![1]), (true, vec![0, 1])] {
        let mut lab = Lab::new();
        lab.add("r", Machine::new(spec(is_enabled)));
        lab.start();
        let mut ports: Vec<u16> = lab
            .log
            .iter()
            .filter_map(|entry| match entry.what {
                super::lab::Happened::Sent { port, .. } => Some(port),
                _ => None,
            })
            .collect();
        ports.dedup();
        assert_eq!(ports, speakers);
    }
}

#[test]
fn an_interface_without_a_link_says_nothing_and_has_its_addresses_at_once() {
    let mut lab = Lab::new();
    let mut spec = MachineSpec::router("r", 1)
        .interface(interface(1, "2001:db8::1/64"))
        .interface(interface(2, "2001:db8:9::9/128"));
    spec.ipv6.advertise = Some(Default::default());
    lab.add("r", Machine::new(spec));
    lab.set_link(0, 0, true, 1500);
    lab.start();
    lab.run_until(READY);
    let is_of_link = |entry: &super::lab::Entry| {
        !matches!(entry.what, super::lab::Happened::Sent { port: 1, .. } | super::lab::Happened::Dropped { .. })
    };
    assert!(lab.log.iter().all(is_of_link));
    lab.send_ip(0, Packet6::ping("2001:db8:9::9", "2001:db8:9::9", b"").finish());
    assert!(lab.told().contains("nobody-listens: 2001:db8:9::9 > 2001:db8:9::9: ICMP6, echo reply"));
}

#[test]
fn state_is_shown_as_the_tools_show_it() {
    let mut lab = pair();
    lab.send_ip(0, Packet6::ping("2001:db8:1::a", "2001:db8:1::b", b"").finish());
    lab.run_for(std::time::Duration::from_millis(10));
    let now = lab.now;
    insta::assert_snapshot!(lab.machine(0).show("addr", now).unwrap(), @"
    lo: <LOOPBACK,UP> mtu 65535
        inet 127.0.0.1/8
        inet6 ::1/128 scope host
    eth1: <BROADCAST,MULTICAST,UP> mtu 1500
        link/ether 02:00:00:00:00:01
        inet6 fe80::ff:fe00:1/64 scope link
        inet6 2001:db8:1::a/64 scope global
    ");
    insta::assert_snapshot!(lab.machine(0).show("route", now).unwrap(), @"
    2001:db8:1::/64 dev eth1 proto kernel scope link src 2001:db8:1::a
    fe80::/64 dev eth1 proto kernel scope link src fe80::ff:fe00:1
    ");
    insta::assert_snapshot!(lab.machine(0).show("neigh", now).unwrap(), @"2001:db8:1::b dev eth1 lladdr 02:00:00:00:00:02 REACHABLE");
    insta::assert_snapshot!(lab.machine(1).show("neigh", now).unwrap(), @"2001:db8:1::a dev eth2 lladdr 02:00:00:00:00:01 DELAY");
}
