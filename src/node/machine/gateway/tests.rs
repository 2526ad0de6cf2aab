//! A gateway between a kernel that is played here and one neighbor on a link.

use ipnet::IpNet;
use proptest::prelude::*;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet,
    Ipv4Repr,
};

use super::super::{InterfaceSpec, MachineSpec, RouteSpec};
use super::*;
use crate::node::{LinkState, Node as _};
use crate::record::Effect;

const OWN: [u8; 4] = [10, 0, 0, 2];
const ROUTER: [u8; 4] = [10, 0, 0, 1];
const FAR: [u8; 4] = [10, 0, 9, 9];
const MAC: EthernetAddress = EthernetAddress([2, 0, 10, 0, 0, 2]);
const ROUTER_MAC: EthernetAddress = EthernetAddress([2, 0, 10, 0, 0, 1]);

struct Lab {
    machine: Machine,
    out: Outbox,
    now: Time,
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

impl Lab {
    fn new(layer: Layer) -> Self {
        let interface = InterfaceSpec {
            name: "eth0".into(),
            mac: MAC,
            addresses: vec![net("10.0.0.2/24")],
            mtu: None,
            vlan: None,
            link: None,
            is_dynamic: false,
        };
        let spec = MachineSpec::host("access", 1)
            .interface(interface)
            .route(RouteSpec::via(net("0.0.0.0/0"), Ipv4Addr::from(ROUTER).into()));
        let mut machine = Machine::new(spec);
        let reach = vec![net("10.0.0.0/24"), net("10.0.9.0/24")];
        machine.become_gateway(GatewaySpec { layer, reach, behind: vec![net("192.0.2.0/24")] });
        machine.gateway_mut().unwrap().attach();
        let mut lab = Self { machine, out: Outbox::new(true), now: Time::ZERO };
        let state = LinkState { is_up: true, mtu: 1500, rate: None };
        lab.machine.link_changed(PORT, state, lab.now, &mut lab.out);
        lab.machine.start(lab.now, &mut lab.out);
        // The router is known from the beginning: it asks first.
        lab.receive_arp(ArpOperation::Request, Ipv4Addr::from(ROUTER), ROUTER_MAC);
        lab.effects();
        while lab.taken().is_some() {}
        lab
    }

    fn receive_arp(&mut self, operation: ArpOperation, sender: Ipv4Addr, mac: EthernetAddress) {
        let repr = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: mac,
            source_protocol_addr: sender,
            target_hardware_addr: MAC,
            target_protocol_addr: OWN.into(),
        };
        let mut bytes = vec![0; 28];
        repr.emit(&mut ArpPacket::new_unchecked(&mut bytes[..]));
        self.receive(EthernetProtocol::Arp, &bytes);
    }

    fn receive(&mut self, protocol: EthernetProtocol, payload: &[u8]) {
        let mut bytes = vec![0; 14];
        bytes.extend_from_slice(payload);
        let mut header = EthernetFrame::new_unchecked(&mut bytes[..]);
        header.set_src_addr(ROUTER_MAC);
        header.set_dst_addr(MAC);
        header.set_ethertype(protocol);
        let frame = Frame::new(self.out.pool.copy(&bytes), Layer::Ethernet);
        self.machine.receive(PORT, frame, self.now, &mut self.out);
    }

    fn enter(&mut self, bytes: &[u8]) -> Vec<Effect> {
        self.machine.enter(bytes, self.now, &mut self.out);
        self.effects()
    }

    fn effects(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.out.swap_effects(&mut effects);
        effects.retain(|effect| !matches!(effect, Effect::Note { .. }));
        effects
    }

    fn causes(&mut self) -> Vec<Cause> {
        causes(&self.effects())
    }

    fn taken(&mut self) -> Option<Vec<u8>> {
        Some(self.machine.gateway_mut()?.take()?.bytes().to_vec())
    }
}

fn causes(effects: &[Effect]) -> Vec<Cause> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Dropped { cause, .. } = effect { Some(*cause) } else { None })
        .collect()
}

fn packet(source: [u8; 4], destination: [u8; 4], payload: usize, dont_fragment: bool) -> Vec<u8> {
    let repr = Ipv4Repr {
        src_addr: source.into(),
        dst_addr: destination.into(),
        next_header: IpProtocol::Unknown(253),
        payload_len: payload,
        hop_limit: 7,
    };
    let mut bytes = vec![0; 20 + payload];
    let mut ip = Ipv4Packet::new_unchecked(&mut bytes[..]);
    repr.emit(&mut ip, &smoltcp::phy::ChecksumCapabilities::default());
    ip.set_dont_frag(dont_fragment);
    ip.fill_checksum();
    bytes
}

#[test]
fn a_packet_from_the_kernel_goes_to_the_router_with_its_time_to_live_untouched() {
    let mut lab = Lab::new(Layer::Ip);
    let bytes = packet(OWN, FAR, 8, false);
    let effects = lab.enter(&bytes);
    let [Effect::Send { frame, .. }] = &effects[..] else { panic!("{effects:?}") };
    let header = EthernetFrame::new_checked(frame.bytes()).unwrap();
    assert_eq!((header.dst_addr(), header.payload()), (ROUTER_MAC, &bytes[..]));
}

#[test]
fn a_packet_from_the_kernel_under_another_address_is_dropped_as_foreign() {
    let mut lab = Lab::new(Layer::Ip);
    assert_eq!(causes(&lab.enter(&packet([192, 168, 7, 7], FAR, 8, false))), [Cause::ForeignSource]);
    assert_eq!(causes(&lab.enter(&packet([0; 4], FAR, 8, false))), [Cause::ForeignSource]);
    assert_eq!(causes(&lab.enter(&packet([192, 0, 2, 7], FAR, 8, false))), [], "it was said to be behind");
}

#[test]
fn a_packet_for_the_kernel_is_kept_without_its_link_header() {
    let mut lab = Lab::new(Layer::Ip);
    let bytes = packet(FAR, OWN, 8, false);
    let mut padded = bytes.clone();
    padded.resize(46, 0);
    lab.receive(EthernetProtocol::Ipv4, &padded);
    assert_eq!(lab.taken(), Some(bytes), "padding is the link's");
    assert_eq!(lab.taken(), None);
}

#[test]
fn a_packet_whose_answer_would_leave_for_a_real_network_does_not_reach_the_kernel() {
    let mut lab = Lab::new(Layer::Ip);
    lab.receive(EthernetProtocol::Ipv4, &packet([8, 8, 8, 8], OWN, 8, false));
    assert_eq!((lab.causes(), lab.taken()), (vec![Cause::NoWayBack], None));
    lab.machine.gateway_mut().unwrap().add_reach(net("8.8.8.0/24"));
    lab.receive(EthernetProtocol::Ipv4, &packet([8, 8, 8, 8], OWN, 8, false));
    assert!(lab.taken().is_some(), "the kernel has a route to it now");
}

#[test]
fn a_packet_for_somebody_behind_the_kernel_passes_only_if_that_was_said() {
    let mut lab = Lab::new(Layer::Ip);
    lab.receive(EthernetProtocol::Ipv4, &packet(FAR, [198, 51, 100, 1], 8, false));
    assert_eq!((lab.causes(), lab.taken()), (vec![Cause::NotForwarding], None));
    lab.receive(EthernetProtocol::Ipv4, &packet(FAR, [192, 0, 2, 1], 8, false));
    assert!(lab.taken().is_some());
}

#[test]
fn without_a_kernel_everything_for_it_ends_with_that_cause() {
    for layer in [Layer::Ip, Layer::Ethernet] {
        let mut lab = Lab::new(layer);
        lab.machine.gateway_mut().unwrap().is_attached = false;
        lab.receive(EthernetProtocol::Ipv4, &packet(FAR, OWN, 8, false));
        assert_eq!((lab.causes(), lab.taken()), (vec![Cause::NothingAttached], None));
    }
}

#[test]
fn the_card_answers_for_the_kernel_that_has_none_and_leaves_it_to_the_kernel_that_has_one() {
    let mut lab = Lab::new(Layer::Ip);
    lab.receive_arp(ArpOperation::Request, Ipv4Addr::from(ROUTER), ROUTER_MAC);
    assert!(matches!(lab.effects()[..], [Effect::Send { .. }]));
    let mut lab = Lab::new(Layer::Ethernet);
    lab.taken();
    lab.receive_arp(ArpOperation::Request, Ipv4Addr::from(ROUTER), ROUTER_MAC);
    assert!(lab.effects().is_empty());
    assert_eq!(lab.taken().map(|frame| frame.len()), Some(42));
}

#[test]
fn a_packet_that_is_too_large_comes_back_to_the_kernel_as_an_error_of_the_router() {
    let mut lab = Lab::new(Layer::Ip);
    let state = LinkState { is_up: true, mtu: 576, rate: None };
    lab.machine.link_changed(PORT, state, lab.now, &mut lab.out);
    assert_eq!(causes(&lab.enter(&packet(OWN, FAR, 556, true))), [], "576 bytes fit");
    assert_eq!(causes(&lab.enter(&packet(OWN, FAR, 557, true))), [Cause::FragmentationNeeded]);
    let error = lab.taken().unwrap();
    let ip = Ipv4Packet::new_checked(&error[..]).unwrap();
    assert_eq!((ip.src_addr(), ip.dst_addr(), ip.verify_checksum()), (ROUTER.into(), OWN.into(), true));
    assert_eq!((&ip.payload()[..2], &ip.payload()[6..8]), (&[3, 4][..], &576_u16.to_be_bytes()[..]));
    let pieces = lab.enter(&packet(OWN, FAR, 1000, false));
    assert_eq!(pieces.len(), 2, "without the bit it is cut: {pieces:?}");
}

#[test]
fn a_neighbor_that_does_not_answer_is_told_to_the_kernel() {
    let mut lab = Lab::new(Layer::Ip);
    lab.enter(&packet(OWN, [10, 0, 0, 77], 8, false));
    while let Some(at) = lab.machine.wake_at() {
        lab.now = at;
        lab.machine.wake(at, &mut lab.out);
    }
    let error = lab.taken().expect("host unreachable");
    let ip = Ipv4Packet::new_checked(&error[..]).unwrap();
    assert_eq!((ip.src_addr(), &ip.payload()[..2]), (ROUTER.into(), &[3, 1][..]));
}

#[test]
fn frames_of_a_kernel_with_a_card_pass_as_they_are_unless_their_source_is_foreign() {
    let mut lab = Lab::new(Layer::Ethernet);
    let frame = |protocol: u16, payload: &[u8]| {
        let mut bytes = [[0xff; 6], MAC.0].concat();
        bytes.extend(protocol.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    };
    let good = frame(0x0800, &packet(OWN, FAR, 8, false));
    assert!(matches!(&lab.enter(&good)[..], [Effect::Send { frame, .. }] if frame.bytes() == good));
    assert_eq!(causes(&lab.enter(&frame(0x0800, &packet([192, 168, 1, 1], FAR, 8, false)))), [Cause::ForeignSource]);
    assert_eq!(causes(&lab.enter(&frame(0x88cc, &[0; 40]))), [Cause::UnknownProtocol]);
    assert_eq!(causes(&lab.enter(&frame(0x0800, &[0x45; 7]))), [Cause::Malformed]);
}

#[test]
fn what_waits_for_the_kernel_when_the_power_goes_ends_with_that_cause() {
    let mut lab = Lab::new(Layer::Ip);
    lab.receive(EthernetProtocol::Ipv4, &packet(FAR, OWN, 8, false));
    lab.machine.command(&crate::node::Command::Crash, lab.now, &mut lab.out).unwrap();
    assert_eq!((lab.causes(), lab.taken()), (vec![Cause::NodeDown], None));
    assert_eq!(causes(&lab.enter(&packet(OWN, FAR, 8, false))), [Cause::NodeDown]);
}

proptest! {
    #[test]
    fn nothing_that_a_kernel_or_a_link_hands_over_ends_without_an_effect_or_a_packet(
        bytes in prop::collection::vec(any::<u8>(), 0..120), first in prop::sample::select(vec![0x45_u8, 0x60, 0x46, 0x00]),
        is_frame in any::<bool>(),
    ) {
        let mut lab = Lab::new(if is_frame { Layer::Ethernet } else { Layer::Ip });
        while lab.taken().is_some() {}
        let mut bytes = bytes;
        if let Some(byte) = bytes.first_mut() { *byte = first; }
        let effects = lab.enter(&bytes);
        prop_assert!(!effects.is_empty() || lab.taken().is_some(), "{effects:?}");
        lab.receive(EthernetProtocol::Ipv6, &bytes);
        let effects = lab.effects();
        prop_assert!(!effects.is_empty() || lab.taken().is_some(), "{effects:?}");
    }
}
