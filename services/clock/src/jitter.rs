//! Random numbers that spread retries out. They are not for anything that must be hard to guess.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::time::duration_ns;

/// A generator of the random durations of a backoff: `SplitMix64`, as in
/// <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(crate) struct JitterGenerator {
    state: u64,
}

impl JitterGenerator {
    /// Returns a generator whose sequence depends on `seed` alone.
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns a generator with a seed from the operating system, which the hash keys of the
    /// standard library provide.
    pub(crate) fn from_random_seed() -> Self {
        Self::from_seed(RandomState::new().hash_one(0_u8))
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Returns a duration drawn evenly from `[0, max]`, in whole nanoseconds.
    pub(crate) fn next_duration(&mut self, max: Duration) -> Duration {
        let max_ns = duration_ns(max);
        let scaled = (u128::from(self.next_u64()) * (u128::from(max_ns) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(max_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut jitter = JitterGenerator::from_seed(1_234_567);
        assert_eq!(jitter.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(jitter.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_in_range_and_reach_both_halves() {
        let max = Duration::from_millis(10);
        let mut jitter = JitterGenerator::from_random_seed();
        let draws: Vec<_> = (0..1_000).map(|_| jitter.next_duration(max)).collect();
        assert!(draws.iter().all(|draw| *draw <= max));
        assert!(draws.iter().any(|draw| *draw < max / 2));
        assert!(draws.iter().any(|draw| *draw > max / 2));
        assert_eq!(jitter.next_duration(Duration::ZERO), Duration::ZERO);
    }
}
