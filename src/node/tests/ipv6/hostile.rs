//! Whatever arrives, nothing panics and every frame ends somewhere.

use proptest::prelude::*;

use super::*;
use crate::id::PortId;
use crate::node::machine::firewall::{FirewallRule, FirewallSpec, Refusal, State, Verb};
use crate::node::{Command, Node};
use crate::record::{Effect, Outbox};
use crate::wire::Layer;

/// More buffers than a case ever needs at once.
const BUFFERS: usize = 400;

const A: &str = "2001:db8:1::a";
const R: &str = "2001:db8:1::1";
const B: &str = "2001:db8:2::b";

fn machines() -> Vec<Machine> {
    let with_links = |spec: MachineSpec| {
        let spec = spec.interface(interface(1, "2001:db8:1::1/64")).interface(interface(2, "2001:db8:2::1/64"));
        super::super::lab::knowing(spec.route(default6("2001:db8:1::fe")), 0, A, 9)
    };
    let mut host = with_links(MachineSpec::host("h", 1));
    (host.ipv6.autoconfigures, host.ipv6.privacy, host.ipv6.has_stable_identifiers) = (true, true, true);
    let mut router = with_links(unchecked(MachineSpec::router("r", 1)));
    router.ipv6.advertise = Some(Default::default());
    let mut guarded = with_links(unchecked(MachineSpec::router("g", 1)));
    guarded.firewall = Some(FirewallSpec {
        rules: vec![FirewallRule {
            arrives_by: Some(0),
            states: vec![State::New, State::Established, State::Related],
            ..FirewallRule::new(Verb::Accept)
        }],
        policies: [Verb::Reject(Refusal::Fitting), Verb::Reject(Refusal::Fitting), Verb::Accept],
        tracked_max: 3,
    });
    vec![Machine::new(host), Machine::new(router), Machine::new(guarded)]
}

fn neighbor_message(kind: u8, flags: u8, target: &str, option: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    message.extend(v6(target).octets());
    message.extend(option);
    message
}

/// Good frames, to be mutated: something for every branch.
fn good_frames() -> Vec<Vec<u8>> {
    let large = Packet6::udp(A, R, 9, &[7; 80]);
    let mac_option = |kind| [kind, 1, 2, 0, 0, 0, 0, 9];
    let mut query = vec![130, 0, 0, 0, 0, 0, 0, 0];
    query.extend([0; 20]);
    let too_big = [&[2, 0, 0, 0, 0, 0, 5, 0], &Packet6::udp(R, B, 9, &[0; 1400]).finish()[..60]].concat();
    let mut advertisement = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 9];
    advertisement.extend([5, 1, 0, 0, 0, 0, 0x05, 0x78, 3, 4, 64, 0xc0, 0, 0, 0, 60, 0, 0, 0, 10, 0, 0, 0, 0]);
    advertisement.extend(v6("2001:db8:7::").octets());
    let mut redirect = vec![137, 0, 0, 0, 0, 0, 0, 0];
    redirect.extend(v6("fe80::7").octets());
    redirect.extend(v6("2001:db8:9::9").octets());
    redirect.extend([2, 1, 2, 0, 0, 0, 0, 7, 4, 2, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0, 0, 0]);
    let packets = [
        Packet6::udp(A, B, 9, b"hello"),
        Packet6::udp(A, B, 9, &[0; 1400]).hops(1),
        Packet6::udp(A, R, 9, b"hello"),
        Packet6::udp("fe80::9", "ff02::1", 9, b"hello"),
        Packet6::syn(A, R),
        Packet6::ping(A, R, b"12345678"),
        Packet6::ping(A, R, b"12345678").extended(0, &[0, 0, 5, 2, 0, 0, 1, 0]),
        Packet6::udp(A, R, 9, b"").extended(43, &[0, 0, 0, 1, 0, 0, 0, 0]),
        Packet6::udp(A, R, 9, b"").extended(60, &[0, 0, 0xc2, 4, 0, 0, 0, 0]),
        large.fragment(7, 0..40, true),
        large.fragment(7, 40..88, false),
        large.fragment(7, 32..48, true),
        large.fragment(8, 0..88, false),
        Packet6::icmp(A, "ff02::1:ff00:1", &neighbor_message(135, 0, R, &mac_option(1))).hops(255),
        Packet6::icmp("::", "ff02::1:ff00:1", &neighbor_message(135, 0, R, &[14, 1, 1, 2, 3, 4, 5, 6])).hops(255),
        Packet6::icmp("2001:db8:1::fe", R, &neighbor_message(136, 0xe0, "2001:db8:1::fe", &mac_option(2))).hops(255),
        Packet6::icmp("fe80::9", "ff02::1", &query).hops(1),
        Packet6::icmp("fe80::9", "ff02::1", &advertisement).hops(255),
        Packet6::icmp("fe80::9", "ff02::2", &[133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 9]).hops(255),
        Packet6::icmp(A, R, &too_big),
        Packet6::icmp(A, R, &[1, 4, 0, 0, 0, 0, 0, 0]),
        Packet6::icmp("fe80::ff:fe00:9", R, &redirect).hops(255),
        Packet6::udp(A, "2001:db8:1::fe", 9, b"back onto the link"),
    ];
    packets.into_iter().map(|packet| packet.framed(mac(9), mac(1))).collect()
}

#[derive(Debug, Clone)]
enum Arriving {
    Mutated { which: usize, at: usize, byte: u8, cut: usize },
    Pause(u64),
    Sent(usize),
    Toggled(bool),
}

fn arriving() -> impl Strategy<Value = Arriving> {
    prop_oneof![
        8 => (any::<usize>(), 0_usize..160, any::<u8>(), 0_usize..1600)
            .prop_map(|(which, at, byte, cut)| Arriving::Mutated { which, at, byte, cut }),
        2 => (0_u64..20_000).prop_map(Arriving::Pause),
        1 => any::<usize>().prop_map(Arriving::Sent),
        1 => any::<bool>().prop_map(Arriving::Toggled),
    ]
}

/// Ends what a node has put out; how many frames that were.
fn end_effects(out: &mut Outbox) {
    let mut effects = Vec::new();
    out.swap_effects(&mut effects);
    for effect in effects {
        match effect {
            Effect::Dropped { frame, .. } | Effect::Send { frame, .. } => out.consume(frame),
            Effect::Altered { .. } | Effect::Misbehaved { .. } | Effect::Note { .. } | Effect::Secret { .. } => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn mutated_frames_never_panic_and_never_vanish(events in proptest::collection::vec(arriving(), 1..60)) {
        for mut machine in machines() {
            let mut out = Outbox::new(true);
            let buffers: Vec<_> = (0..BUFFERS).map(|_| out.buffer(64)).collect();
            buffers.into_iter().for_each(|buffer| out.pool.give(buffer));
            let mut now = Time::ZERO;
            machine.start(now, &mut out);
            end_effects(&mut out);
            for event in &events {
                match event {
                    Arriving::Mutated { which, at, byte, cut } => {
                        let frames = good_frames();
                        let mut bytes = frames[which % frames.len()].clone();
                        if let Some(place) = bytes.get_mut(14 + at) {
                            *place = *byte;
                        }
                        bytes.truncate(*cut);
                        let frame = crate::node::foreign_frame(&bytes, Layer::Ethernet, &mut out);
                        machine.receive(PortId(0), frame, now, &mut out);
                    }
                    Arriving::Pause(milliseconds) => {
                        let until = now + std::time::Duration::from_millis(*milliseconds);
                        while let Some(at) = machine.wake_at().filter(|at| *at <= until) {
                            now = now.max(at);
                            machine.wake(now, &mut out);
                            end_effects(&mut out);
                        }
                        now = until;
                    }
                    Arriving::Sent(which) => {
                        let frames = good_frames();
                        let bytes = frames[which % frames.len()][14..].to_vec();
                        let _ = machine.command(&Command::Inject { port: None, layer: Layer::Ip, bytes }, now, &mut out);
                    }
                    Arriving::Toggled(is_up) => {
                        let state = crate::node::LinkState { is_up: *is_up, mtu: 1500, rate: None };
                        machine.link_changed(PortId(0), state, now, &mut out);
                    }
                }
                end_effects(&mut out);
            }
            // Whatever still waits ends with the machine.
            machine.command(&Command::Crash, now, &mut out).unwrap();
            end_effects(&mut out);
            prop_assert_eq!(out.pool.idle_count(), BUFFERS);
            prop_assert_eq!(machine.wake_at(), None);
        }
    }

    #[test]
    fn what_is_checked_is_right_in_every_frame_that_is_sent(which in 0_usize..23, to_router: bool) {
        let mut lab = Lab::new();
        lab.add("m", machines().remove(usize::from(to_router)));
        let mut lab = ready(lab);
        lab.arrive(0, 0, &good_frames()[which]);
        lab.run_for(std::time::Duration::from_secs(5));
        for frame in lab.sent_by(0) {
            let view = crate::wire::View::of_bytes(&frame, Layer::Ethernet);
            let ip = view.ip.unwrap();
            prop_assert!(crate::wire::verify::transport_checksum(&ip) != Some(false), "{:?}", frame);
            prop_assert!(!ip.is_cut_short());
        }
    }
}
