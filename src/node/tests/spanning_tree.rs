//! IEEE 802.1D-2004 clause 17: switches in a circle find a tree, and another when a link fails.

use std::time::Duration;

use proptest::prelude::*;
use smoltcp::wire::EthernetAddress;

use super::lab::*;
use crate::node::switch::{SpanningTreeSpec, TreeProtocol};
use crate::node::{Command, Node as _, Switch, SwitchSpec};
use crate::record::{Cause, Value};
use crate::time::Time;
use crate::wire::bpdu::{BPDU_ADDRESS, BPDU_LLC, Bpdu, BpduKind, BpduRole, BpduTime, BridgeId};
use crate::wire::{Layer, View};

const SECOND: Duration = Duration::from_secs(1);

/// A switch with this many ports; the lesser its number, the better a root it is.
fn spec(name: &'static str, number: u8, ports: usize) -> SwitchSpec {
    let tree = SpanningTreeSpec { mac: mac(number), ..SpanningTreeSpec::new(name) };
    SwitchSpec { spanning_tree: Some(tree), ..SwitchSpec::new(name, ports) }
}

fn old(mut spec: SwitchSpec) -> SwitchSpec {
    spec.spanning_tree.as_mut().unwrap().protocol = TreeProtocol::Old;
    spec
}

/// A port of a switch: which node, which port.
type End = (usize, u16);

/// Adds the switches, wires them, takes all links up, and begins.
fn lab(specs: Vec<(&'static str, SwitchSpec)>, wires: &[(End, End)]) -> Lab {
    let mut lab = Lab::new();
    for (name, spec) in specs {
        lab.add(name, Switch::new(spec));
    }
    for (a, b) in wires {
        lab.wire(*a, *b);
        lab.set_link(a.0, a.1, true, 1500);
        lab.set_link(b.0, b.1, true, 1500);
    }
    lab.start();
    lab
}

/// a, b and c in a circle: a-b, b-c, c-a. Port 2 of each has a station.
fn circle(change: fn(SwitchSpec) -> SwitchSpec) -> Lab {
    let mut specs = Vec::new();
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        let mut spec = change(spec(name, number, 3));
        spec.ports[2].is_edge = true;
        specs.push((name, spec));
    }
    let mut lab = lab(specs, &[((0, 0), (1, 1)), ((1, 0), (2, 1)), ((2, 0), (0, 1))]);
    for node in 0..3 {
        lab.set_link(node, 2, true, 1500);
    }
    lab
}

fn show(lab: &mut Lab, node: usize) -> String {
    lab.node(node).downcast_mut::<Switch>().unwrap().show("stp", Time::ZERO).unwrap()
}

/// The role and the state of a port.
fn port(lab: &mut Lab, node: usize, port: u16) -> String {
    let switch: &mut Switch = lab.node(node).downcast_mut().unwrap();
    let of = |key: &str| match switch.counter(&format!("stp.p{port}.{key}")) {
        Some(Value::Text(text)) => text,
        other => panic!("{other:?}"),
    };
    format!("{} {}", of("role"), of("state"))
}

fn is_tree(lab: &mut Lab) -> bool {
    // Three links make a circle: exactly one end must be closed, and that only.
    let ends: Vec<String> = (0..3).flat_map(|node| [(node, 0), (node, 1)]).map(|(n, p)| port(lab, n, p)).collect();
    ends.iter().filter(|end| end.ends_with("discarding")).count() == 1
}

fn broadcast(source: u8) -> Vec<u8> {
    Packet::udp("10.0.0.1", "10.0.0.2", 9, b"").framed(mac(source), EthernetAddress::BROADCAST)
}

#[test]
fn a_circle_is_cut_within_milliseconds() {
    let mut lab = circle(|spec| spec);
    lab.run_for(Duration::from_millis(100));
    insta::assert_snapshot!(show(&mut lab, 0) + &show(&mut lab, 1) + &show(&mut lab, 2), @"
    bridge 8000.02:00:00:00:00:01 rstp
    root   8000.02:00:00:00:00:01 (this switch)
    hello 2s, max age 20s, forward delay 15s
    p0 designated forwarding cost 20000 id 8001
    p1 designated forwarding cost 20000 id 8002
    p2 designated forwarding cost 20000 id 8003 edge
    bridge 8000.02:00:00:00:00:02 rstp
    root   8000.02:00:00:00:00:01 cost 20000 by port p1
    hello 2s, max age 20s, forward delay 15s
    p0 designated forwarding cost 20000 id 8001
    p1 root       forwarding cost 20000 id 8002
    p2 designated forwarding cost 20000 id 8003 edge
    bridge 8000.02:00:00:00:00:03 rstp
    root   8000.02:00:00:00:00:01 cost 20000 by port p0
    hello 2s, max age 20s, forward delay 15s
    p0 root       forwarding cost 20000 id 8001
    p1 alternate  discarding cost 20000 id 8002
    p2 designated forwarding cost 20000 id 8003 edge
    ");
    assert!(is_tree(&mut lab));
}

#[test]
fn nothing_passes_before_the_neighbors_agree() {
    let mut lab = circle(|spec| spec);
    let ends = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];
    assert_eq!(ends.map(|(node, number)| port(&mut lab, node, number)), ["designated discarding"; 6]);
    lab.arrive(0, 0, &broadcast(9));
    assert_eq!(lab.drops_of(0), [Cause::PortBlocked]);
}

#[test]
fn a_broadcast_reaches_everybody_once_and_stops() {
    let mut lab = circle(|spec| spec);
    lab.run_for(10 * SECOND);
    lab.log.clear();
    lab.arrive(0, 2, &broadcast(9));
    lab.run_for(Duration::from_millis(50));
    let to_stations = lab
        .log
        .iter()
        .filter(|entry| matches!(&entry.what, Happened::Sent { port: 2, bytes, .. } if bytes == &broadcast(9)));
    let mut reached: Vec<usize> = to_stations.map(|entry| entry.node).collect();
    reached.sort_unstable();
    assert_eq!(reached, [1, 2]);
    // The one closed port hears it too, and drops it.
    assert_eq!((0..3).flat_map(|node| lab.drops_of(node)).collect::<Vec<_>>(), [Cause::PortBlocked]);
}

#[test]
fn a_cut_link_is_replaced_at_once() {
    let mut lab = circle(|spec| spec);
    lab.run_for(10 * SECOND);
    assert_eq!([port(&mut lab, 2, 0), port(&mut lab, 2, 1)], ["root forwarding", "alternate discarding"]);
    lab.set_link(2, 0, false, 1500);
    lab.set_link(0, 1, false, 1500);
    // The alternate port takes over without a word to anybody.
    assert_eq!([port(&mut lab, 2, 0), port(&mut lab, 2, 1)], ["disabled discarding", "root forwarding"]);
    lab.log.clear();
    lab.arrive(2, 2, &broadcast(9));
    lab.run_for(Duration::from_millis(5));
    assert!(lab.sent_by(0).contains(&broadcast(9)));
}

#[test]
fn a_switch_that_loses_its_only_way_is_told_of_another_within_milliseconds() {
    let mut lab = circle(|spec| spec);
    lab.run_for(10 * SECOND);
    // b is the one whose way through c is closed at the far end.
    lab.set_link(1, 1, false, 1500);
    lab.set_link(0, 0, false, 1500);
    lab.run_for(Duration::from_millis(20));
    assert_eq!([port(&mut lab, 1, 0), port(&mut lab, 2, 1)], ["root forwarding", "designated forwarding"]);
}

#[test]
fn a_silent_neighbor_is_given_up_after_three_hello_times() {
    let mut lab = circle(|spec| spec);
    lab.run_for(10 * SECOND);
    let begins_at = lab.now;
    lab.command(0, &Command::Crash).unwrap();
    lab.run_for(7 * SECOND);
    let says = |what: &Happened| matches!(what, Happened::Note(note) if note.contains("this switch is the root"));
    let found = lab.log.iter().rev().find(|entry| entry.node == 1 && says(&entry.what));
    // The last hello came at most 2 s before the crash.
    let waited = found.expect("b becomes the root").at.since(begins_at);
    assert!((4 * SECOND..=6 * SECOND).contains(&waited), "{waited:?}");
    lab.run_for(SECOND);
    assert_eq!(port(&mut lab, 2, 1), "root forwarding");
    // Back again, the better root is root again.
    lab.command(0, &Command::Restart).unwrap();
    lab.run_for(10 * SECOND);
    assert_eq!(port(&mut lab, 2, 0), "root forwarding");
    assert!(is_tree(&mut lab));
}

#[test]
fn the_old_protocol_waits_twice_the_forward_delay() {
    let mut lab = circle(old);
    // Disabled ports wait for the maximum age first: 20 s to learn, and 15 s more to forward.
    lab.run_until(Time::from_millis(34_900));
    assert_eq!(port(&mut lab, 1, 1), "root learning");
    lab.run_until(Time::from_millis(35_100));
    assert_eq!(port(&mut lab, 1, 1), "root forwarding");
    assert!(is_tree(&mut lab));
    lab.run_until(Time::from_secs(60));
    lab.set_link(2, 0, false, 1500);
    lab.set_link(0, 1, false, 1500);
    lab.run_until(Time::from_millis(89_900));
    assert_eq!(port(&mut lab, 2, 1), "root learning");
    lab.run_until(Time::from_millis(90_100));
    assert_eq!(port(&mut lab, 2, 1), "root forwarding");
}

#[test]
fn a_neighbor_that_speaks_the_old_protocol_is_spoken_to_in_it() {
    let mut lab = lab(vec![("new", spec("new", 1, 1)), ("old", old(spec("old", 2, 1)))], &[((0, 0), (1, 0))]);
    lab.run_for(60 * SECOND);
    assert_eq!([port(&mut lab, 0, 0), port(&mut lab, 1, 0)], ["designated forwarding", "root forwarding"]);
    lab.log.clear();
    lab.run_for(10 * SECOND);
    let kinds = |lab: &Lab, node| -> Vec<BpduKind> {
        let sent = lab.sent_by(node);
        sent.iter()
            .filter_map(|bytes| Bpdu::parse(View::of_bytes(bytes, Layer::Ethernet).stp?))
            .map(|bpdu| bpdu.kind)
            .collect()
    };
    assert_eq!(kinds(&lab, 0), [BpduKind::Configuration; 5]);
    assert_eq!(kinds(&lab, 1), []);
}

#[test]
fn who_is_not_answered_talks_to_stations_and_forwards_after_three_seconds() {
    let mut lab = lab(vec![("a", spec("a", 1, 1))], &[]);
    lab.set_link(0, 0, true, 1500);
    lab.run_until(Time::from_millis(2_999));
    assert_eq!(port(&mut lab, 0, 0), "designated discarding");
    lab.run_until(Time::from_secs(3));
    assert_eq!(port(&mut lab, 0, 0), "designated forwarding");
    let mut edge = spec("b", 1, 1);
    edge.ports[0].is_edge = true;
    let mut lab = self::lab(vec![("b", edge)], &[]);
    lab.set_link(0, 0, true, 1500);
    assert_eq!(port(&mut lab, 0, 0), "designated forwarding");
}

#[test]
fn of_two_links_between_the_same_switches_one_is_closed() {
    let wires = [((0, 0), (1, 0)), ((0, 1), (1, 1))];
    let mut lab = lab(vec![("a", spec("a", 1, 2)), ("b", spec("b", 2, 2))], &wires);
    lab.run_for(SECOND);
    assert_eq!([port(&mut lab, 1, 0), port(&mut lab, 1, 1)], ["root forwarding", "alternate discarding"]);
}

#[test]
fn a_loop_through_a_switch_that_knows_no_tree_is_cut_at_a_backup_port() {
    let wires = [((0, 0), (1, 0)), ((0, 1), (1, 1))];
    let mut lab = lab(vec![("a", spec("a", 1, 2)), ("hub", SwitchSpec::new("hub", 2))], &wires);
    lab.run_for(30 * SECOND);
    assert_eq!([port(&mut lab, 0, 0), port(&mut lab, 0, 1)], ["designated forwarding", "backup discarding"]);
}

#[test]
fn a_change_makes_the_others_forget_who_was_where() {
    let mut lab = circle(|spec| spec);
    lab.run_for(10 * SECOND);
    // c's station is heard of by all.
    lab.arrive(2, 2, &broadcast(9));
    lab.run_for(Duration::from_millis(20));
    let known = |lab: &mut Lab, node: usize| {
        let switch: &mut Switch = lab.node(node).downcast_mut().unwrap();
        switch.show("fdb", Time::ZERO).unwrap()
    };
    assert!(known(&mut lab, 1).contains("dev p1"), "behind a: {}", known(&mut lab, 1));
    lab.set_link(2, 0, false, 1500);
    lab.set_link(0, 1, false, 1500);
    lab.run_for(Duration::from_millis(20));
    assert_eq!(known(&mut lab, 1), "");
    assert!(lab.told().contains("b # stp: the topology has changed: 1 station to be found anew"));
}

#[test]
fn no_more_than_six_messages_go_out_in_a_burst_and_then_one_a_second() {
    let mut lab = lab(vec![("a", spec("a", 9, 1))], &[]);
    lab.set_link(0, 0, true, 1500);
    lab.run_for(20 * SECOND);
    lab.log.clear();
    // A neighbor that proposes a better tree, and a better one, and a better one.
    let begins_at = lab.now;
    for cost in (0..100).rev() {
        lab.arrive(0, 0, &bpdu(Bpdu { flags: 0x02, cost, ..proposal(1) }));
        lab.run_for(Duration::from_millis(10));
    }
    assert_eq!(lab.sent_by(0).len(), 6);
    lab.run_until(begins_at + Duration::from_millis(2_500));
    assert!(lab.sent_by(0).len() <= 9, "{}", lab.sent_by(0).len());
}

fn proposal(number: u8) -> Bpdu {
    let bridge = BridgeId { priority: 0x1000, mac: [2, 0, 0, 0, 9, number] };
    Bpdu {
        kind: BpduKind::Rapid,
        flags: 0,
        role: BpduRole::Designated,
        root: bridge,
        cost: 0,
        bridge,
        port: 0x8001,
        message_age: BpduTime(0),
        max_age: BpduTime(20 * 256),
        hello: BpduTime(2 * 256),
        forward_delay: BpduTime(15 * 256),
    }
}

fn bpdu(bpdu: Bpdu) -> Vec<u8> {
    let mut bytes = BPDU_ADDRESS.to_vec();
    bytes.extend([2, 0, 0, 0, 9, 9]);
    bytes.extend(((3 + bpdu.len()) as u16).to_be_bytes());
    bytes.extend(BPDU_LLC);
    bytes.extend(&bpdu.emit()[..bpdu.len()]);
    bytes
}

#[test]
fn a_message_that_is_none_is_malformed_and_changes_nothing() {
    let mut lab = lab(vec![("a", spec("a", 1, 1))], &[]);
    lab.set_link(0, 0, true, 1500);
    let before = show(&mut lab, 0);
    let good = bpdu(proposal(1));
    for length in 14..good.len() {
        lab.arrive(0, 0, &good[..length]);
    }
    let malformed = good.len() - 14;
    assert_eq!(lab.drops_of(0), vec![Cause::Malformed; malformed]);
    assert_eq!(show(&mut lab, 0), before);
}

#[test]
fn without_a_tree_messages_pass_and_other_words_to_neighbors_do_not() {
    let mut lab = lab(vec![("sw", SwitchSpec::new("sw", 3))], &[]);
    lab.arrive(0, 0, &bpdu(proposal(1)));
    assert_eq!(lab.sent_by(0).len(), 2);
    let mut pause = bpdu(proposal(1));
    pause[5] = 1;
    lab.arrive(0, 0, &pause);
    assert_eq!(lab.drops_of(0), [Cause::LinkLocal]);
}

/// A message that is well-formed and otherwise anything.
fn any_bpdu() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(BpduKind::Rapid), Just(BpduKind::Configuration), Just(BpduKind::Notification)];
    let role = prop_oneof![
        Just(BpduRole::Designated),
        Just(BpduRole::Root),
        Just(BpduRole::AlternateOrBackup),
        Just(BpduRole::Unknown)
    ];
    // Few values, so that messages agree and disagree about the same things; the switches' own ids are among them.
    let bridge = (0..4_u8, prop_oneof![Just(0x1000), Just(0x8000)])
        .prop_map(|(number, priority)| BridgeId { priority, mac: mac(number).0 });
    let time = prop_oneof![Just(0), Just(256), Just(512), Just(5120), any::<u16>()].prop_map(BpduTime);
    let vectors = (bridge.clone(), prop_oneof![Just(0), Just(20_000), any::<u32>()], bridge, 0x8000..0x8004_u16);
    (kind, any::<u8>(), role, vectors, [time.clone(), time.clone(), time.clone(), time]).prop_map(
        |(kind, flags, role, (root, cost, bridge, port), [message_age, max_age, hello, forward_delay])| {
            let flags = flags & !0x0c;
            bpdu(Bpdu { kind, flags, role, root, cost, bridge, port, message_age, max_age, hello, forward_delay })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn links_that_come_and_go_never_close_the_circle(
        events in prop::collection::vec((0..3_usize, any::<bool>(), 0..40_u64), 1..30),
    ) {
        let wires = [((0, 0), (1, 1)), ((1, 0), (2, 1)), ((2, 0), (0, 1))];
        let mut lab = circle(|spec| spec);
        for (wire, is_up, wait) in events {
            let (a, b) = wires[wire];
            lab.set_link(a.0, a.1, is_up, 1500);
            lab.set_link(b.0, b.1, is_up, 1500);
            for _ in 0..wait {
                lab.run_for(Duration::from_millis(1));
                let is_open = |(node, number)| port(&mut lab, node, number).ends_with("forwarding");
                let ends = wires.iter().flat_map(|(a, b)| [*a, *b]);
                prop_assert!(!ends.into_iter().all(is_open), "at {}", lab.now);
            }
        }
    }

    // That the machines settle is asserted by themselves.
    #[test]
    fn any_messages_leave_switches_that_find_a_tree_again(
        events in prop::collection::vec((0..3_usize, 0..3_u16, any_bpdu(), 0..4_u8, 0..3000_u64), 1..40),
        is_old in any::<bool>(),
    ) {
        let mut lab = circle(if is_old { old } else { |spec| spec });
        for (node, port, message, what, wait) in events {
            match what {
                0 => lab.set_link(node, port, false, 1500),
                1 => lab.set_link(node, port, true, 1500),
                _ => lab.arrive(node, port, &message),
            }
            lab.run_for(Duration::from_millis(wait));
        }
        for node in 0..3 {
            for port in 0..3 {
                lab.set_link(node, port, true, 1500);
            }
        }
        // The longest that a lie can last: 255 s of hello time, thrice, and then the tree is found anew.
        lab.run_for(Duration::from_secs(1000));
        prop_assert!(is_tree(&mut lab));
        prop_assert!(show(&mut lab, 0).contains("(this switch)"));
    }
}
