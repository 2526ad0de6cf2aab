//! Whatever arrives, nothing panics and every frame ends somewhere.

use proptest::prelude::*;
use smoltcp::wire::{ArpOperation, EthernetAddress};

use super::lab::*;
use crate::id::PortId;
use crate::node::machine::firewall::{FirewallRule, FirewallSpec, Refusal, State, Verb};
use crate::node::machine::nat::{Forwarded, NatSpec, PortForward, Unsolicited};
use crate::node::machine::{InterfaceSpec, MachineSpec, RouteSpec, VlanSpec};
use crate::node::switch::{Membership, SpanningTreeSpec, VlanSet};
use crate::node::{Command, Machine, Node, Port, Switch, SwitchSpec};
use crate::record::{Effect, Outbox};
use crate::time::Time;
use crate::wire::{Frame, Layer};

/// More buffers than a case ever needs at once.
const BUFFERS: usize = 400;

fn specs() -> [MachineSpec; 2] {
    let with_links = |spec: MachineSpec| {
        let spec = spec.interface(interface(1, "10.0.1.1/24")).interface(interface(2, "10.0.2.1/24"));
        knowing(spec.route(default_via("10.0.1.254")), 0, "10.0.1.10", 9)
    };
    [with_links(MachineSpec::host("h", 1)), with_links(MachineSpec::router("r", 1))]
}

/// The same with an address translator and a firewall.
fn guarded(router: MachineSpec) -> MachineSpec {
    let forward = PortForward { port: 9, address: address("10.0.2.20"), inside_port: 9, protocols: Forwarded::Both };
    let unsolicited = Unsolicited::Refuse;
    let nat = NatSpec { forwards: vec![forward], sessions_max: 20, unsolicited, ..NatSpec::home(0) };
    let rule = |states, verb| FirewallRule { states, ..FirewallRule::new(verb) };
    let rules = vec![
        rule(vec![State::Invalid], Verb::Reject(Refusal::Fitting)),
        rule(vec![State::Established, State::Related], Verb::Accept),
    ];
    let firewall = FirewallSpec { rules, tracked_max: 20, ..FirewallSpec::default() };
    MachineSpec { nat: Some(nat), firewall: Some(firewall), ..router }
}

/// The same with everything that a router may be told to do.
fn obliging(mut router: MachineSpec) -> MachineSpec {
    let ipv4 = &mut router.ipv4;
    (ipv4.clamps_mss, ipv4.checks_sources, ipv4.forwards_directed_broadcasts, ipv4.accepts_redirects) =
        (true, true, true, true);
    router.arp.proxies = vec![0, 1];
    router.arp.announces = true;
    router.answers_broadcast_echo = true;
    let again = RouteSpec { metric: 9, ..default_via("10.0.2.254") };
    router.route(default_via("10.0.2.254")).route(again)
}

fn nodes() -> Vec<Box<dyn Node>> {
    let [host, router] = specs();
    vec![
        Box::new(Machine::new(host)),
        Box::new(Machine::new(router.clone())),
        Box::new(Machine::new(obliging(router.clone()))),
        Box::new(Machine::new(guarded(router))),
        Box::new(Switch::new(SwitchSpec::new("sw", 3))),
        Box::new(in_a_tree()),
        Box::new(Machine::new(on_a_stick())),
        Box::new(Port::new()),
    ]
}

/// A switch that knows VLANs, limits floods, forwards at once at two of its ports, and has begun.
fn in_a_tree() -> Switch {
    let tree = Some(SpanningTreeSpec::new("sw"));
    let spec =
        SwitchSpec { is_vlan_aware: true, storm_limit: Some(9), spanning_tree: tree, ..SwitchSpec::new("sw", 3) };
    let mut spec = SwitchSpec { stations_max: 4, ..spec };
    spec.ports[0].vlans = Membership::Trunk { vlans: VlanSet::All, native: Some(1) };
    spec.ports.iter_mut().take(2).for_each(|port| port.is_edge = true);
    let mut switch = Switch::new(spec);
    let mut out = Outbox::new(false);
    for port in 0..3 {
        let up = crate::node::LinkState { is_up: true, mtu: 1500, rate: None };
        switch.link_changed(PortId(port), up, Time::ZERO, &mut out);
    }
    switch.start(Time::ZERO, &mut out);
    switch
}

fn on_a_stick() -> MachineSpec {
    let [_, router] = specs();
    let vlan = Some(VlanSpec { parent: 0, id: 10 });
    router.interface(InterfaceSpec { vlan, ..InterfaceSpec::new("eth1.10", mac(1), "10.0.10.1/24".parse().unwrap()) })
}

/// A SYN that announces 1460 bytes.
const SYN: [u8; 24] = [0x0f, 0xa0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff, 0, 0, 0, 0, 2, 4, 0x05, 0xb4];

/// Good frames, to be mutated: something for every branch.
fn good_frames() -> Vec<Vec<u8>> {
    let (a, b) = ("10.0.1.10", "10.0.2.20");
    let piece = |offset, more| Packet::udp(a, "10.0.1.1", 9, &[7; 24]).offset(offset, more);
    let quoted = Packet::udp("10.0.1.1", a, 9, b"hello").finish();
    let ip = [
        Packet::udp(a, b, 9, b"hello"),
        Packet::udp(a, b, 9, &[0; 1400]).ttl(1),
        Packet::udp(a, "10.0.1.1", 9, b"hello"),
        Packet::udp(a, "255.255.255.255", 67, b""),
        Packet::udp(a, "10.0.1.1", 9, b"").options(&[1, 7, 3, 4]),
        Packet::ping(a, "10.0.1.1", b"12345678"),
        Packet::ping(a, b, &[1; 100]).dont_fragment(),
        Packet::tcp(a, "10.0.1.1", "R", b""),
        piece(0, true),
        piece(32, false),
        piece(8, true),
        Packet::tcp("10.0.2.20", a, "S", b""),
        Packet::udp(a, "10.0.2.255", 9, b"hello"),
        Packet::new(a, b, smoltcp::wire::IpProtocol::Tcp, &SYN),
        Packet::new(
            "10.0.1.254",
            "10.0.1.1",
            smoltcp::wire::IpProtocol::Icmp,
            &[&[5, 1, 0, 0, 10, 0, 1, 253], &Packet::udp("10.0.1.1", "192.0.2.1", 9, b"hello").finish()[..]].concat(),
        ),
        Packet::new(a, "10.0.1.1", smoltcp::wire::IpProtocol::Icmp, &[&[3, 3, 0, 0, 0, 0, 0, 0], &quoted[..]].concat()),
    ];
    let mut frames: Vec<Vec<u8>> = ip.into_iter().map(|packet| packet.framed(mac(9), mac(1))).collect();
    let everybody = EthernetAddress::BROADCAST;
    frames.push(arp(ArpOperation::Request, (mac(9), a), (EthernetAddress([0; 6]), "10.0.1.1"), everybody));
    frames.push(arp(ArpOperation::Request, (mac(9), a), (EthernetAddress([0; 6]), b), everybody));
    frames.push(arp(ArpOperation::Reply, (mac(9), "10.0.1.254"), (mac(1), "10.0.1.1"), mac(1)));
    let tagged = |frame: &Vec<u8>| [&frame[..12], &[0x81, 0, 0, 10], &frame[12..]].concat();
    frames.extend(frames.iter().map(tagged).collect::<Vec<_>>());
    let mut bpdu = vec![0x01, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0, 39, 0x42, 0x42, 3, 0, 0, 2, 2, 0x3e];
    bpdu.extend([0x10, 0, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x10, 0, 2, 0, 0, 0, 0, 9, 0x80, 1]);
    bpdu.extend([0, 0, 20, 0, 2, 0, 15, 0, 0]);
    frames.push(bpdu);
    frames
}

#[derive(Debug, Clone)]
enum Arriving {
    Bytes(Vec<u8>),
    Mutated { which: usize, at: usize, to: u8, cut: usize, mends: bool },
}

impl Arriving {
    fn bytes(self, good: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Mutated { which, at, to, cut, mends } => {
                let mut bytes = good[which % good.len()].clone();
                let length = bytes.len();
                bytes[at % length] = to;
                if mends && bytes.len() >= 34 {
                    // A header that says something else, but rightly so: reaches further than a wrong checksum.
                    let header_length = (usize::from(bytes[14] & 0xf) * 4).clamp(20, bytes.len() - 14);
                    bytes[24..26].fill(0);
                    let sum = !smoltcp::wire::checksum::data(&bytes[14..14 + header_length]);
                    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
                }
                bytes.truncate(length.saturating_sub(cut));
                bytes
            }
        }
    }
}

fn arriving() -> impl Strategy<Value = Arriving> {
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..120).prop_map(Arriving::Bytes),
        6 => (any::<usize>(), 0_usize..80, any::<u8>(), prop_oneof![9 => Just(0_usize), 1 => 0_usize..60], any::<bool>())
            .prop_map(|(which, at, to, cut, mends)| Arriving::Mutated { which, at, to, cut, mends }),
    ]
}

/// Ends the frames of all effects; how many there were.
fn finish(out: &mut Outbox) -> usize {
    let mut effects = Vec::new();
    out.swap_effects(&mut effects);
    let count = effects.len();
    for effect in effects {
        if let Effect::Dropped { frame, .. } | Effect::Send { frame, .. } = effect {
            out.consume(frame);
        }
    }
    count
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn random_and_mutated_frames_never_panic_and_never_vanish(
        frames in proptest::collection::vec((arriving(), 0_u16..3, any::<bool>(), 0_u64..20_000), 1..40),
    ) {
        let good = good_frames();
        for mut node in nodes() {
            let mut out = Outbox::new(true);
            let lent: Vec<_> = (0..BUFFERS).map(|_| out.buffer(1)).collect();
            lent.into_iter().for_each(|buffer| out.pool.give(buffer));
            let mut now = Time::ZERO;
            for (arriving, port, damaged, wait) in frames.clone() {
                now += std::time::Duration::from_millis(wait);
                for _ in 0..100 {
                    if node.wake_at().is_none_or(|at| at > now) {
                        break;
                    }
                    node.wake(now, &mut out);
                }
                let mut frame = Frame::new(out.pool.copy(&arriving.bytes(&good)), Layer::Ethernet);
                frame.damaged = damaged;
                node.receive(PortId(port), frame, now, &mut out);
                finish(&mut out);
            }
            // What still waits for neighbors or for other fragments ends here, with a cause.
            node.command(&Command::Crash, now, &mut out).unwrap();
            finish(&mut out);
            prop_assert_eq!(out.pool.idle_count(), BUFFERS, "a {} lost a frame", node.kind());
        }
    }

    #[test]
    fn a_frame_that_is_not_taken_leaves_a_trace(arriving in arriving(), port in 0_u16..2) {
        let good = good_frames();
        let bytes = arriving.bytes(&good);
        let taken = |node: &mut dyn Node, name: &str| {
            ["ip.delivered", "ip.fragments_received", "arp.received", "received"].iter().any(|counter| {
                node.counter(counter).is_some_and(|value| value != crate::record::Value::Integer(0))
            }) || name == "port"
        };
        for mut node in nodes() {
            let mut out = Outbox::new(false);
            let frame = super::super::foreign_frame(&bytes, Layer::Ethernet, &mut out);
            node.receive(PortId(port), frame, Time::ZERO, &mut out);
            let name = node.kind();
            let has_effect = finish(&mut out) > 0;
            prop_assert!(has_effect || taken(node.as_mut(), name), "a {} was silent", name);
        }
    }
}
