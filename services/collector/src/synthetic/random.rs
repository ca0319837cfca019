//! The random numbers of a feed: the same for the same seed, on every machine.

/// `SplitMix64`, as in <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(super) struct FeedRandom {
    state: u64,
}

impl FeedRandom {
    /// Returns the random number generator for `name`. Its sequence depends only on the seed and
    /// the name.
    pub(super) fn for_name(seed: u64, name: &str) -> Self {
        // FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: seed ^ hash }
    }

    fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Draws a number evenly from `[min, max]`; `max` is not below `min`.
    pub(super) fn draw_between(&mut self, min: i64, max: i64) -> i64 {
        let count = u128::from(max.abs_diff(min)) + 1;
        let drawn = (u128::from(self.next_u64()) * count) >> 64;
        min.saturating_add_unsigned(u64::try_from(drawn).unwrap_or(0))
    }

    /// Draws the time until the next of random events, which happen every `mean_ns` on average.
    /// The time is at least a nanosecond and at most three times the mean.
    pub(super) fn draw_gap_ns(&mut self, mean_ns: i64) -> i64 {
        // The sum of two even draws has the right mean and needs no logarithm, the last digit of
        // which differs from machine to machine. One gap in ten may be longer.
        let max_ns = match self.draw_between(0, 9) {
            0 => mean_ns.saturating_mul(3) / 2,
            _ => mean_ns.saturating_mul(17) / 18,
        };
        (self.draw_between(0, max_ns) + self.draw_between(0, max_ns)).max(1)
    }
}
