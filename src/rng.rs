//! Luck: one named random stream for each thing that draws.
//!
//! A stream is derived from the run's seed and the *name* of its owner, never from a position or an order of creation,
//! so that adding a host or a fault does not shift the luck of any other. The generator is ChaCha8, whose values are
//! specified; the distributions are written here on integer arithmetic and on `libm`, because the standard library's
//! logarithm may differ between machines and a crate's distributions may change between versions.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use std::time::Duration;

use crate::units::Chance;

/// A random stream that belongs to one owner.
#[derive(Debug)]
pub struct Rng {
    generator: ChaCha8Rng,
    /// The second value of the last pair of normal deviates, if it has not been used.
    spare_normal: Option<f64>,
}

impl Rng {
    /// The stream called `name` in a run with `seed`. Names are by convention paths: `link wan/ab/loss`.
    #[must_use]
    pub fn stream(seed: u64, name: &str) -> Self {
        let (first, second) = (fnv1a(name.bytes()), fnv1a(name.bytes().rev()));
        let mut state = seed;
        let mut key = [0; 32];
        for (chunk, salt) in key.chunks_exact_mut(8).zip([first, second, first.rotate_left(32), 0]) {
            state ^= salt;
            chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes());
        }
        Self { generator: ChaCha8Rng::from_seed(key), spare_normal: None }
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number from 0 up to, but not including, `bound`; 0 if the bound is 0. Without bias.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval": the high half of a 128-bit product, rejecting the
        // few values that would make some results more likely than others.
        let threshold = bound.wrapping_neg() % bound.max(1);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Whether something with this chance happens now. Always draws, so that changing a chance from zero does not
    /// move later draws.
    pub fn happens(&mut self, chance: Chance) -> bool {
        self.below(chance.denominator()) < chance.numerator()
    }

    /// A number in [0, 1), in steps of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A time from zero up to and including `most`, each nanosecond equally likely.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let nanoseconds = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanoseconds.saturating_add(1)))
    }

    /// A normal deviate with mean 0 and deviation 1 (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = libm::sqrt(-2.0 * libm::log(square) / square);
                self.spare_normal = Some(y * factor);
                return x * factor;
            }
        }
    }

    /// A Pareto deviate of the given shape and scale 1: at least 1, with mean `shape / (shape - 1)` for shapes above 1.
    pub fn pareto(&mut self, shape: f64) -> f64 {
        // 1 - unit() lies in (0, 1], so the power is finite.
        libm::pow(1.0 - self.unit(), -1.0 / shape)
    }
}

/// FNV-1a, 64 bits: a stable hash of a name.
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Steele, Lea and Flood's SplitMix64: spreads a seed over all bits.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_for_the_same_seed_and_name_only() {
        let first = |seed, name| Rng::stream(seed, name).next_u64();
        assert_eq!(first(1, "link wan/ab/loss"), first(1, "link wan/ab/loss"));
        assert_ne!(first(1, "link wan/ab/loss"), first(2, "link wan/ab/loss"));
        assert_ne!(first(1, "link wan/ab/loss"), first(1, "link wan/ba/loss"));
    }

    #[test]
    fn the_values_are_pinned() {
        // A change here changes every trace that draws: it must be meant.
        let mut rng = Rng::stream(42, "golden");
        assert_eq!(rng.next_u64(), 2_488_247_730_041_080_342);
        assert_eq!(rng.below(1000), 446);
        assert_eq!(rng.up_to(Duration::from_secs(1)), Duration::from_nanos(993_681_654));
        // To the bit: the arithmetic must not depend on the machine.
        assert_eq!(rng.normal().to_bits(), 0.204_727_516_713_776_06_f64.to_bits());
        assert_eq!(rng.pareto(2.0).to_bits(), 1.213_426_281_908_316_f64.to_bits());
    }

    #[test]
    fn a_chance_happens_as_often_as_it_says() {
        let mut rng = Rng::stream(1, "chance");
        let chance = Chance::new(1, 50).unwrap();
        let hits = (0..100_000).filter(|_| rng.happens(chance)).count();
        // 2000 expected, deviation sqrt(100000 * 0.02 * 0.98) = 44: five deviations.
        assert!((1780..=2220).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| rng.happens(Chance::ALWAYS) && !rng.happens(Chance::NEVER)));
    }

    #[test]
    fn normal_deviates_have_mean_zero_and_deviation_one() {
        let mut rng = Rng::stream(1, "normal");
        let drawn: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 1e5;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn pareto_deviates_have_their_mean() {
        let mut rng = Rng::stream(1, "pareto");
        // Shape 3: mean 3 / 2.
        let mean = (0..200_000).map(|_| rng.pareto(3.0)).sum::<f64>() / 2e5;
        assert!((mean - 1.5).abs() < 0.01, "{mean}");
    }
}
