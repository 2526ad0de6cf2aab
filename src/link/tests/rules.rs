//! What fault rules and impairments do to a frame: hold back, copy, lose, damage, and tell.

use std::time::Duration;

use super::*;
use crate::link::{FaultRule, Ordinal, Verb};
use crate::record::Alteration;

fn fault(rule: u32, ordinal: Ordinal, verb: Verb) -> FaultRule {
    FaultRule::new(RuleId(rule), any_frame(), ordinal, verb, None)
}

#[test]
fn a_frame_held_back_is_overtaken_and_overtakes_nothing() {
    let mut rig = Rig::of("delay = '10us'\nmtu = 9000");
    rig.pipe.add_fault(fault(9, Ordinal::Nth(vec![2]), Verb::Delay(Duration::from_micros(3))));
    rig.send_every(Duration::from_micros(1), 5);
    // The second, due at 11 us, arrives at 14 us; the fifth, due in the same nanosecond, was sent later.
    assert_eq!(rig.arrivals(), [(10_000, 0), (12_000, 2), (13_000, 3), (14_000, 1), (14_000, 4)]);
    assert_eq!(rig.pipe.counters().held_back, 1);
}

#[test]
fn a_frame_held_back_behind_late_ones_is_later_than_those() {
    let mut rig = Rig::of("delay = '10us'");
    rig.send(100, Time::ZERO);
    rig.pipe.set_delay(Duration::from_micros(1), nanos(1));
    rig.pipe.add_fault(fault(9, Ordinal::First(1), Verb::Delay(Duration::from_micros(2))));
    rig.send(100, nanos(1_000));
    // Its turn would have been at 10 us, behind the first.
    assert_eq!(rig.arrivals(), [(10_000, 0), (12_000, 1)]);
}

#[test]
fn a_frame_held_back_stays_so_when_the_delay_changes_and_holds_up_nobody() {
    let mut rig = Rig::of(FAST);
    rig.pipe.add_fault(fault(9, Ordinal::Nth(vec![1, 3]), Verb::Delay(Duration::from_micros(50))));
    (0..4).for_each(|_| rig.send(100, Time::ZERO));
    // The first is in the air until 61 us. The others leave at 2, 3 and 4 us, and from now on take 20 us.
    rig.pipe.set_delay(Duration::from_micros(20), nanos(500));
    assert_eq!(rig.arrivals(), [(22_000, 1), (24_000, 3), (61_000, 0), (73_000, 2)]);
}

#[test]
fn a_copy_arrives_right_behind_its_original_and_tells_whose_it_is() {
    let mut rig = Rig::of(FAST);
    rig.pipe.add_fault(fault(8, Ordinal::Nth(vec![1]), Verb::Duplicate));
    rig.pipe.add_fault(fault(9, Ordinal::Nth(vec![1]), Verb::Duplicate));
    (0..2).for_each(|_| rig.send(100, Time::ZERO));
    // A copy takes none of the transmitter's time.
    let out = rig.frames_out();
    assert_eq!(out.iter().map(|(at, _)| *at).collect::<Vec<u64>>(), [11_000, 11_000, 11_000, 12_000]);
    let original = out[0].1.id;
    assert!(out[1..3].iter().all(|(_, copy)| copy.cause == original && copy.id != original));
    assert_ne!(out[1].1.id, out[2].1.id);
    let told: Vec<(RuleId, FrameId)> = (rig.out.effects().iter())
        .filter_map(|effect| match effect {
            Effect::Altered { frame, how: Alteration::Duplicated { copy }, rule } if Some(*frame) == original => {
                Some(((*rule)?, *copy))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [(RuleId(8), out[1].1.id.unwrap()), (RuleId(9), out[2].1.id.unwrap())]);
}

#[test]
fn copies_stay_behind_their_originals_when_the_rate_changes() {
    let mut rig = Rig::of(FAST);
    rig.pipe.add_fault(fault(9, Ordinal::All, Verb::Duplicate));
    (0..3).for_each(|_| rig.send(100, Time::ZERO));
    rig.pipe.set_rate(rate("400Mbit"), nanos(1));
    assert_eq!(rig.arrivals(), [(11_000, 0), (11_000, 1000), (13_000, 1), (13_000, 1001), (15_000, 2), (15_000, 1002)]);
}

#[test]
fn a_lost_frame_has_used_the_transmitter_all_the_same() {
    let mut rig = Rig::of(FAST);
    rig.pipe.add_fault(fault(9, Ordinal::First(1), Verb::Drop));
    (0..2).for_each(|_| rig.send(100, Time::ZERO));
    assert_eq!(rig.drops(), [(0, Cause::Fault)]);
    assert_eq!(rig.arrivals(), [(12_000, 1)]);
}

#[test]
fn a_rule_counts_a_frame_that_another_rule_loses_or_damages() {
    let mut rig = Rig::of(FAST);
    rig.pipe.add_fault(fault(7, Ordinal::First(1), Verb::Drop));
    rig.pipe.add_fault(fault(8, Ordinal::First(2), Verb::Corrupt { byte: Some(113), bit: 7 }));
    rig.pipe.add_fault(fault(9, Ordinal::Nth(vec![2]), Verb::Duplicate));
    (0..3).for_each(|_| rig.send(100, Time::ZERO));
    let out = rig.frames_out();
    // The first is lost; the second damaged and copied with its damage: byte 113 modulo 100.
    let damage: Vec<u8> = out.iter().map(|(_, frame)| frame.bytes()[13]).collect();
    assert_eq!((damage, out[0].1.damaged, out[2].1.damaged), (vec![0x80, 0x80, 0], true, false));
    assert_eq!(rig.pipe.faults().iter().map(FaultRule::picked).collect::<Vec<u64>>(), [1, 2, 1]);
    let counters = rig.pipe.counters();
    assert_eq!((counters.corrupted, counters.duplicated, counters.dropped_fault), (1, 1, 1));
}

#[test]
fn a_rule_counts_only_what_its_expression_matches() {
    let mut rig = Rig::of("delay = '1ms'");
    let long = Filter::parse("frame.len > 150").unwrap();
    rig.pipe.add_fault(FaultRule::new(RuleId(9), long, Ordinal::Nth(vec![2]), Verb::Drop, None));
    [100, 151, 150, 200, 200].into_iter().for_each(|length| rig.send(length, Time::ZERO));
    // The second of those longer than 150 bytes.
    assert_eq!(rig.drops(), [(3, Cause::Fault)]);
    assert_eq!((rig.pipe.faults()[0].seen(), rig.pipe.faults()[0].picked()), (2, 1));
}

/// 10.0.0.1:1000 > 10.0.0.2:2000, "hi", in Ethernet, the UDP checksum (bytes 40 and 41) still open.
fn datagram() -> Frame {
    let mut bytes = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    bytes.extend([0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0x03, 0xe8, 0x07, 0xd0, 0, 10, 0, 0, b'h', b'i']);
    let mut frame = Frame::new(Pool::default().copy(&bytes), Layer::Ethernet).with_checksum_pending();
    frame.id = Some(FrameId { origin: 0, count: 0 });
    frame
}

#[test]
fn a_checksum_is_filled_in_before_a_rule_looks_and_before_damage_is_done() {
    let mut whole = datagram();
    whole.complete();
    assert_ne!(whole.bytes()[40..42], [0, 0]);

    let mut rig = Rig::of("delay = '1ms'");
    let never = Filter::parse("frame.len > 9000").unwrap();
    rig.pipe.add_fault(FaultRule::new(RuleId(9), never, Ordinal::All, Verb::Drop, None));
    rig.pipe.send(datagram(), Time::ZERO, &mut rig.out);
    assert_eq!(rig.frames_out()[0].1.bytes(), whole.bytes());

    let mut rig = Rig::of("corrupt = '100%'");
    rig.pipe.send(datagram(), Time::ZERO, &mut rig.out);
    let damaged = rig.frames_out().remove(0).1;
    let differing = damaged.bytes().iter().zip(whole.bytes()).map(|(a, b)| (a ^ b).count_ones());
    assert_eq!((differing.sum::<u32>(), damaged.damaged), (1, true));

    // Nobody looks: nobody pays.
    let mut rig = Rig::of("loss = '0%'");
    rig.pipe.send(datagram(), Time::ZERO, &mut rig.out);
    assert_eq!(rig.frames_out()[0].1.checksum, crate::wire::Checksum::Pending);
}

#[test]
fn jitter_is_not_told_but_a_frame_held_back_is() {
    let told = |toml: &str| {
        let mut rig = Rig::of(toml);
        rig.send_every(Duration::from_micros(1), 10);
        (rig.out.effects().len(), rig.pipe.counters().held_back)
    };
    assert_eq!(told("jitter = { most = '2ms', reorder = true }"), (0, 0));
    assert_eq!(told("jitter = '2ms'"), (0, 0));
    assert_eq!(told("reorder = { chance = '100%', by = '2ms' }"), (10, 10));
}

#[test]
fn a_rule_that_corrupts_without_saying_where_hits_the_middle_of_the_data() {
    let mut rig = Rig::of("delay = '1ms'");
    rig.pipe.add_fault(fault(9, Ordinal::All, Verb::Corrupt { byte: None, bit: 0 }));
    rig.pipe.send(datagram(), Time::ZERO, &mut rig.out);
    rig.send(100, Time::ZERO);
    let out = rig.frames_out();
    // "hi" begins behind 14 + 20 + 8 bytes of headers: its second byte of two, 'i' without its lowest bit.
    assert_eq!(out[0].1.bytes()[42..], *b"hh");
    // What is no packet is hit in its middle.
    assert_eq!((out[1].1.bytes()[50], out[1].1.bytes().iter().filter(|byte| **byte != 0).count()), (1, 1));
}
