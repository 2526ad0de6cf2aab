//! What a scenario's link table becomes: overlays, order, directions, mistakes.

use std::time::Duration;

use super::*;
use crate::link::property::{MTU_MAX, MTU_MIN};
use crate::link::{
    LINK_FIELDS, PIPE_FIELDS, PROFILES, PipeProperties, PipeSpec, Property, QueueLimit, read_link, rule_name,
    stream_name,
};
use crate::read::Located;

fn kinds(properties: &PipeProperties) -> Vec<String> {
    let one = |placed: &crate::link::Placed| format!("{} = {}", placed.impairment.kind(), placed.impairment);
    properties.impairments.iter().map(one).collect()
}

#[test]
fn a_table_without_a_word_about_it_is_a_link_of_defaults() {
    let [ab, ba] = read_example("ends = ['a', 'b']", read_link);
    assert_eq!((&ab.spec, &ba.spec), (&PipeSpec::default(), &PipeSpec::default()));
    assert!(ab.impairments.is_empty() && ba.impairments.is_empty());
}

#[test]
fn each_direction_overrides_and_extends_what_the_link_says() {
    let toml = "delay = '20ms'\nrate = '10Mbit'\nmtu = 1400\nqueue = { packets = 50 }\n\
                loss = '1%'\njitter = '2ms'\n\
                ab = { jitter = { dist = 'normal', sd = '2ms' }, rate = 'none', duplicate = '1%' }\n\
                ba = { loss = 'none', delay = '30ms' }";
    let [ab, ba] = read_example(toml, read_link);
    assert_eq!(
        ab.spec,
        PipeSpec { delay: Duration::from_millis(20), rate: None, mtu: 1400, queue: QueueLimit::Packets(50) }
    );
    assert_eq!(kinds(&ab), ["loss = 1%", "jitter = normal, mean 0s, sd 2ms", "duplicate = 1%"]);
    assert_eq!(ab.impairments.iter().map(|placed| placed.line).collect::<Vec<_>>(), [Some(5), Some(7), Some(7)]);
    assert_eq!((ba.spec.delay, ba.spec.rate), (Duration::from_millis(30), "10Mbit".parse().ok()));
    assert_eq!(kinds(&ba), ["jitter = 2ms"]);
}

#[test]
fn impairments_stand_in_the_order_of_the_file() {
    let [first, _] = read_example("loss = '1%'\ncorrupt = '1%'\njitter = '1ms'", read_link);
    let [second, _] = read_example("jitter = '1ms'\nloss = '1%'\ncorrupt = '1%'", read_link);
    assert_eq!(kinds(&first), ["loss = 1%", "corrupt = 1%", "jitter = 1ms"]);
    assert_eq!(kinds(&second), ["jitter = 1ms", "loss = 1%", "corrupt = 1%"]);
}

#[test]
fn explicit_keys_override_a_profile() {
    let [plain, _] = read_example("profile = 'satellite-leo'", read_link);
    let [ab, ba] = read_example("rate = '1Gbit'\nba = { loss = '2%' }\nprofile = 'satellite-leo'", read_link);
    assert_eq!((ab.spec.rate, ba.spec.rate), ("1Gbit".parse().ok(), "1Gbit".parse().ok()));
    assert_eq!((ab.spec.delay, &ab.spec.queue), (plain.spec.delay, &plain.spec.queue));
    assert_eq!(kinds(&ab), kinds(&plain));
    assert!(kinds(&ba).contains(&"loss = 2%".to_owned()));
    // An impairment that comes from a profile comes from the line that names it.
    assert!(ab.impairments.iter().all(|placed| placed.line == Some(3)));
}

#[test]
fn the_first_end_of_an_access_link_is_the_subscriber() {
    for name in
        ["home-fiber", "home-cable", "home-dsl", "mobile-5g", "mobile-3g", "modem", "satellite-leo", "satellite-geo"]
    {
        let profile = PROFILES.iter().find(|profile| profile.name == name).unwrap();
        let [up, down] = profile.properties().map(|direction| direction.spec.rate.unwrap());
        assert!(up < down, "{name}");
    }
}

#[test]
fn every_mistake_in_a_link_is_reported_once_and_at_its_place() {
    let toml = "delay = 20\nrate = '10Mbut'\nmtu = 67\nprofile = 'satelite-geo'\nloss = '101%'\nab = { dleay = '1ms', mtu = 65536 }\nba = 3";
    let problems = problems_of(toml, |table| drop(read_link(table)));
    for problem in [
        "`links.wan.delay` needs a unit",
        "`Mbut` is not a unit of rate",
        "`links.wan.mtu` is out of range (from 68 to 65535)",
        "no profile is called `satelite-geo` (did you mean `satellite-geo`?)",
        "`101%` is more than certain",
        "unknown key `dleay` in `links.wan.ab` (did you mean `delay`?)",
        "`links.wan.ab.mtu` is out of range",
        "`links.wan.ba` must be a table",
    ] {
        assert_eq!(problems.iter().filter(|found| found.starts_with(problem)).count(), 1, "{problem}: {problems:#?}");
    }
    assert_eq!(problems.len(), 8, "{problems:#?}");
}

#[test]
fn the_least_and_the_largest_mtu_are_allowed() {
    for mtu in [MTU_MIN, MTU_MAX] {
        assert_eq!(read_example(&format!("mtu = {mtu}"), read_link)[0].spec.mtu, mtu);
    }
    for mtu in [MTU_MIN as i64 - 1, MTU_MAX as i64 + 1, -1, i64::MIN] {
        assert_eq!(problems_of(&format!("mtu = {mtu}"), |table| drop(read_link(table))).len(), 1, "{mtu}");
    }
}

#[test]
fn a_property_prints_as_a_note_tells_it() {
    let shown = |key: &'static str, value: &str| {
        let toml = format!("{key} = {value}");
        let property = read_example(&toml, |table| {
            Property::read(&Located { value: key, span: 0..key.len() }, &table.item(key).unwrap())
        });
        property.unwrap().to_string()
    };
    assert_eq!(shown("delay", "'200ms'"), "delay = 200ms");
    assert_eq!(shown("rate", "'10Mbit'"), "rate = 10Mbit");
    assert_eq!(shown("rate", "'none'"), "rate = none");
    assert_eq!(shown("mtu", "1400"), "mtu = 1400");
    assert_eq!(shown("queue", "{ packets = 50 }"), "queue = 50 packets");
    assert_eq!(shown("loss", "'0%'"), "loss = 0%");
    assert_eq!(shown("loss", "'none'"), "loss = none");
    assert_eq!(shown("reorder", "{ chance = '5%', by = '3ms' }"), "reorder = 5% by 3ms");
}

#[test]
fn a_property_that_links_do_not_have_is_a_mistake_with_the_near_miss() {
    let problems = problems_of("dealy = '1ms'", |table| {
        let item = table.item("dealy").unwrap();
        assert!(Property::read(&Located { value: "dealy", span: 0..5 }, &item).is_none());
    });
    assert_eq!(problems, ["a link has no property `dealy` (did you mean `delay`?)"]);
}

#[test]
fn every_impairment_is_a_key_of_a_link_and_every_key_says_what_it_is() {
    for kind in crate::link::impair::KINDS {
        assert!(Property::is_one(kind.name), "{} is missing in impair::FIELDS", kind.name);
    }
    assert!(PIPE_FIELDS.iter().chain(LINK_FIELDS).all(|field| field.doc.ends_with('.')));
    // Whatever is a field is read: a field that nobody reads would be silently without effect.
    for field in PIPE_FIELDS {
        let toml = format!("{} = true", field.name);
        assert!(!problems_of(&toml, |table| drop(read_link(table))).is_empty(), "{}", field.name);
    }
}

#[test]
fn names_of_rules_and_streams_are_paths() {
    assert_eq!(rule_name("wan", Direction::AToB, "loss"), "wan/ab/loss");
    assert_eq!(stream_name("wan", Direction::BToA, "loss"), "link wan/ba/loss");
}
