//! Luck and counts are local: what is added or changed somewhere leaves everything else as it was.

use std::time::Duration;

use super::*;
use crate::link::{Property, stream_name};

const GAP: Duration = Duration::from_micros(10);

fn lost(toml: &str) -> Vec<u32> {
    let mut rig = Rig::of(toml);
    rig.send_every(GAP, 5000);
    rig.drops().into_iter().map(|(count, _)| count).collect()
}

#[test]
fn another_impairment_leaves_the_losses_as_they_were() {
    let alone = lost("loss = '5%'");
    assert!(!alone.is_empty());
    for toml in [
        "jitter = '2ms'\nloss = '5%'",
        "corrupt = '50%'\nduplicate = '50%'\nloss = '5%'\nreorder = { chance = '50%', by = '1ms' }",
        "delay = '1s'\nrate = '1Gbit'\nloss = '5%'",
    ] {
        assert_eq!(lost(toml), alone, "{toml}");
    }
}

#[test]
fn another_chance_of_loss_leaves_all_other_draws_as_they_were() {
    let arrivals = |loss: &str| {
        let mut rig =
            Rig::of(&format!("loss = '{loss}'\njitter = {{ most = '2ms', reorder = true }}\ncorrupt = '10%'"));
        rig.send_every(GAP, 5000);
        let mut out: Vec<_> = rig.frames_out().into_iter().map(|(at, frame)| (frame.id, at, frame.damaged)).collect();
        out.sort_unstable();
        out
    };
    let (none, some) = (arrivals("0%"), arrivals("30%"));
    assert!(some.len() < 4000 && none.len() == 5000);
    assert!(some.iter().all(|frame| none.binary_search(frame).is_ok()));
}

#[test]
fn what_a_smaller_chance_loses_a_larger_one_loses_too() {
    let (few, many) = (lost("loss = '1%'"), lost("loss = '5%'"));
    assert!(few.len() < many.len() && few.iter().all(|count| many.contains(count)));
}

#[test]
fn the_two_directions_and_two_links_have_luck_of_their_own() {
    let lost_on = |link: &str, direction: Direction| {
        let [ab, ba] = read_example("loss = '5%'", crate::link::read_link);
        let properties = if direction == Direction::AToB { ab } else { ba };
        let id = PipeId::new(LinkId(0), direction);
        let pipe = properties.build(id, |kind, _| (RuleId(0), Rng::stream(1, &stream_name(link, direction, kind))));
        let mut rig = Rig { pipe, out: Outbox::new(false), frames: 0 };
        rig.send_every(GAP, 2000);
        rig.drops()
    };
    let wan = Direction::BOTH.map(|direction| lost_on("wan", direction));
    assert_ne!(wan[0], wan[1]);
    assert_ne!(lost_on("lan", Direction::AToB), wan[0]);
    assert_eq!(lost_on("wan", Direction::AToB), wan[0]);
}

fn property(toml: &str) -> Property {
    read_example(toml, |table| {
        let (key, item) = table.entries().remove(0);
        Property::read(&key, &item).unwrap()
    })
}

#[test]
fn an_impairment_that_is_changed_or_switched_off_and_on_keeps_its_luck() {
    let mut rig = Rig::of("loss = '50%'");
    rig.send_every(GAP, 100);
    let whole = rig.drops();
    let mut rig = Rig::of("loss = '50%'");
    rig.send_every(GAP, 50);
    for toml in ["loss = 'none'", "loss = '50%'"] {
        property(toml).apply(&mut rig.pipe, Time::from_secs(1), |kind| panic!("{kind} has a place"));
    }
    // The second half meets the impairment where the first half left it: the same are lost.
    (0..50).for_each(|_| rig.send(100, Time::from_secs(1)));
    assert_eq!(rig.drops(), whole);
}

#[test]
fn an_unobserved_pipe_draws_and_delivers_the_same() {
    let toml = "rate = '100Mbit'\nloss = '5%'\njitter = '2ms'\nduplicate = '5%'\ncorrupt = '5%'";
    let [observed, unobserved] = [true, false].map(|is_observed| {
        let mut rig = Rig::of(toml);
        rig.out.set_observed(is_observed);
        rig.send_every(GAP, 2000);
        (rig.arrivals(), rig.drops())
    });
    assert_eq!(observed, unobserved);
}

#[test]
fn each_property_that_is_set_holds() {
    let mut rig = Rig::of("delay = '1ms'");
    let mut enrolled = 0;
    for toml in [
        "delay = '2ms'",
        "rate = '800Mbit'",
        "mtu = 100",
        "queue = '1 packet'",
        "loss = 'none'",
        "loss = '0%'",
        "duplicate = '100%'",
        "loss = { kind = 'gilbert-elliott', p = '0%', r = '100%' }",
    ] {
        property(toml).apply(&mut rig.pipe, Time::ZERO, |kind| {
            enrolled += 1;
            (RuleId(50 + enrolled), Rng::stream(1, kind))
        });
    }
    // Loss and duplicate are new to the pipe, once each.
    assert_eq!(enrolled, 2);
    rig.send(115, Time::ZERO);
    (0..3).for_each(|_| rig.send(100, Time::ZERO));
    assert_eq!(rig.drops(), [(0, Cause::OverMtu), (3, Cause::QueueFull)]);
    assert_eq!(rig.arrivals(), [(2_001_000, 1), (2_001_000, 1000), (2_002_000, 2), (2_002_000, 1001)]);
    // An MTU that is smaller than before, no rate, no copies, all lost.
    for toml in ["rate = 'none'", "duplicate = 'none'", "loss = '100%'"] {
        property(toml).apply(&mut rig.pipe, Time::from_secs(1), |kind| panic!("{kind} has a place"));
    }
    rig.send(100, Time::from_secs(1));
    assert_eq!(rig.drops().last(), Some(&(4, Cause::Loss)));
    assert_eq!(rig.pipe.counters().duplicated, 2);
}
