//! Luck and counts are local: what is added or changed somewhere leaves everything else as it was.

use std::time::Duration;

use super::*;
use crate::link::{Property, stream_name};
use crate::read::Located;
use crate::units::Chance;

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

#[test]
fn an_impairment_that_is_changed_or_switched_off_and_on_keeps_its_luck() {
    let rule = RuleId(1);
    let half = |chance: &str| crate::link::impair::Loss { chance: chance.parse::<Chance>().unwrap() };
    let mut rig = Rig::of("loss = '50%'");
    rig.send_every(GAP, 100);
    let whole = rig.drops();
    // The second half of the frames meets an impairment that was replaced by the same one: the same are lost.
    let mut rig = Rig::of("loss = '50%'");
    rig.send_every(GAP, 50);
    assert!(rig.pipe.remove_impairment(rule) && !rig.pipe.remove_impairment(rule));
    assert!(rig.pipe.replace_impairment(rule, Box::new(half("50%"))).is_ok());
    (0..50).for_each(|_| rig.send(100, Time::from_secs(1)));
    assert_eq!(rig.drops(), whole);
    assert!(rig.pipe.replace_impairment(RuleId(77), Box::new(half("1%"))).is_err());
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
fn a_property_that_is_set_holds_for_frames_to_come() {
    let read = |key: &'static str, toml: &str| {
        read_example(toml, |table| Property::read(&Located { value: key, span: 0..0 }, &table.item(key).unwrap()))
            .unwrap()
    };
    let Property::Impairment { kind: "loss", impairment: Some(always) } = read("loss", "loss = '100%'") else {
        panic!("a loss is an impairment")
    };
    let mut rig = Rig::of("delay = '1ms'");
    rig.send(100, Time::ZERO);
    rig.add(5, "late", crate::link::impair::Loss { chance: Chance::NEVER });
    rig.send(100, Time::ZERO);
    rig.pipe.replace_impairment(RuleId(5), always).unwrap();
    rig.send(100, Time::ZERO);
    assert_eq!(rig.drops(), [(2, Cause::Loss)]);
}
