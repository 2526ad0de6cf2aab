//! What the loop promises, whoever the nodes are.

use std::time::Duration;

use super::agenda::{Class, Entry};
use super::testing::{Diary, Log, Puppet, blob, pair};
use super::{Action, Network, RunError};
use crate::id::{FrameId, LinkId, NodeId, PortId};
use crate::link::PipeSpec;
use crate::node::Command;
use crate::record::Cause;
use crate::time::Time;
use crate::wire::Layer;

fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

fn lines(diary: &Diary) -> Vec<String> {
    diary.lock().unwrap().clone()
}

fn spec(delay_ms: u64) -> [PipeSpec; 2] {
    let spec = PipeSpec { delay: Duration::from_millis(delay_ms), ..PipeSpec::default() };
    [spec.clone(), spec]
}

/// Does what a function does.
struct Does<F>(F);

impl<F> std::fmt::Debug for Does<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Does")
    }
}

impl<F: FnMut(&mut Network) + Send> Action for Does<F> {
    fn apply(&mut self, network: &mut Network) -> Result<(), String> {
        (self.0)(network);
        Ok(())
    }

    fn describe(&self) -> String {
        "do something".into()
    }
}

#[test]
fn a_frame_is_sent_crosses_and_is_delivered() {
    let (mut network, _) = pair(Puppet::sending([(ms(5), blob("hello"))]), Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::MAX).unwrap();
    // 5 ms + 10 ms delay, and a link without a rate takes no time.
    assert_eq!(log.lines(), ["0.005 client:eth0 > n0.0", "0.015 server:eth0 < n0.0"]);
    assert_eq!(network.now(), ms(15));
}

#[test]
fn the_end_of_a_run_is_part_of_it() {
    let run_until = |until: Time| {
        let (mut network, _) = pair(Puppet::sending([(ms(5), blob("hello"))]), Puppet::default());
        network.run_until(until).unwrap();
        (network.fact("links.wan.delivered").unwrap().to_string(), network.now())
    };
    assert_eq!(run_until(ms(15)), ("1".into(), ms(15)));
    let just_before = Time::from_nanos(ms(15).as_nanos() - 1);
    assert_eq!(run_until(just_before), ("0".into(), just_before));
}

#[test]
fn a_run_can_go_on_where_it_was_left() {
    let whole = {
        let (mut network, _) = pair(Puppet::sending([(ms(5), blob("a")), (ms(7), blob("b"))]), Puppet::default());
        let log = Log::default();
        network.observe(Box::new(log.clone()));
        network.run_until(ms(100)).unwrap();
        log.lines()
    };
    let (mut network, _) = pair(Puppet::sending([(ms(5), blob("a")), (ms(7), blob("b"))]), Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    for at in 0..20 {
        network.run_until(ms(at)).unwrap();
    }
    assert_eq!(log.lines(), whole);
    assert_eq!(network.next_at(), None);
}

#[test]
fn stepping_takes_the_same_way_as_running() {
    let (mut network, _) = pair(Puppet::sending([(ms(5), blob("a")), (ms(7), blob("b"))]), Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    let mut times = Vec::new();
    while network.step(ms(16)).unwrap() {
        times.push(network.now());
    }
    // Two sendings and the first arrival; the second, at 17 ms, lies behind the end.
    assert_eq!(times, [ms(5), ms(7), ms(15)]);
    assert_eq!(network.next_at(), Some(ms(17)));
}

/// Three nodes that all send to the middle one at the same instants.
fn busy(seed: u64, strangers: usize) -> Vec<String> {
    let mut network = Network::new(seed);
    // Strangers come first, so that every id of the others is shifted.
    for stranger in 0..strangers {
        let ends = ["x", "y"].map(|side| {
            let node = Puppet::sending((0..20).map(|at| (ms(at), blob("stranger"))));
            (network.add_node(format!("{side}{stranger}"), vec!["p0".into()], Box::new(node)), PortId(0))
        });
        network.add_link(format!("stranger{stranger}"), ends, spec(1)).unwrap();
    }
    let sender = |name: &'static str| Puppet::sending((0..10).map(move |at| (ms(at), blob(name))));
    let diary = Diary::default();
    let middle = Puppet {
        diary: diary.clone(),
        script: (0..10).map(|at| (ms(at), PortId(1), blob("from the middle"))).collect(),
        ..Puppet::default()
    };
    let left = network.add_node("left", vec!["p0".into()], Box::new(sender("left")));
    let middle = network.add_node("middle", vec!["p0".into(), "p1".into()], Box::new(middle));
    let right = network.add_node("right", vec!["p0".into()], Box::new(sender("right")));
    // Put together against the order of the ports.
    network.add_link("b", [(right, PortId(0)), (middle, PortId(1))], spec(1)).unwrap();
    network.add_link("a", [(left, PortId(0)), (middle, PortId(0))], spec(1)).unwrap();
    network.run_until(ms(100)).unwrap();
    lines(&diary)
}

#[test]
fn nodes_and_links_added_before_it_do_not_change_what_a_node_goes_through() {
    assert_eq!(busy(1, 0), busy(1, 3));
    let diary = busy(1, 0);
    assert!(diary.iter().any(|line| line.starts_with("0.001 receive 1")), "{diary:?}");
}

#[test]
fn of_one_instant_arrivals_come_by_port_and_before_timers() {
    let mut network = Network::new(1);
    let diary = Diary::default();
    let middle = Puppet { diary: diary.clone(), insists_on: Some(ms(1)), ..Puppet::default() };
    let middle = network.add_node("middle", vec!["p0".into(), "p1".into()], Box::new(middle));
    for (name, port) in [("right", 1), ("left", 0)] {
        let node = network.add_node(name, vec!["p0".into()], Box::new(Puppet::sending([(ms(0), blob(name))])));
        network.add_link(name, [(node, PortId(0)), (middle, PortId(port))], spec(1)).unwrap();
    }
    // The puppet never stops insisting: the run ends in an error, which another test is about.
    let _ = network.run_until(ms(1));
    let at_1: Vec<String> = lines(&diary).into_iter().filter(|line| line.starts_with("0.001 ")).take(3).collect();
    assert_eq!(at_1[0].trim(), "0.001 receive 0 left");
    assert_eq!(at_1[1].trim(), "0.001 receive 1 right");
    assert_eq!(at_1[2].trim(), "0.001 wake");
}

#[test]
fn a_node_that_insists_on_the_same_instant_makes_time_stand_still() {
    let puppet = Puppet { insists_on: Some(ms(3)), ..Puppet::default() };
    let (mut network, _) = pair(puppet, Puppet::default());
    let error = network.run_until(Time::MAX).unwrap_err();
    assert_eq!(error, RunError::Standstill { at: ms(3), node: "client".into() });
    assert!(error.to_string().starts_with("time stands still at 0.003 s: client was woken"));
}

#[test]
fn a_run_that_will_not_end_is_given_up() {
    // Two nodes that send everything back, and one frame to begin with.
    let mut network = Network::new(1);
    let echo = || Puppet { forwards: true, ..Puppet::default() };
    let ports = || vec!["p0".to_owned(), "p1".to_owned()];
    let a = network.add_node("a", ports(), Box::new(Puppet { script: vec![(ms(0), PortId(0), blob("x"))], ..echo() }));
    let b = network.add_node("b", ports(), Box::new(echo()));
    network.add_link("there", [(a, PortId(0)), (b, PortId(0))], spec(1)).unwrap();
    network.add_link("back", [(a, PortId(1)), (b, PortId(1))], spec(1)).unwrap();
    network.limit_events(1_000);
    let error = network.run_until(Time::MAX).unwrap_err();
    assert!(matches!(&error, RunError::TooManyEvents { events: 1_000, .. }), "{error}");
    assert_eq!(network.events(), 1_001);
}

#[test]
fn actions_that_plan_actions_for_ever_are_given_up_too() {
    #[derive(Debug, Clone)]
    struct Again;
    impl Action for Again {
        fn apply(&mut self, network: &mut Network) -> Result<(), String> {
            network.plan(network.now(), Box::new(Self));
            Ok(())
        }
        fn describe(&self) -> String {
            "again".into()
        }
    }
    for at in [ms(0), ms(1)] {
        let (mut network, _) = pair(Puppet::default(), Puppet::default());
        network.limit_events(100);
        network.plan(at, Box::new(Again));
        let error = network.run_until(Time::MAX).unwrap_err();
        assert_eq!(error, RunError::TooManyEvents { at, events: 100, node: "again".into() });
    }
}

#[test]
fn an_action_comes_before_everything_else_of_its_instant() {
    for at in [0, 5] {
        let (mut network, link) = pair(Puppet::sending([(ms(at), blob("hello"))]), Puppet::default());
        network.plan(ms(at), Box::new(Does(move |network: &mut Network| network.set_link_up(link, false))));
        network.run_until(Time::MAX).unwrap();
        assert_eq!(network.fact("links.wan.dropped").unwrap().to_string(), "1", "at {at} ms");
    }
}

#[test]
fn actions_of_one_instant_happen_in_the_order_of_planning() {
    let (mut network, _) = pair(Puppet::default(), Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    for (at, word) in [(2, "c"), (1, "a"), (1, "b")] {
        let say = move |network: &mut Network| network.note(NodeId(0), || word.to_owned());
        network.plan(ms(at), Box::new(Does(say)));
    }
    network.run_until(Time::MAX).unwrap();
    assert_eq!(log.lines(), ["0.001 client # a", "0.001 client # b", "0.002 client # c"]);
}

#[test]
fn an_action_planned_for_the_past_happens_now() {
    let (mut network, _) = pair(Puppet::sending([(ms(5), blob("x"))]), Puppet::default());
    network.run_until(ms(7)).unwrap();
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.plan(ms(1), Box::new(Does(|network: &mut Network| network.note(NodeId(0), || "late".to_owned()))));
    network.run_until(ms(8)).unwrap();
    assert_eq!(log.lines(), ["0.007 client # late"]);
}

#[test]
fn a_node_that_is_commanded_at_time_zero_has_begun() {
    let diary = Diary::default();
    let (mut network, _) = pair(Puppet { obeys: true, diary: diary.clone(), ..Puppet::default() }, Puppet::default());
    network.plan(ms(0), Box::new(Does(|network: &mut Network| network.command(NodeId(0), &Command::Crash).unwrap())));
    network.run_until(ms(1)).unwrap();
    assert_eq!(lines(&diary), ["0.000 link 0 up mtu 1500", "0.000 start", "0.000 Crash"]);
}

#[test]
fn a_command_that_a_node_refuses_ends_the_run_with_a_reason() {
    use super::action::Order;
    let (mut network, _) = pair(Puppet::default(), Puppet::default());
    let order = Order { node: NodeId(1), command: Command::Crash, text: "crash server".into() };
    network.plan(ms(2), Box::new(order));
    let error = network.run_until(Time::MAX).unwrap_err();
    assert_eq!(error.to_string(), "crash server at 0.002 s: a puppet cannot crash");
}

#[test]
fn what_is_on_a_link_that_goes_down_is_lost_and_its_entry_in_the_agenda_is_stale() {
    let (mut network, link) = pair(Puppet::sending([(ms(0), blob("x")), (ms(12), blob("y"))]), Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(ms(4)).unwrap();
    network.set_link_up(link, false);
    network.run_until(ms(8)).unwrap();
    network.set_link_up(link, true);
    // Going up once more changes nothing and tells nothing.
    network.set_link_up(link, true);
    network.run_until(ms(100)).unwrap();
    assert_eq!(
        log.lines(),
        [
            "0.000 client:eth0 > n0.0",
            "0.004 wan/AToB is up: false",
            "0.004 wan/AToB x n0.0 link-down",
            "0.004 wan/BToA is up: false",
            "0.008 wan/AToB is up: true",
            "0.008 wan/BToA is up: true",
            "0.012 client:eth0 > n0.1",
            "0.022 server:eth0 < n0.1",
        ]
    );
}

#[test]
fn entries_that_are_stale_or_double_do_no_harm() {
    let (mut network, _) = pair(Puppet::sending([(ms(0), blob("x"))]), Puppet::default());
    for at in [1, 10, 10, 50] {
        for (class, port) in [(Class::Arrival, PortId(0)), (Class::Wake, PortId(0))] {
            network.parts[0].agenda.push(Entry { at: ms(at), node: NodeId(1), class, port });
        }
    }
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(ms(100)).unwrap();
    assert_eq!(log.lines(), ["0.000 client:eth0 > n0.0", "0.010 server:eth0 < n0.0"]);
}

#[test]
fn a_delay_that_changes_moves_the_frames_that_have_not_begun() {
    use crate::link::Property;
    use crate::units::Rate;
    let (mut network, _) = pair(Puppet::sending((0..3).map(|_| (ms(0), blob("x")))), Puppet::default());
    let pipe = network.names().pipe_from(NodeId(0), PortId(0)).unwrap();
    // 60 B at 60 kB/s are 1 ms each: they begin at 0, 1 and 2 ms.
    network.set(pipe, &Property::Rate(Rate::from_bits_per_second(480_000)));
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::from_nanos(500_000)).unwrap();
    network.set(pipe, &Property::Delay(Duration::from_millis(3)));
    network.run_until(ms(100)).unwrap();
    let arrivals: Vec<String> = log.lines().into_iter().filter(|line| line.contains('<')).collect();
    // The first is under way: 1 + 10 ms. The others would arrive at 2 + 3 and 3 + 3 ms, but do not overtake it.
    assert_eq!(arrivals.len(), 3);
    assert!(
        arrivals[0].starts_with("0.011 ") && arrivals[1].starts_with("0.011 ") && arrivals[2].starts_with("0.011 "),
        "{arrivals:?}"
    );
}

#[test]
fn ends_are_told_of_the_link_before_they_begin_and_when_it_changes() {
    use crate::link::Property;
    let diary = Diary::default();
    let (mut network, link) = pair(Puppet { diary: diary.clone(), ..Puppet::default() }, Puppet::default());
    let pipe = network.names().pipe_from(NodeId(0), PortId(0)).unwrap();
    network.start().unwrap();
    network.set(pipe, &Property::Mtu(600));
    network.set_link_up(link, false);
    assert_eq!(
        lines(&diary),
        ["0.000 link 0 up mtu 1500", "0.000 start", "0.000 link 0 up mtu 600", "0.000 link 0 down mtu 600",]
    );
}

#[test]
fn frames_are_numbered_by_their_origin_and_know_their_cause() {
    // left > middle > right: what the middle sends is a frame of its own, because of the one it received.
    let mut network = Network::new(1);
    let left =
        network.add_node("left", vec!["p0".into()], Box::new(Puppet::sending((0..2).map(|at| (ms(at), blob("x"))))));
    let middle = Puppet { forwards: true, ..Puppet::default() };
    let middle = network.add_node("middle", vec!["p0".into(), "p1".into()], Box::new(middle));
    let right = network.add_node(
        "right",
        vec!["p0".into()],
        Box::new(Puppet { drops: Some(Cause::NobodyListens), ..Puppet::default() }),
    );
    network.add_link("a", [(left, PortId(0)), (middle, PortId(0))], spec(1)).unwrap();
    network.add_link("b", [(middle, PortId(1)), (right, PortId(0))], spec(1)).unwrap();
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::MAX).unwrap();
    assert_eq!(
        log.lines(),
        [
            "0.000 left:p0 > n0.0",
            "0.001 left:p0 > n0.1",
            "0.001 middle:p0 < n0.0",
            "0.001 middle:p1 > n1.0 because of n0.0",
            "0.002 middle:p0 < n0.1",
            "0.002 middle:p1 > n1.1 because of n0.1",
            "0.002 right:p0 < n1.0",
            "0.002 right x n1.0 nobody-listens",
            "0.003 right:p0 < n1.1",
            "0.003 right x n1.1 nobody-listens",
        ]
    );
    assert_eq!(FrameId { origin: middle.0, count: 1 }.to_string(), "n1.1");
}

#[test]
fn a_frame_at_a_port_without_a_link_is_dropped_with_that_cause() {
    let mut network = Network::new(1);
    network.add_node("alone", vec!["p0".into()], Box::new(Puppet::sending([(ms(1), blob("x"))])));
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    network.run_until(Time::MAX).unwrap();
    assert_eq!(log.lines(), ["0.001 alone x - no-link"]);
}

#[test]
fn with_no_observer_nothing_is_collected_for_one() {
    let (mut network, link) = pair(Puppet::sending([(ms(0), blob("x"))]), Puppet::default());
    assert!(!network.parts[0].outbox.is_observed());
    network.note(NodeId(0), || unreachable!("nobody wants to know"));
    network.set_link_up(link, false);
    network.run_until(ms(100)).unwrap();
    assert!(network.parts[0].outbox.effects().is_empty());
}

#[test]
fn the_run_is_the_same_with_and_without_an_observer_and_the_second_time() {
    let run = |is_observed: bool| {
        let diary = Diary::default();
        let server = Puppet { diary: diary.clone(), ..Puppet::default() };
        let (mut network, _) = pair(Puppet::sending((0..50).map(|at| (ms(at / 3), blob("x")))), server);
        let log = Log::default();
        if is_observed {
            network.observe(Box::new(log.clone()));
        }
        network.run_until(Time::MAX).unwrap();
        (lines(&diary), network.events(), network.now(), log.lines())
    };
    let (first, second, silent) = (run(true), run(true), run(false));
    assert_eq!(first, second);
    assert_eq!((&first.0, first.1, first.2), (&silent.0, silent.1, silent.2));
}

#[test]
fn buffers_come_back_to_the_pool_and_vectors_keep_their_room() {
    let script = (0..200).map(|at| (ms(at), blob("x")));
    let (mut network, link) = pair(Puppet::sending(script), Puppet::default());
    network.plan(ms(100), Box::new(Does(move |network: &mut Network| network.set_link_up(link, false))));
    network.plan(ms(150), Box::new(Does(move |network: &mut Network| network.set_link_up(link, true))));
    network.run_until(Time::MAX).unwrap();
    // At most 11 frames were on the link at once: so many buffers were ever made, and all of them are idle again.
    let buffers = network.parts[0].outbox.pool.idle_count();
    assert!((10..=11).contains(&buffers), "{buffers}");
    assert!(network.parts[0].spare.len() <= 2 && network.parts[0].spare.iter().all(Vec::is_empty));
}

#[test]
fn an_injected_frame_is_a_frame_of_the_node() {
    let puppet = Puppet { obeys: true, ..Puppet::default() };
    let (mut network, _) = pair(puppet, Puppet::default());
    let log = Log::default();
    network.observe(Box::new(log.clone()));
    let command = Command::Inject { port: None, layer: Layer::Ethernet, bytes: blob("x") };
    network.plan(ms(3), Box::new(Does(move |network: &mut Network| network.command(NodeId(0), &command).unwrap())));
    network.run_until(Time::MAX).unwrap();
    assert_eq!(log.lines(), ["0.003 client:eth0 > n0.0", "0.013 server:eth0 < n0.0"]);
}

#[test]
fn facts_have_names_that_find_them() {
    let (mut network, _) = pair(Puppet::sending([(ms(0), blob("x"))]), Puppet::default());
    network.run_until(Time::MAX).unwrap();
    let names = network.fact_names();
    assert!(names.iter().all(|name| network.fact(name).is_some()), "{names:?}");
    assert!(names.contains(&"links.wan.ab.delivered".to_owned()));
    for (name, value) in [("links.wan.sent", "1"), ("links.wan.ba.sent", "0"), ("run.time", "10ms")] {
        assert_eq!(network.fact(name).map(|value| value.to_string()).as_deref(), Some(value), "{name}");
    }
    for name in ["", "links", "links.wan", "links.wan.ab", "links.x.sent", "run.", "apps.fetch.x", "nodes.client"] {
        assert_eq!(network.fact(name), None, "{name}");
    }
}

#[test]
fn a_link_needs_two_free_ports() {
    use super::WiringError;
    let (mut network, _) = pair(Puppet::default(), Puppet::default());
    let other = network.add_node("other", vec!["p0".into()], Box::new(Puppet::default()));
    let error = network.add_link("second", [(other, PortId(0)), (NodeId(0), PortId(0))], spec(1)).unwrap_err();
    assert_eq!(error, WiringError::PortTaken { node: "client".into(), port: "eth0".into() });
    let error = network.add_link("loop", [(other, PortId(0)), (other, PortId(0))], spec(1)).unwrap_err();
    assert_eq!(error, WiringError::SameEnds);
    // Neither attempt has left anything behind.
    let free = network.add_node("free", vec!["p0".into()], Box::new(Puppet::default()));
    assert_eq!(network.add_link("good", [(other, PortId(0)), (free, PortId(0))], spec(1)), Ok(LinkId(1)));
}
