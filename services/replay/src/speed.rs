//! How fast tapes are sent.

use std::str::FromStr;
use std::time::Duration;

/// The shortest wait: trades that fall due meanwhile are sent together.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// How fast tapes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum ReplaySpeed {
    /// As fast as the server accepts trades.
    #[default]
    Max,
    /// This many times as fast as the trades happened.
    Times(f64),
}

impl FromStr for ReplaySpeed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
        times
            .filter(|times: &f64| (0.001..=1e9).contains(times))
            .map(Self::Times)
            .ok_or_else(|| {
                "max, or a number from 0.001 and an x, such as 1x or 60x, is expected".to_owned()
            })
    }
}

/// Computes when each trade is due, counted from the first trade.
#[derive(Debug)]
pub(crate) struct SpeedLimiter {
    speed: ReplaySpeed,
    /// The event time of the first trade, and when it was sent.
    first_trade: Option<(i64, Duration)>,
}

impl SpeedLimiter {
    /// Creates a limiter that begins with the first trade.
    pub(crate) const fn new(speed: ReplaySpeed) -> Self {
        Self {
            speed,
            first_trade: None,
        }
    }

    /// Returns how long a trade of event time `time_ns` has to wait at `now`; `None` if it is due.
    pub(crate) fn time_until_due(&mut self, time_ns: i64, now: Duration) -> Option<Duration> {
        let ReplaySpeed::Times(times) = self.speed else {
            return None;
        };
        let (first_ns, begin) = *self.first_trade.get_or_insert((time_ns, now));
        let elapsed_ns = u64::try_from(time_ns.saturating_sub(first_ns)).unwrap_or(0);
        let due = Duration::from_nanos(elapsed_ns).as_secs_f64() / times;
        let due = begin + Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX / 2);
        let wait = due.checked_sub(now).filter(|wait| !wait.is_zero())?;
        Some(wait.max(SHORTEST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ReplaySpeed, SpeedLimiter};

    #[test]
    fn a_speed_is_max_or_a_number_of_times() {
        assert_eq!("max".parse(), Ok(ReplaySpeed::Max));
        assert_eq!("60x".parse(), Ok(ReplaySpeed::Times(60.0)));
        assert_eq!("0.5x".parse(), Ok(ReplaySpeed::Times(0.5)));
        for text in ["", "x", "60", "0x", "-1x", "NaNx", "infx", "fast"] {
            assert!(text.parse::<ReplaySpeed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_trade_waits_for_its_time_since_the_first() {
        let ms = Duration::from_millis;
        let mut limiter = SpeedLimiter::new(ReplaySpeed::Times(60.0));
        let mut wait = |time_ns, now_ms| limiter.time_until_due(time_ns, ms(now_ms));
        assert_eq!(wait(60_000_000_000, 500), None);
        assert_eq!(wait(120_000_000_000, 500), Some(ms(1_000)));
        assert_eq!(wait(120_000_000_000, 1_499), Some(super::SHORTEST_WAIT));
        assert_eq!(wait(120_000_000_000, 1_500), None);
        assert_eq!(wait(0, 1_500), None, "a trade out of order is overdue");
        assert!(wait(i64::MAX, 0).is_some());
        let mut unlimited = SpeedLimiter::new(ReplaySpeed::Max);
        assert_eq!(unlimited.time_until_due(i64::MAX, ms(0)), None);
    }
}
