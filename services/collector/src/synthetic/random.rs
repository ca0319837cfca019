//! The randomness of a feed: the same for the same seed, on every machine.

/// `SplitMix64`, as in <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The numbers of a name under a seed, which those of other names do not change.
    pub(super) fn of(seed: u64, name: &str) -> Self {
        // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: seed ^ hash }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number drawn evenly from `[least, most]`; `most` is not below `least`.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let count = u128::from(most.abs_diff(least)) + 1;
        let drawn = (u128::from(self.next()) * count) >> 64;
        least.saturating_add_unsigned(u64::try_from(drawn).unwrap_or(0))
    }

    /// The time to the next of events that come at random, every `mean_ns` on average: at least
    /// a nanosecond, at most three times the mean.
    pub(super) fn gap(&mut self, mean_ns: i64) -> i64 {
        // The sum of two even draws has the right mean and needs no logarithm, whose last digit
        // differs from machine to machine; rarely, a gap is longer.
        let most = match self.between(0, 9) {
            0 => mean_ns.saturating_mul(3) / 2,
            _ => mean_ns.saturating_mul(17) / 18,
        };
        (self.between(0, most) + self.between(0, most)).max(1)
    }
}
