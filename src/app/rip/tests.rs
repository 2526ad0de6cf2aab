//! The protocol by itself: routers whose messages are carried by hand.

use proptest::prelude::*;

use super::engine::Counts;
use super::table::ROUTES_MAX;
use super::*;
use crate::net::NextHop;
use crate::rng::Rng;
use crate::wire::rip::{RIP_PORT, RIPNG_PORT, RipCommand, RipEntry, RipMessage};

fn settings() -> Settings {
    let update = Duration::from_secs(30);
    Settings {
        version: RipVersion::Two,
        update,
        timeout: update * 6,
        garbage: update * 4,
        split_horizon: SplitHorizon::Simple,
        triggers: true,
        announced: Vec::new(),
    }
}

fn port(net: &str) -> Port {
    let net: IpNet = net.parse().unwrap();
    Port { name: "eth".into(), nets: vec![net], source: net.addr(), mtu: 1500, cost: 1, is_passive: false }
}

fn seconds(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// A router with 10.0.1.1/24 at interface 1 and 10.0.2.1/24 at interface 2, which has said its first words.
fn router(settings: Settings) -> Engine {
    let mut engine = Engine::new(settings, Rng::stream(7, "rip"), Time::ZERO);
    engine.set_ports([(1, port("10.0.1.1/24")), (2, port("10.0.2.1/24"))].into(), Time::ZERO);
    engine.take_actions();
    engine
}

fn entry(prefix: &str, metric: u32) -> RipEntry {
    RipEntry { prefix: Some(prefix.parse().unwrap()), next_hop: None, metric, tag: 0 }
}

fn response(entries: &[RipEntry]) -> Vec<u8> {
    let message = RipMessage { command: RipCommand::Response, entries: entries.to_vec(), asks_for_all: false };
    message.emit(RipVersion::Two)
}

/// A neighbor at interface 1 tells of one route.
fn hear(engine: &mut Engine, from: &str, prefix: &str, metric: u32, now: Time) {
    engine.receive(1, (from.parse::<IpAddr>().unwrap(), RIP_PORT).into(), 1, &response(&[entry(prefix, metric)]), now);
}

/// What was sent at each interface, and what became of routes.
fn done(engine: &mut Engine) -> (Vec<(u16, Vec<RipEntry>)>, Vec<String>) {
    let (mut sent, mut routes) = (Vec::new(), Vec::new());
    for action in engine.take_actions() {
        match action {
            Action::Route(change) => routes.push(change.to_string()),
            Action::Say(_) => {}
            Action::Send { interface, payload, .. } => {
                sent.push((interface, RipMessage::parse(&payload, RipVersion::Two).unwrap().entries));
            }
        }
    }
    (sent, routes)
}

#[test]
fn rfc_2453_3_9_2_a_new_route_costs_one_more_and_is_told_on_at_once_but_not_back() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    let (sent, routes) = done(&mut engine);
    assert_eq!(routes, ["10.9.0.0/16 via 10.0.1.9 metric 4"]);
    assert_eq!(sent, [(2, vec![entry("10.9.0.0/16", 4)])]);
}

#[test]
fn rfc_2453_3_4_3_split_horizon_is_as_it_was_asked_for() {
    let told = |split_horizon| {
        let mut engine = router(Settings { split_horizon, ..settings() });
        hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
        let (sent, _) = done(&mut engine);
        sent.into_iter().find(|(interface, _)| *interface == 1).map(|(_, entries)| entries[0].metric)
    };
    assert_eq!(told(SplitHorizon::Simple), None);
    assert_eq!(told(SplitHorizon::Poisoned), Some(16));
    assert_eq!(told(SplitHorizon::None), Some(4));
}

#[test]
fn rfc_2453_3_9_2_who_told_of_a_route_is_believed_whatever_it_says_and_others_if_they_are_nearer() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 3, seconds(11));
    assert_eq!(done(&mut engine).1, ["10.9.0.0/16 via 10.0.1.9 metric 4"], "as far is not nearer");
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 2, seconds(12));
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 9, seconds(13));
    assert_eq!(done(&mut engine).1, ["10.9.0.0/16 via 10.0.1.8 metric 3", "10.9.0.0/16 via 10.0.1.8 metric 10"]);
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 16, seconds(14));
    assert_eq!(done(&mut engine).1, ["10.9.0.0/16 lost"]);
    // Fifteen and one more is too far, and nothing that there is no way to is worth knowing.
    hear(&mut engine, "10.0.1.8", "10.8.0.0/16", 15, seconds(15));
    assert_eq!(done(&mut engine).1, [""; 0]);
}

#[test]
fn rfc_2453_3_9_2_a_fading_route_gives_way_to_an_equal_one() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 3, seconds(99));
    // Half of 180 s after 10 s.
    hear(&mut engine, "10.0.1.8", "10.9.0.0/16", 3, seconds(100));
    assert_eq!(done(&mut engine).1, ["10.9.0.0/16 via 10.0.1.9 metric 4", "10.9.0.0/16 via 10.0.1.8 metric 4"]);
}

#[test]
fn rfc_2453_3_8_a_silent_routers_routes_time_out_are_told_as_lost_and_forgotten() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    done(&mut engine);
    engine.wake(seconds(189));
    assert_eq!(done(&mut engine).1, [""; 0]);
    engine.wake(seconds(190));
    assert_eq!(done(&mut engine).1, ["10.9.0.0/16 lost"]);
    let prefix = "10.9.0.0/16".parse().unwrap();
    engine.wake(seconds(309));
    let (sent, _) = done(&mut engine);
    assert!(sent.iter().any(|(_, entries)| entries.contains(&entry("10.9.0.0/16", 16))));
    assert!(engine.table().get(&prefix).is_some());
    engine.wake(seconds(310));
    assert!(engine.table().get(&prefix).is_none());
}

#[test]
fn rfc_2453_3_9_2_a_deletion_that_has_begun_is_not_begun_anew_and_a_new_route_ends_it() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    hear(&mut engine, "10.0.1.9", "10.8.0.0/16", 3, seconds(10));
    for at in [20, 60, 100] {
        hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 16, seconds(at));
        hear(&mut engine, "10.0.1.9", "10.8.0.0/16", 16, seconds(at));
    }
    hear(&mut engine, "10.0.1.9", "10.8.0.0/16", 5, seconds(110));
    // 120 s after 20 s, however often it was said again.
    engine.wake(seconds(140));
    let known = |engine: &Engine, prefix: &str| engine.table().get(&prefix.parse().unwrap()).map(|route| route.metric);
    assert_eq!((known(&engine, "10.9.0.0/16"), known(&engine, "10.8.0.0/16")), (None, Some(6)));
}

#[test]
fn rfc_2453_4_2_a_tag_must_be_preserved_and_readvertised_with_its_route() {
    let mut engine = router(settings());
    let tagged = RipEntry { tag: 7, ..entry("10.9.0.0/16", 3) };
    engine.receive(1, ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into(), 1, &response(&[tagged]), seconds(10));
    assert_eq!(done(&mut engine).0, [(2, vec![RipEntry { metric: 4, ..tagged }])]);
}

#[test]
fn rfc_2453_3_5_a_subnets_metric_is_what_crossing_it_costs() {
    let mut engine = Engine::new(settings(), Rng::stream(7, "rip"), Time::ZERO);
    let dear = Port { cost: 5, ..port("10.0.1.1/24") };
    engine.set_ports([(1, dear), (2, port("10.0.2.1/24"))].into(), Time::ZERO);
    let sent = done(&mut engine).0;
    assert!(sent.contains(&(2, vec![entry("10.0.1.0/24", 5)])), "{sent:?}");
    engine.set_ports([(1, port("10.0.1.1/24")), (2, port("10.0.2.1/24"))].into(), seconds(50));
    let sent = done(&mut engine).0;
    assert!(sent.contains(&(2, vec![entry("10.0.1.0/24", 1)])), "{sent:?}");
}

#[test]
fn rfc_2453_3_9_2_what_is_not_from_a_neighbors_rip_port_must_be_ignored() {
    let mut engine = router(settings());
    let told = response(&[entry("10.9.0.0/16", 3)]);
    let mut from = |address: &str, port| {
        engine.receive(1, (address.parse::<IpAddr>().unwrap(), port).into(), 1, &told, seconds(10));
        (done(&mut engine).1.len(), engine.counts().ignored)
    };
    assert_eq!(from("10.0.1.9", 4000), (0, 1));
    assert_eq!(from("10.0.2.9", RIP_PORT), (0, 2), "of the other subnet");
    assert_eq!(from("10.0.1.1", RIP_PORT), (0, 3), "its own");
    assert_eq!(from("10.0.1.9", RIP_PORT), (1, 3));
}

#[test]
fn rfc_2453_3_9_2_a_wrong_entry_is_ignored_and_the_next_believed() {
    let mut engine = router(settings());
    let told = [
        entry("10.9.0.0/16", 17),
        entry("10.8.0.0/16", 0),
        entry("127.0.0.0/8", 1),
        entry("224.0.0.0/4", 1),
        entry("0.0.0.0/8", 1),
        entry("0.0.0.0/0", 1),
    ];
    engine.receive(1, ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into(), 1, &response(&told), seconds(10));
    assert_eq!(done(&mut engine).1, ["0.0.0.0/0 via 10.0.1.9 metric 2"]);
    assert_eq!(engine.counts().ignored, 5);
}

#[test]
fn rfc_2453_4_4_a_next_hop_counts_if_it_is_on_the_link() {
    let via = |next_hop: &str| {
        let mut engine = router(settings());
        let told = RipEntry { next_hop: Some(next_hop.parse().unwrap()), ..entry("10.9.0.0/16", 3) };
        engine.receive(1, ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into(), 1, &response(&[told]), seconds(10));
        done(&mut engine).1.remove(0)
    };
    assert_eq!(via("10.0.1.77"), "10.9.0.0/16 via 10.0.1.77 metric 4");
    assert_eq!(via("10.0.2.77"), "10.9.0.0/16 via 10.0.1.9 metric 4");
    assert_eq!(via("10.0.1.1"), "10.9.0.0/16 via 10.0.1.9 metric 4", "the router itself");
}

#[test]
fn rfc_2453_3_9_1_a_request_for_all_is_answered_with_the_horizon_and_one_for_some_without() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    done(&mut engine);
    let asker = ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into();
    engine.receive(1, asker, 1, &RipMessage::request_all().emit(RipVersion::Two), seconds(20));
    assert_eq!(done(&mut engine).0, [(1, vec![entry("10.0.2.0/24", 1)])]);
    let some = [entry("10.9.0.0/16", 0), entry("10.7.0.0/16", 0)];
    let request = RipMessage { command: RipCommand::Request, entries: some.to_vec(), asks_for_all: false };
    engine.receive(1, asker, 1, &request.emit(RipVersion::Two), seconds(21));
    assert_eq!(done(&mut engine).0, [(1, vec![entry("10.9.0.0/16", 4), entry("10.7.0.0/16", 16)])]);
}

#[test]
fn rfc_2453_3_10_1_changes_in_a_row_are_told_together_after_one_to_five_seconds() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    assert_eq!(done(&mut engine).0.len(), 1);
    hear(&mut engine, "10.0.1.9", "10.8.0.0/16", 3, seconds(10));
    hear(&mut engine, "10.0.1.9", "10.7.0.0/16", 3, seconds(10));
    assert_eq!(done(&mut engine).0, []);
    let at = engine.wake_at();
    assert!((seconds(11)..=seconds(15)).contains(&at), "{at}");
    engine.wake(at);
    assert_eq!(done(&mut engine).0, [(2, vec![entry("10.7.0.0/16", 4), entry("10.8.0.0/16", 4)])]);
}

#[test]
fn rfc_2453_3_8_updates_come_every_25_to_35_seconds_and_never_all_at_the_same_time() {
    let mut engine = router(settings());
    let (mut last, mut gaps) = (Time::ZERO, Vec::new());
    for _ in 0..50 {
        let at = engine.wake_at();
        engine.wake(at);
        gaps.push(at.since(last));
        last = at;
    }
    assert!(gaps.iter().all(|gap| (25..=35).contains(&gap.as_secs())), "{gaps:?}");
    assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn a_lost_carrier_ends_what_is_behind_it_and_a_new_one_asks() {
    let mut engine = router(settings());
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(10));
    done(&mut engine);
    engine.set_ports([(2, port("10.0.2.1/24"))].into(), seconds(20));
    let (sent, routes) = done(&mut engine);
    assert_eq!(routes, ["10.9.0.0/16 lost"]);
    assert_eq!(sent, [(2, vec![entry("10.0.1.0/24", 16), entry("10.9.0.0/16", 16)])]);
    // Meanwhile there is another way to the subnet; it ends when the subnet is near again.
    engine.receive(
        2,
        ("10.0.2.9".parse::<IpAddr>().unwrap(), RIP_PORT).into(),
        1,
        &response(&[entry("10.0.1.0/24", 1)]),
        seconds(25),
    );
    assert_eq!(done(&mut engine).1, ["10.0.1.0/24 via 10.0.2.9 metric 2"]);
    engine.set_ports([(1, port("10.0.1.1/24")), (2, port("10.0.2.1/24"))].into(), seconds(30));
    let (sent, routes) = done(&mut engine);
    assert_eq!(routes, ["10.0.1.0/24 lost"]);
    assert_eq!((sent[0].0, sent[0].1[0].prefix), (1, None), "a request");
}

#[test]
fn a_passive_interface_says_nothing_but_to_programs_that_look_into_it() {
    let mut engine = Engine::new(settings(), Rng::stream(7, "rip"), Time::ZERO);
    let quiet = Port { is_passive: true, ..port("10.0.1.1/24") };
    engine.set_ports([(1, quiet), (2, port("10.0.2.1/24"))].into(), Time::ZERO);
    engine.wake(seconds(36));
    assert!(done(&mut engine).0.iter().all(|(interface, _)| *interface == 2));
    let mut ask = |from_port| {
        let asker = ("10.0.1.9".parse::<IpAddr>().unwrap(), from_port).into();
        engine.receive(1, asker, 1, &RipMessage::request_all().emit(RipVersion::Two), seconds(40));
        done(&mut engine).0.len()
    };
    assert_eq!((ask(RIP_PORT), ask(4000)), (0, 1));
}

#[test]
fn a_full_table_learns_again_once_there_is_room() {
    let mut engine = router(settings());
    let prefix = |index: usize| entry(&format!("20.{}.{}.0/24", index >> 8, index & 255), 1);
    for first in (0..ROUTES_MAX).step_by(25) {
        let entries: Vec<RipEntry> = (first..first + 25).map(prefix).collect();
        engine.receive(
            1,
            ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into(),
            1,
            &response(&entries),
            seconds(10),
        );
    }
    engine.table().check();
    // Two subnets of its own have a place.
    assert_eq!((engine.table().reachable_count(), engine.counts().refused), (ROUTES_MAX, 2));
    engine.wake(seconds(190));
    engine.wake(seconds(310));
    hear(&mut engine, "10.0.1.9", "10.9.0.0/16", 3, seconds(311));
    assert_eq!(engine.counts().refused, 2);
}

#[test]
fn many_routes_take_messages_of_25() {
    let announced: Vec<IpNet> = (0..60).map(|index| format!("20.0.{index}.0/24").parse().unwrap()).collect();
    let mut engine = router(Settings { announced, ..settings() });
    let asker = ("10.0.1.9".parse::<IpAddr>().unwrap(), RIP_PORT).into();
    engine.receive(1, asker, 1, &RipMessage::request_all().emit(RipVersion::Two), seconds(10));
    let lengths: Vec<usize> = done(&mut engine).0.iter().map(|(_, entries)| entries.len()).collect();
    assert_eq!(lengths, [25, 25, 11]);
}

#[test]
fn rfc_2080_2_4_2_ripng_believes_link_local_sources_that_were_not_forwarded() {
    let mut engine = Engine::new(Settings { version: RipVersion::Ng, ..settings() }, Rng::stream(7, "rip"), Time::ZERO);
    let own = Port { source: "fe80::1".parse().unwrap(), ..port("2001:db8:1::1/64") };
    engine.set_ports([(1, own)].into(), Time::ZERO);
    let sent = engine.take_actions();
    assert!(sent.iter().all(|action| matches!(action, Action::Send { ttl: 255, .. })));
    let told =
        RipMessage { command: RipCommand::Response, entries: vec![entry("2001:db8:9::/48", 1)], asks_for_all: false };
    let mut hear = |from: &str, hops| {
        let from = (from.parse::<IpAddr>().unwrap(), RIPNG_PORT).into();
        engine.receive(1, from, hops, &told.emit(RipVersion::Ng), seconds(10));
        engine.take_actions().into_iter().find_map(|action| match action {
            Action::Route(change) => Some(change),
            _ => None,
        })
    };
    assert_eq!(hear("fe80::9", 254), None);
    assert_eq!(hear("2001:db8:1::9", 255), None);
    let next_hops = vec![NextHop { interface: 1, via: Some("fe80::9".parse().unwrap()) }];
    let change = RouteChange::Put { prefix: "2001:db8:9::/48".parse().unwrap(), next_hops, metric: 2 };
    assert_eq!(hear("fe80::9", 255), Some(change));
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(u16, u8, u16, Vec<u8>),
    Told(u16, u8, Vec<(u8, u32)>),
    Ports(bool, bool),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u16..4, any::<u8>(), prop_oneof![Just(RIP_PORT), any::<u16>()], prop::collection::vec(any::<u8>(), 0..90))
            .prop_map(|(interface, from, port, bytes)| Step::Bytes(interface, from, port, bytes)),
        (1_u16..3, 2_u8..5, prop::collection::vec((0_u8..6, 0_u32..18), 1..6))
            .prop_map(|(interface, from, routes)| Step::Told(interface, from, routes)),
        (any::<bool>(), any::<bool>()).prop_map(|(one, two)| Step::Ports(one, two)),
        (0_u16..400).prop_map(Step::Wait),
    ]
}

/// Does as told; what came out, in words.
fn play(steps: &[Step]) -> (Vec<Action>, Counts) {
    let mut engine = router(settings());
    let (mut now, mut all) = (Time::ZERO, Vec::new());
    for step in steps {
        match step {
            Step::Bytes(interface, from, port, bytes) => {
                let from = (IpAddr::from([10, 0, *interface as u8, *from]), *port).into();
                engine.receive(*interface, from, 1, bytes, now);
            }
            Step::Told(interface, from, routes) => {
                let from = (IpAddr::from([10, 0, *interface as u8, *from]), RIP_PORT).into();
                let entries: Vec<RipEntry> =
                    routes.iter().map(|(net, metric)| entry(&format!("10.{net}.0.0/16"), *metric)).collect();
                engine.receive(*interface, from, 1, &response(&entries), now);
            }
            Step::Ports(one, two) => {
                let ports = [(1, port("10.0.1.1/24"), one), (2, port("10.0.2.1/24"), two)];
                let up = ports.into_iter().filter(|(.., up)| **up).map(|(index, port, _)| (index, port));
                engine.set_ports(up.collect(), now);
            }
            Step::Wait(seconds) => {
                let until = now + Duration::from_secs((*seconds).into());
                while engine.wake_at() <= until {
                    let at = engine.wake_at();
                    assert!(at >= now, "it wants to be woken in the past");
                    now = at;
                    engine.wake(now);
                    assert!(engine.wake_at() > now, "it wants to be woken again at once");
                }
                now = until;
            }
        }
        engine.table().check();
        all.extend(engine.take_actions());
    }
    (all, engine.counts())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_heard_the_table_is_sound_and_nothing_unreachable_is_used(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (actions, counts) = play(&steps);
        for action in &actions {
            match action {
                Action::Route(RouteChange::Put { metric, next_hops, .. }) => {
                    prop_assert!((2..16).contains(metric) && next_hops.len() == 1);
                }
                Action::Send { payload, interface, .. } => {
                    let message = RipMessage::parse(payload, RipVersion::Two).unwrap();
                    prop_assert!((1..3).contains(interface));
                    prop_assert!(message.entries.iter().all(|entry| (1..=16).contains(&entry.metric)));
                }
                _ => {}
            }
        }
        prop_assert_eq!((actions, counts), play(&steps), "the same again");
    }
}
