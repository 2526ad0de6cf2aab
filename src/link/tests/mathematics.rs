//! Each impairment against its own mathematics, over many frames with a fixed seed. Bounds are five deviations of what
//! is measured: a wrong formula misses them, luck does so once in two million.

use std::time::Duration;

use super::*;
use crate::link::impair::{BurstLoss, Jitter, Spread};
use crate::link::{Fate, Impairment};
use crate::units::Chance;

const FRAMES: usize = 100_000;

fn chance(text: &str) -> Chance {
    text.parse().unwrap()
}

/// What an impairment decides about many frames.
fn fates(impairment: &mut dyn Impairment, count: usize) -> Vec<Fate> {
    let mut rng = Rng::stream(1, "mathematics");
    let frame = frame(0, 100);
    (0..count).map(|_| impairment.judge(&frame, Time::ZERO, &mut rng)).collect()
}

#[track_caller]
fn assert_near(what: &str, measured: f64, expected: f64, bound: f64) {
    assert!((measured - expected).abs() <= bound, "{what}: {measured}, not {expected} ± {bound}");
}

#[test]
fn bernoulli_loss_has_its_rate() {
    let mut rig = Rig::of("loss = '2%'");
    rig.send_every(Duration::from_nanos(1), 100_000);
    // 2000 expected; deviation sqrt(100000 * 0.02 * 0.98) = 44.3.
    assert_near("lost", rig.pipe.counters().dropped_loss as f64, 2000.0, 222.0);
    assert!(rig.drops().iter().all(|(_, cause)| *cause == Cause::Loss));
}

#[test]
fn bernoulli_loss_has_no_memory() {
    let lost: Vec<bool> = fates(&mut crate::link::impair::Loss { chance: chance("20%") }, FRAMES)
        .into_iter()
        .map(|fate| fate == Fate::Drop)
        .collect();
    let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
    // Two in a row: 0.2² * 100000 = 4000. Neighbouring pairs share a frame, so the variance of their number is
    // n (q² + 2 q³ - 3 q⁴) = 100000 * (0.04 + 0.016 - 0.0048) = 5120, the deviation 71.6.
    assert_near("pairs", pairs as f64, 4000.0, 358.0);
}

#[test]
fn gilbert_elliott_loses_p_over_p_plus_r_times_bad() {
    let mut burst = BurstLoss::new(chance("1%"), chance("30%")).losing(Chance::NEVER, chance("50%"));
    let lost = fates(&mut burst, 200_000).into_iter().filter(|fate| *fate == Fate::Drop).count();
    // Bad: 0.01 / 0.31 = 3.2258% of the frames; lost: half of these, 3225.8 of 200000.
    // Neighbours correlate by 1 - p - r = 0.69, which swells the variance of the number of bad frames by
    // (1 + 0.69) / (1 - 0.69) = 5.45: sqrt(200000 * 0.0323 * 0.9677 * 5.45) = 184.6. Half of them, 92.3, and the coin
    // toss for each bad frame, sqrt(6452 / 4) = 40.2: together 100.7.
    assert_near("lost", lost as f64, 3225.8, 503.0);
}

#[test]
fn gilbert_elliott_bursts_are_one_over_r_long() {
    let fates = fates(&mut BurstLoss::new(chance("1%"), chance("25%")), 200_000);
    let bursts: Vec<usize> =
        fates.split(|fate| *fate != Fate::Drop).map(<[Fate]>::len).filter(|length| *length > 0).collect();
    // A burst begins after a good frame with chance p: 200000 * (0.25 / 0.26) * 0.01 = 1923.
    // The deviation of a count of rare beginnings is about its root, 44.
    assert_near("bursts", bursts.len() as f64, 1923.0, 220.0);
    // Lengths are geometric: mean 1 / 0.25 = 4, deviation sqrt(0.75) / 0.25 = 3.46; of the mean of 1923, 0.079.
    let mean = bursts.iter().sum::<usize>() as f64 / bursts.len() as f64;
    assert_near("length", mean, 4.0, 0.4);
}

#[test]
fn gilbert_elliott_with_equal_losses_in_both_states_is_bernoulli() {
    let mut burst = BurstLoss::new(chance("5%"), chance("5%")).losing(chance("10%"), chance("10%"));
    let lost = fates(&mut burst, FRAMES).into_iter().filter(|fate| *fate == Fate::Drop).count();
    // Deviation sqrt(100000 * 0.1 * 0.9) = 94.9.
    assert_near("lost", lost as f64, 10_000.0, 475.0);
}

/// Mean and deviation of what a jitter adds, in microseconds, and all that it added.
fn jitter(spread: Spread) -> (f64, f64, Vec<f64>) {
    let added = |fate| match fate {
        Fate::Delay(delay) => delay.as_nanos() as f64 / 1000.0,
        other => panic!("jitter does not answer {other:?}"),
    };
    let added: Vec<f64> = fates(&mut Jitter { spread, reorder: false }, FRAMES).into_iter().map(added).collect();
    let mean = added.iter().sum::<f64>() / FRAMES as f64;
    let variance = added.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / FRAMES as f64;
    (mean, variance.sqrt(), added)
}

#[test]
fn uniform_jitter_has_its_mean_and_deviation() {
    let (least, most) = (Duration::from_millis(1), Duration::from_millis(3));
    let (mean, deviation, added) = jitter(Spread::Uniform { least, most });
    // Mean 2 ms, deviation 2 ms / sqrt(12) = 577.4 us; of the mean of 100000, 1.83 us.
    assert_near("mean", mean, 2000.0, 9.2);
    // Of the deviation: 577.4 / 2 * sqrt((1.8 - 1) / 100000) = 0.82 us, 1.8 being the uniform's kurtosis.
    assert_near("deviation", deviation, 577.4, 4.1);
    assert!(added.iter().all(|value| (1000.0..=3000.0).contains(value)));
}

#[test]
fn normal_jitter_has_its_mean_and_deviation() {
    let (mean, deviation, _) = jitter(Spread::Normal { mean: Duration::from_millis(20), sd: Duration::from_millis(2) });
    // Of the mean: 2 ms / sqrt(100000) = 6.3 us; of the deviation: 2 ms / sqrt(200000) = 4.5 us. Rounding down to the
    // nanosecond takes half of one away.
    assert_near("mean", mean, 20_000.0, 31.6);
    assert_near("deviation", deviation, 2000.0, 22.4);
}

#[test]
fn normal_jitter_counts_negative_draws_as_zero() {
    let (mean, _, added) = jitter(Spread::Normal { mean: Duration::ZERO, sd: Duration::from_millis(2) });
    // Half the draws are negative; deviation sqrt(100000 / 4) = 158.
    assert_near("zeros", added.iter().filter(|value| **value == 0.0).count() as f64, 50_000.0, 791.0);
    // The mean of a bell cut at zero: 2 ms / sqrt(2 pi) = 797.9 us; its deviation 2 ms * sqrt(1/2 - 1/(2 pi)) = 1167.7.
    assert_near("mean", mean, 797.9, 18.5);
}

#[test]
fn pareto_jitter_has_its_mean_deviation_and_tail() {
    let (mean, deviation, added) = jitter(Spread::Pareto { scale: Duration::from_millis(1), shape: 9.0 });
    // Mean 9 / 8 ms; variance 9 / (8² * 7) ms², deviation 141.7 us; of the mean of 100000, 0.45 us.
    assert_near("mean", mean, 1125.0, 2.3);
    // Kurtosis 19.8: 141.7 / 2 * sqrt(18.8 / 100000) = 0.97 us.
    assert_near("deviation", deviation, 141.7, 4.9);
    assert!(added.iter().all(|value| *value >= 1000.0));
    let (_, _, added) = jitter(Spread::Pareto { scale: Duration::from_millis(1), shape: 2.5 });
    // More than twice the scale: 2^-2.5 = 17.678%; deviation sqrt(100000 * 0.17678 * 0.82322) = 120.6.
    assert_near("tail", added.iter().filter(|value| **value > 2000.0).count() as f64, 17_678.0, 604.0);
}

#[test]
fn jitter_on_a_link_is_added_to_the_delay() {
    let mut rig = Rig::of("delay = '10ms'\njitter = '2ms'");
    // Far enough apart that the order never makes one wait for another.
    rig.send_every(Duration::from_millis(5), 10_000);
    let added = rig.arrivals().into_iter().map(|(at, count)| at - (10_000_000 + u64::from(count) * 5_000_000));
    let mean = added.inspect(|added| assert!(*added <= 2_000_000)).sum::<u64>() as f64 / 10_000.0;
    // 577.4 us / sqrt(10000) = 5.8 us.
    assert_near("mean", mean / 1000.0, 1000.0, 29.0);
}

#[test]
fn reordering_holds_back_its_share_and_lets_the_next_overtake() {
    let mut rig = Rig::of("delay = '1ms'\nreorder = { chance = '5%', by = '25us' }");
    rig.send_every(Duration::from_micros(10), 100_000);
    let arrivals = rig.arrivals();
    let held_back = arrivals.iter().filter(|(at, count)| *at == 1_000_000 + u64::from(*count) * 10_000 + 25_000);
    // 5000 expected; deviation sqrt(100000 * 0.05 * 0.95) = 68.9.
    assert_near("held back", rig.pipe.counters().held_back as f64, 5000.0, 345.0);
    assert_eq!(held_back.count() as u64, rig.pipe.counters().held_back);
    // Frames whose successor in line was sent before them: each held-back frame is one, unless the two behind it are
    // held back as well (0.05² of the cases).
    let overtaken = arrivals.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
    assert_near("overtaken", overtaken as f64, 5000.0 * 0.9975, 345.0);
}

#[test]
fn duplication_has_its_rate_and_each_copy_follows_its_original() {
    let mut rig = Rig::of("duplicate = '3%'");
    rig.send_every(Duration::from_micros(1), 100_000);
    // 3000 expected; deviation sqrt(100000 * 0.03 * 0.97) = 53.9.
    assert_near("copies", rig.pipe.counters().duplicated as f64, 3000.0, 270.0);
    let out = rig.frames_out();
    let copies: Vec<_> =
        out.windows(2).filter(|pair| pair[1].1.cause == pair[0].1.id && pair[1].0 == pair[0].0).collect();
    assert_eq!(copies.len() as u64, rig.pipe.counters().duplicated);
    assert_eq!(out.len() as u64, 100_000 + rig.pipe.counters().duplicated);
}

#[test]
fn corruption_has_its_rate_and_flips_exactly_one_bit_anywhere() {
    let mut rig = Rig::of("corrupt = '10%'");
    rig.send_every(Duration::from_micros(1), 100_000);
    // 10000 expected; deviation sqrt(100000 * 0.1 * 0.9) = 94.9.
    assert_near("corrupted", rig.pipe.counters().corrupted as f64, 10_000.0, 475.0);
    let mut places = vec![0_u32; 800];
    for (_, frame) in rig.frames_out() {
        let flipped: u32 = frame.bytes().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(flipped, u32::from(frame.damaged));
        if let Some(byte) = frame.bytes().iter().position(|byte| *byte != 0) {
            places[byte * 8 + frame.bytes()[byte].trailing_zeros() as usize] += 1;
        }
    }
    // Each of 800 bits 12.5 times on average: chi-square with 799 degrees of freedom, deviation sqrt(2 * 799) = 40.
    let expected = rig.pipe.counters().corrupted as f64 / 800.0;
    let chi_square: f64 = places.iter().map(|hits| (f64::from(*hits) - expected).powi(2) / expected).sum();
    assert_near("chi-square", chi_square, 799.0, 200.0);
}

#[test]
fn never_and_always_mean_it() {
    let mut never = Rig::of("loss = '0%'\nduplicate = '0%'\ncorrupt = '0%'\nreorder = { chance = '0%', by = '1s' }");
    never.send_every(Duration::from_micros(1), 1000);
    assert!(never.out.effects().is_empty() && never.pipe.counters().duplicated == 0 && never.arrivals().len() == 1000);
    let mut always = Rig::of("loss = '100%'");
    always.send_every(Duration::from_micros(1), 1000);
    assert_eq!(always.pipe.counters().dropped_loss, 1000);
}
