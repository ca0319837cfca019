//! How fast a tape is sent.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::{Clock, SystemClock};

/// Waiting is done in steps, so that a run that fails meanwhile ends.
const STEP: Duration = Duration::from_millis(250);
/// The shortest wait: what falls due meanwhile is sent together.
const LEAST: Duration = Duration::from_millis(5);

/// How fast a tape is sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Speed {
    /// As fast as it is taken.
    #[default]
    Max,
    /// So many times as fast as it happened.
    Times(f64),
}

impl FromStr for Speed {
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

/// Waits on a thread of its own, by the host's clock.
pub(crate) struct Timer {
    clock: SystemClock,
    runtime: tokio::runtime::Runtime,
}

impl Timer {
    /// A timer for one thread.
    ///
    /// # Errors
    /// Where the system gives no timer.
    pub(crate) fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        Ok(Self {
            clock: SystemClock,
            runtime,
        })
    }

    /// How long the process has run, and something.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.monotonic_ns())
    }

    /// Waits, but no longer than until `stop` is set.
    pub(crate) fn wait(&self, duration: Duration, stop: &AtomicBool) {
        let end = self.now() + duration;
        while let Some(left) = end.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            self.runtime
                .block_on(async { self.clock.sleep(left.min(STEP)).await });
        }
    }
}

/// When each trade is due, counted from the first.
#[derive(Debug)]
pub(crate) struct Pace {
    speed: Speed,
    /// The event time of the first trade, and when it was sent.
    origin: Option<(i64, Duration)>,
}

impl Pace {
    /// A pace that begins with the first trade.
    pub(crate) const fn new(speed: Speed) -> Self {
        Self {
            speed,
            origin: None,
        }
    }

    /// How long a trade of `time_ns` has to wait at `now`; none where it is due.
    pub(crate) fn wait(&mut self, time_ns: i64, now: Duration) -> Option<Duration> {
        let Speed::Times(times) = self.speed else {
            return None;
        };
        let (first_ns, begin) = *self.origin.get_or_insert((time_ns, now));
        let passed_ns = u64::try_from(time_ns.saturating_sub(first_ns)).unwrap_or(0);
        let due = Duration::from_nanos(passed_ns).as_secs_f64() / times;
        let due = begin + Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX / 2);
        let left = due.checked_sub(now).filter(|left| !left.is_zero())?;
        Some(left.max(LEAST))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, Speed};

    #[test]
    fn a_speed_is_max_or_a_number_of_times() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("60x".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for text in ["", "x", "60", "0x", "-1x", "NaNx", "infx", "fast"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_trade_waits_for_its_time_since_the_first() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(Speed::Times(60.0));
        assert_eq!(pace.wait(60_000_000_000, ms(500)), None);
        assert_eq!(pace.wait(120_000_000_000, ms(500)), Some(ms(1_000)));
        assert_eq!(pace.wait(120_000_000_000, ms(1_499)), Some(super::LEAST));
        assert_eq!(pace.wait(120_000_000_000, ms(1_500)), None);
        assert_eq!(pace.wait(0, ms(1_500)), None, "one out of order is overdue");
        assert!(pace.wait(i64::MAX, ms(0)).is_some());
        assert_eq!(Pace::new(Speed::Max).wait(i64::MAX, ms(0)), None);
    }
}
