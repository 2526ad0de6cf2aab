//! When frames come out, and what becomes of them when a link changes under way.

use std::time::Duration;

use super::*;
use crate::link::QueueLimit;
use crate::link::pipe::{DELAY_MIN, FLIGHT_MAX};

#[test]
fn a_frame_takes_its_clocking_out_and_the_delay_to_the_nanosecond() {
    for (rate, length, nanoseconds) in [
        ("10Mbit", 1514, 1_211_200),       // 12112 bit / 10 Mbit/s
        ("1Gbit", 60, 480),                // 480 bit / 1 Gbit/s
        ("100Gbit", 1514, 122),            // 121.12 ns, rounded up
        ("56kbit", 1514, 216_285_715),     // 216.2857142… ms, rounded up
        ("9600bit", 64, 53_333_334),       // 53.333… ms, rounded up
        ("3bit", 1514, 4_037_333_333_334), // more than an hour
    ] {
        let mut rig = Rig::of(&format!("rate = '{rate}'\ndelay = '10ms'"));
        rig.send(length, nanos(5));
        assert_eq!(rig.arrivals(), [(5 + nanoseconds + 10_000_000, 0)], "{length} B at {rate}");
    }
}

#[test]
fn frames_back_to_back_arrive_one_clocking_out_apart() {
    let mut rig = Rig::of(FAST);
    for length in [100, 200, 100] {
        rig.send(length, Time::ZERO);
    }
    // 1 us; 1 + 2 us; 1 + 2 + 1 us; each with 10 us of delay.
    assert_eq!(rig.arrivals(), [(11_000, 0), (13_000, 1), (14_000, 2)]);
    // The second waits 1 us, the third 3 us.
    let counters = rig.pipe.counters();
    assert_eq!(
        (counters.queue_delay_max, counters.queue_delay_total),
        (Duration::from_micros(3), Duration::from_micros(4))
    );
    assert_eq!((counters.transmitted, counters.queue_packets_max, counters.queue_bytes_max), (3, 2, 300));
}

#[test]
fn a_link_without_a_rate_and_a_delay_still_takes_a_nanosecond() {
    let mut rig = Rig::of("delay = '0s'");
    rig.send(1514, nanos(7));
    rig.send(1514, nanos(7));
    assert_eq!(rig.arrivals(), [(8, 0), (8, 1)]);
    assert_eq!((DELAY_MIN, rig.pipe.counters().queue_packets_max), (Duration::from_nanos(1), 0));
}

#[test]
fn a_full_queue_drops_the_newcomer() {
    let mut rig = Rig::of(&format!("{FAST}\nqueue = '2 packets'"));
    // One on the transmitter, two wait, the fourth finds no room.
    (0..4).for_each(|_| rig.send(100, Time::ZERO));
    assert_eq!(rig.drops(), [(3, Cause::QueueFull)]);
    // At 1 us sharp the second begins: there is room again, for one.
    rig.send(100, nanos(999));
    rig.send(100, nanos(1_000));
    rig.send(100, nanos(1_000));
    assert_eq!(rig.drops().iter().map(|(count, _)| *count).collect::<Vec<u32>>(), [3, 4, 6]);
    assert_eq!(rig.arrivals(), [(11_000, 0), (12_000, 1), (13_000, 2), (14_000, 5)]);
}

#[test]
fn a_queue_in_bytes_takes_the_last_byte_and_not_one_more() {
    let mut rig = Rig::of(&format!("{FAST}\nqueue = '300B'"));
    rig.send(1000, Time::ZERO);
    rig.send(200, Time::ZERO);
    rig.send(101, Time::ZERO);
    rig.send(100, Time::ZERO);
    assert_eq!(rig.drops(), [(2, Cause::QueueFull)]);
    assert_eq!(rig.pipe.counters().queue_bytes_max, 300);
}

#[test]
fn a_queue_of_none_accepts_only_when_the_transmitter_is_idle() {
    let mut rig = Rig::of(&format!("{FAST}\nqueue = '0 packets'"));
    rig.send(100, Time::ZERO);
    rig.send(100, nanos(999));
    rig.send(100, nanos(1_000));
    assert_eq!(rig.drops(), [(1, Cause::QueueFull)]);
}

#[test]
fn the_wait_grows_by_one_clocking_out_with_each_frame_of_a_burst() {
    let mut rig = Rig::of("rate = '1Mbit'\nqueue = '200 packets'");
    // 1250 B at 1 Mbit/s: 10 ms each. The 200th behind the first waits 200 * 10 ms.
    (0..=200).for_each(|_| rig.send(1250, Time::ZERO));
    let arrivals = rig.arrivals();
    assert!(arrivals.iter().all(|(at, count)| *at == (u64::from(*count) + 1) * 10_000_000 + 1));
    let counters = rig.pipe.counters();
    assert_eq!((counters.queue_packets_max, counters.queue_delay_max), (200, Duration::from_secs(2)));
    // The mean of 0, 10, …, 2000 ms.
    assert_eq!(counters.queue_delay_mean(), Duration::from_secs(1));
}

#[test]
fn the_mtu_counts_the_packet_and_neither_link_header_nor_vlan_tag() {
    let mut rig = Rig::of("mtu = 1000");
    rig.send(1014, Time::ZERO);
    rig.send(1015, Time::ZERO);
    assert_eq!(rig.drops(), [(1, Cause::OverMtu)]);
    let mut tagged = |length| {
        let mut frame = frame(rig.frames, length);
        frame.bytes_mut()[12..14].copy_from_slice(&[0x81, 0x00]);
        rig.pipe.send(frame, Time::ZERO, &mut rig.out);
        rig.frames += 1;
    };
    tagged(1018);
    tagged(1019);
    let mut packet = frame(4, 1001);
    packet.layer = Layer::Ip;
    rig.pipe.send(packet, Time::ZERO, &mut rig.out);
    assert_eq!(rig.drops(), [1, 3, 4].map(|count| (count, Cause::OverMtu)));
    assert_eq!((rig.pipe.counters().dropped_over_mtu, rig.pipe.in_flight()), (3, 2));
}

#[test]
fn a_shorter_delay_lets_nothing_overtake_what_is_in_the_air() {
    let mut rig = Rig::of("delay = '10ms'");
    rig.send(100, Time::ZERO);
    rig.pipe.set_delay(Duration::from_millis(1), Time::from_millis(2));
    // At 2 ms and 1 ms of delay, 3 ms; but the first arrives at 10 ms. At 9.5 ms, 10.5 ms.
    rig.send(100, Time::from_millis(2));
    rig.send(100, nanos(9_500_000));
    assert_eq!(rig.arrivals(), [(10_000_000, 0), (10_000_000, 1), (10_500_000, 2)]);
}

#[test]
fn a_delay_of_zero_is_never_in_the_past() {
    let mut rig = Rig::of(FAST);
    (0..5).for_each(|_| rig.send(100, Time::ZERO));
    // The first has left, the second is being clocked out from 1 us on; the others leave at 3, 4 and 5 us.
    rig.pipe.set_delay(Duration::ZERO, nanos(1_500));
    assert_eq!(rig.arrivals(), [(11_000, 0), (12_000, 1), (12_000, 2), (12_000, 3), (12_000, 4)]);
}

#[test]
fn a_delay_that_is_set_to_zero_still_takes_a_nanosecond() {
    let mut rig = Rig::of("delay = '1ms'");
    rig.pipe.set_delay(Duration::ZERO, nanos(5));
    rig.send(100, nanos(5));
    assert_eq!(rig.arrivals(), [(6, 0)]);
}

#[test]
fn a_change_of_rate_is_for_frames_whose_transmission_has_not_begun() {
    let mut rig = Rig::of(FAST);
    (0..4).for_each(|_| rig.send(100, Time::ZERO));
    // At 1.5 us the second is half out and is done at 2 us. At half the rate, 2 us each: 4 us, 6 us.
    rig.pipe.set_rate(rate("400Mbit"), nanos(1_500));
    rig.send(100, nanos(1_500));
    assert_eq!(rig.arrivals(), [(11_000, 0), (12_000, 1), (14_000, 2), (16_000, 3), (18_000, 4)]);
    // Waits: 0, 1, 2, 4 us; the last from 1.5 to 6 us, 4.5 us.
    assert_eq!(rig.pipe.counters().queue_delay_max, Duration::from_nanos(4_500));
    assert_eq!(rig.pipe.counters().queue_delay_total, Duration::from_nanos(11_500));
}

#[test]
fn frames_that_wait_without_a_rate_keep_their_own_lengths_when_it_comes_back() {
    let mut rig = Rig::of(FAST);
    [100, 200, 300].into_iter().for_each(|length| rig.send(length, Time::ZERO));
    // Without a rate, the two that wait begin at the same time, when the first is done.
    rig.pipe.set_rate(None, nanos(500));
    assert_eq!(rig.pipe.counters().queue_delay_total, Duration::from_micros(2));
    rig.pipe.set_rate(rate("800Mbit"), nanos(600));
    assert_eq!(rig.arrivals(), [(11_000, 0), (13_000, 1), (16_000, 2)]);
}

#[test]
fn a_rate_that_is_taken_away_still_lets_the_frame_on_the_transmitter_finish() {
    let mut rig = Rig::of(FAST);
    rig.send(100, Time::ZERO);
    rig.pipe.set_rate(None, nanos(500));
    rig.send(100, nanos(600));
    assert_eq!(rig.arrivals(), [(11_000, 0), (11_000, 1)]);
}

#[test]
fn a_smaller_queue_keeps_what_already_waits() {
    let mut rig = Rig::of(FAST);
    (0..4).for_each(|_| rig.send(100, Time::ZERO));
    rig.pipe.set_queue(QueueLimit::Packets(1));
    rig.send(100, nanos(1_500));
    rig.send(100, nanos(3_000));
    assert_eq!(rig.drops(), [(4, Cause::QueueFull)]);
    assert_eq!(rig.arrivals().len(), 5);
}

#[test]
fn what_is_on_a_link_that_goes_down_is_lost_and_the_link_comes_up_idle() {
    let mut rig = Rig::of(FAST);
    (0..3).for_each(|_| rig.send(100, Time::ZERO));
    assert!(rig.pipe.set_up(false, nanos(500), &mut rig.out));
    assert!(!rig.pipe.set_up(false, nanos(500), &mut rig.out));
    rig.send(100, nanos(600));
    assert_eq!(rig.drops(), [0, 1, 2, 3].map(|count| (count, Cause::LinkDown)));
    assert!(rig.pipe.set_up(true, nanos(700), &mut rig.out) && rig.pipe.is_up());
    rig.send(100, nanos(700));
    assert_eq!(rig.arrivals(), [(11_700, 4)]);
    // Two never began: their waits count no more.
    let counters = rig.pipe.counters();
    assert_eq!((counters.dropped_link_down, counters.transmitted), (4, 2));
    assert_eq!(counters.queue_delay_max, Duration::ZERO);
}

#[test]
fn what_had_begun_when_the_link_went_down_had_waited() {
    let mut rig = Rig::of(FAST);
    (0..3).for_each(|_| rig.send(100, Time::ZERO));
    rig.pipe.set_up(false, nanos(1_500), &mut rig.out);
    // The second began at 1 us, the third would have at 2 us.
    assert_eq!((rig.pipe.counters().transmitted, rig.pipe.counters().queue_delay_max), (2, Duration::from_micros(1)));
}

#[test]
fn a_link_carries_only_so_many_frames_at_once() {
    let mut rig = Rig::of("delay = '1h'");
    let mut send = |_| {
        // Without a buffer: a quarter of a million would need half a gigabyte.
        let frame = Frame::new(crate::wire::pool::Buffer::default(), Layer::Ethernet);
        rig.pipe.send(frame, Time::ZERO, &mut rig.out);
    };
    (0..FLIGHT_MAX).for_each(&mut send);
    send(0);
    assert_eq!(rig.pipe.in_flight(), FLIGHT_MAX);
    assert_eq!(rig.pipe.counters().dropped_link_full, 1);
}

#[test]
fn a_link_between_threads_carries_only_so_many_frames_too() {
    let hour = Time::from_secs(3600);
    for arrivals_first in [false, true] {
        let mut rig = Rig::of("delay = '1h'");
        rig.pipe.divide(arrivals_first);
        let mut lane = crate::link::Lane::default();
        let mut send = |rig: &mut Rig, now| {
            let frame = Frame::new(crate::wire::pool::Buffer::default(), Layer::Ethernet);
            rig.pipe.send(frame, now, &mut rig.out);
            std::iter::from_fn(|| rig.pipe.hand_over()).for_each(|frame| lane.join(frame));
            rig.pipe.counters().dropped_link_full
        };
        (0..FLIGHT_MAX).for_each(|count| _ = send(&mut rig, Time::from_nanos(u64::from(count > 0))));
        assert_eq!(send(&mut rig, Time::from_nanos(2)), 1);
        // The first frame arrives at this very instant: before or after, by the order of the nodes.
        let dropped = send(&mut rig, hour);
        assert_eq!(dropped, if arrivals_first { 1 } else { 2 });
        // All others arrive 1 ns later.
        assert_eq!(send(&mut rig, hour + Duration::from_nanos(2)), dropped);
        assert_eq!(lane.take_arrival(hour).map(|frame| frame.len()), Some(0));
        assert_eq!(lane.next_arrival_at(), Some(hour + Duration::from_nanos(1)));
        rig.pipe.take_back(std::iter::from_fn(|| lane.recall()));
        assert_eq!(rig.pipe.in_flight(), FLIGHT_MAX + usize::from(arrivals_first));
    }
}

#[test]
fn the_longest_times_saturate_instead_of_overflowing() {
    let mut rig =
        Rig::of("delay = '1h'\njitter = '5000000h'\nreorder = { chance = '100%', by = '5000000h' }\nrate = '1bit'");
    (0..3).for_each(|_| rig.send(1514, nanos(u64::MAX - 1)));
    rig.pipe.set_delay(Duration::MAX, nanos(u64::MAX - 1));
    assert_eq!(rig.arrivals().len(), 3);
}

#[test]
fn frames_keep_their_order_under_jitter_unless_it_reorders() {
    let arrivals = |reorder: bool| {
        let mut rig = Rig::of(&format!("delay = '1ms'\njitter = {{ most = '500us', reorder = {reorder} }}"));
        rig.send_every(Duration::from_micros(10), 1000);
        rig.arrivals().into_iter().map(|(_, count)| count).collect::<Vec<u32>>()
    };
    assert!(arrivals(false).is_sorted());
    let reordered = arrivals(true);
    assert!(!reordered.is_sorted() && reordered.len() == 1000);
}
