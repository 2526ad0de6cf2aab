//! Random operations on a pipe: nothing panics, no frame is unaccounted for, time never runs backwards.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::link::{FaultRule, Ordinal, QueueLimit, Verb};
use crate::units::Rate;

/// One thing that may happen to a pipe.
#[derive(Debug, Clone)]
enum Operation {
    Advance(u64),
    Fault(Ordinal, Verb),
    Send(usize),
    SetDelay(u64),
    SetMtu(usize),
    SetQueue(QueueLimit),
    SetRate(Option<u64>),
    SetUp(bool),
    SwitchOff(&'static str),
}

fn operation() -> impl Strategy<Value = Operation> {
    let ordinal = prop_oneof![
        Just(Ordinal::All),
        (1..4_u64).prop_map(Ordinal::Every),
        (1..4_u64).prop_map(Ordinal::First),
        (1..9_u64).prop_map(|count| Ordinal::Nth(vec![count])),
    ];
    let verb = prop_oneof![
        any::<(Option<u32>, u8)>().prop_map(|(byte, bit)| Verb::Corrupt { byte, bit }),
        (0..5_000_u64).prop_map(|delay| Verb::Delay(Duration::from_nanos(delay))),
        Just(Verb::Drop),
        Just(Verb::Duplicate),
    ];
    let queue = prop_oneof![
        (0..4_u64).prop_map(QueueLimit::Packets),
        (0..3000_u64).prop_map(QueueLimit::Bytes),
        Just(QueueLimit::Packets(100)),
    ];
    prop_oneof![
        12 => (0..300_usize).prop_map(Operation::Send),
        6 => (0..3_000_u64).prop_map(Operation::Advance),
        1 => (ordinal, verb).prop_map(|(ordinal, verb)| Operation::Fault(ordinal, verb)),
        1 => (0..5_000_u64).prop_map(Operation::SetDelay),
        1 => (68..300_usize).prop_map(Operation::SetMtu),
        1 => queue.prop_map(Operation::SetQueue),
        2 => prop::option::of(100_000_000..4_000_000_000_u64).prop_map(Operation::SetRate),
        1 => any::<bool>().prop_map(Operation::SetUp),
        1 => prop::sample::select(vec!["loss", "jitter", "corrupt"]).prop_map(Operation::SwitchOff),
    ]
}

fn toml() -> impl Strategy<Value = String> {
    let lines = [
        "loss = '20%'",
        "duplicate = '20%'",
        "corrupt = '20%'",
        "jitter = { most = '3us', reorder = true }",
        "reorder = { chance = '20%', by = '2us' }",
    ];
    prop::sample::subsequence(lines.to_vec(), 0..=lines.len()).prop_map(|lines| lines.join("\n"))
}

/// Takes out all that has arrived, in order; nothing that has not.
fn drain(rig: &mut Rig, now: Time, last: &mut Time) -> Result<(), TestCaseError> {
    while let Some(at) = rig.pipe.next_arrival_at() {
        let taken = rig.pipe.take_arrival(now);
        prop_assert_eq!(taken.is_some(), at <= now);
        if taken.is_none() {
            break;
        }
        prop_assert!(at >= *last, "arrivals go back from {} to {}", last, at);
        *last = at;
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_frame_is_unaccounted_for(toml in toml(), operations in prop::collection::vec(operation(), 1..120)) {
        let mut rig = Rig::of(&toml);
        let (mut now, mut last) = (Time::ZERO, Time::ZERO);
        for operation in operations {
            match operation {
                Operation::Advance(by) => now += Duration::from_nanos(by),
                Operation::Fault(ordinal, verb) => {
                    rig.pipe.add_fault(FaultRule::new(RuleId(100), any_frame(), ordinal, verb, Some(now + Duration::from_micros(9))));
                }
                Operation::Send(length) => rig.send(length, now),
                Operation::SetDelay(delay) => rig.pipe.set_delay(Duration::from_nanos(delay), now),
                Operation::SetMtu(mtu) => rig.pipe.set_mtu(mtu),
                Operation::SetQueue(limit) => rig.pipe.set_queue(limit),
                Operation::SetRate(bits) => rig.pipe.set_rate(bits.and_then(Rate::from_bits_per_second), now),
                Operation::SetUp(is_up) => drop(rig.pipe.set_up(is_up, now, &mut rig.out)),
                Operation::SwitchOff(kind) => drop(rig.pipe.set_impairment(kind, None)),
            }
            drain(&mut rig, now, &mut last)?;
            prop_assert!(rig.pipe.next_arrival_at().is_none_or(|at| at > now));
            let counters = rig.pipe.counters();
            prop_assert_eq!(
                counters.sent + counters.duplicated,
                counters.delivered + counters.dropped + rig.pipe.in_flight() as u64
            );
            prop_assert_eq!(counters.dropped as usize, rig.drops().len());
            prop_assert_eq!(
                counters.dropped,
                counters.dropped_fault + counters.dropped_link_down + counters.dropped_link_full + counters.dropped_loss
                    + counters.dropped_over_mtu + counters.dropped_queue_full
            );
            prop_assert!(counters.transmitted <= counters.sent);
        }
    }

    #[test]
    fn frames_of_a_link_without_reordering_arrive_in_the_order_in_which_they_were_sent(
        operations in prop::collection::vec(operation(), 1..120),
    ) {
        let mut rig = Rig::of("loss = '10%'\njitter = { dist = 'pareto', scale = '1us', shape = 1.5 }");
        let (mut now, mut arrived) = (Time::ZERO, Vec::new());
        for operation in operations {
            match operation {
                Operation::Advance(by) => now += Duration::from_nanos(by),
                Operation::Send(length) => rig.send(length, now),
                Operation::SetDelay(delay) => rig.pipe.set_delay(Duration::from_nanos(delay), now),
                Operation::SetRate(bits) => rig.pipe.set_rate(bits.and_then(Rate::from_bits_per_second), now),
                Operation::SetUp(is_up) => drop(rig.pipe.set_up(is_up, now, &mut rig.out)),
                Operation::SetQueue(limit) => rig.pipe.set_queue(limit),
                _ => {}
            }
            arrived.extend(std::iter::from_fn(|| rig.pipe.take_arrival(now)).map(|frame| frame.id.unwrap().count));
        }
        arrived.extend(rig.arrivals().into_iter().map(|(_, count)| count));
        prop_assert!(arrived.is_sorted(), "{:?}", arrived);
    }

    #[test]
    fn a_link_table_of_any_text_never_panics(key in "delay|rate|mtu|queue|loss|jitter|reorder|corrupt|duplicate|profile|ab|ba", value in ".{0,12}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        for toml in [format!("{key} = \"{quoted}\""), format!("{key} = {value}"), format!("{key} = {{ chance = \"{quoted}\", shape = {value} }}")] {
            if toml::de::DeTable::parse(&toml).is_ok() {
                problems_of(&toml, |table| drop(crate::link::read_link(table)));
            }
        }
    }
}
