//! Cutting an hour into slices that hold about as many ticks as a page needs.

use market::HOUR_NS;

/// The slices of a range of times, from one end to the other. The caller makes further slices
/// longer if one held too few ticks, so a gap costs few reads.
pub(crate) struct TimeSlices {
    start_ns: i64,
    end_ns: i64,
    step_ns: i64,
    from_end: bool,
}

impl TimeSlices {
    /// Returns the slices of `[start_ns, end_ns)`, a range in an hour that holds `tick_count`
    /// ticks. The first slice should hold about `wanted_ticks` of them.
    pub(crate) fn new(
        start_ns: i64,
        end_ns: i64,
        tick_count: u64,
        wanted_ticks: usize,
        from_end: bool,
    ) -> Self {
        let step_ns = i128::from(HOUR_NS) * i128::try_from(wanted_ticks).unwrap_or(i128::MAX >> 64)
            / i128::from(tick_count.max(1));
        Self {
            start_ns,
            end_ns,
            step_ns: i64::try_from(step_ns).unwrap_or(HOUR_NS).clamp(1, HOUR_NS),
            from_end,
        }
    }

    /// Returns the next slice `[start, end)`; `None` at the end of the range.
    pub(crate) fn next_slice(&mut self) -> Option<(i64, i64)> {
        if self.start_ns >= self.end_ns {
            return None;
        }
        let length_ns = self.step_ns.min(self.end_ns - self.start_ns);
        if self.from_end {
            self.end_ns -= length_ns;
            return Some((self.end_ns, self.end_ns + length_ns));
        }
        self.start_ns += length_ns;
        Some((self.start_ns - length_ns, self.start_ns))
    }

    /// Makes further slices four times as long.
    pub(crate) fn lengthen_further_slices(&mut self) {
        self.step_ns = self.step_ns.saturating_mul(4).min(HOUR_NS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn slices_cover_the_range_once(
            start_ns in 0..HOUR_NS,
            length_ns in 0..HOUR_NS,
            tick_count: u64,
            wanted_ticks in 1_usize..20_000,
            from_end: bool,
        ) {
            let end_ns = start_ns + length_ns;
            let mut slices = TimeSlices::new(start_ns, end_ns, tick_count, wanted_ticks, from_end);
            let mut found = Vec::new();
            while let Some(slice) = slices.next_slice() {
                found.push(slice);
                slices.lengthen_further_slices();
            }
            if from_end {
                found.reverse();
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].0));
            prop_assert_eq!(found.first().map_or(start_ns, |slice| slice.0), start_ns);
            prop_assert_eq!(found.last().map_or(end_ns, |slice| slice.1), end_ns);
            prop_assert!(found.len() < 64);
        }
    }
}
