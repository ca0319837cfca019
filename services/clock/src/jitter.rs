//! Enough randomness to spread retries out, and not for anything that must be hard to guess.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::time::duration_ns;

/// `SplitMix64`, as in <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(crate) struct Jitter {
    state: u64,
}

impl Jitter {
    /// The same seed gives the same sequence.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Seeded by the standard library's hash keys, which come from the operating system.
    pub(crate) fn unseeded() -> Self {
        Self::seeded(RandomState::new().hash_one(0_u8))
    }

    fn next_word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A duration drawn evenly from `[0, most]`, in whole nanoseconds.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let most = duration_ns(most);
        let scaled = (u128::from(self.next_word()) * (u128::from(most) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut jitter = Jitter::seeded(1_234_567);
        assert_eq!(jitter.next_word(), 6_457_827_717_110_365_317);
        assert_eq!(jitter.next_word(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_in_range_and_reach_both_halves() {
        let most = Duration::from_millis(10);
        let mut jitter = Jitter::unseeded();
        let draws: Vec<_> = (0..1_000).map(|_| jitter.up_to(most)).collect();
        assert!(draws.iter().all(|draw| *draw <= most));
        assert!(draws.iter().any(|draw| *draw < most / 2));
        assert!(draws.iter().any(|draw| *draw > most / 2));
        assert_eq!(jitter.up_to(Duration::ZERO), Duration::ZERO);
    }
}
