use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{start_text, time};
use crate::strategies::{deliveries, fold};
use crate::{Bar, DayError, DayStart, HOUR_NS, Interval, MINUTE_NS, Window};

#[test]
fn divides_by_the_longest_interval() {
    let divisor = |start, zone, at| {
        let (start_ns, end_ns) = DayStart::new(start, zone)
            .unwrap()
            .day_of(time(at))
            .unwrap();
        DayStart::divisor(start_ns, end_ns)
    };
    let at = "2024-06-01T12:00:00Z";
    assert_eq!(divisor("00:00", "UTC", at), Ok(Interval::D1));
    assert_eq!(divisor("03:00", "Europe/Istanbul", at), Ok(Interval::D1));
    assert_eq!(divisor("00:00", "America/New_York", at), Ok(Interval::H4));
    assert_eq!(divisor("00:00", "Europe/Istanbul", at), Ok(Interval::H1));
    assert_eq!(divisor("00:00", "Asia/Kolkata", at), Ok(Interval::M30));
    assert_eq!(divisor("00:00", "Asia/Kathmandu", at), Ok(Interval::M15));
    // Liberia stayed at -0:44:30 until 7 January 1972.
    assert_eq!(
        divisor("00:00", "Africa/Monrovia", "1972-01-05T12:00:00Z"),
        Err(DayError::Indivisible {
            start: "1972-01-05T00:44:30Z".to_owned()
        })
    );
    assert!(divisor("00:00", "Africa/Monrovia", "1972-01-07T12:00:00Z").is_err());
    assert_eq!(
        divisor("00:00", "Africa/Monrovia", "1972-01-08T12:00:00Z"),
        Ok(Interval::D1)
    );
    assert_eq!(
        divisor("00:00", "America/New_York", "1970-01-02T00:00:00Z"),
        Ok(Interval::H1)
    );
}

proptest! {
    /// A day of 23 or 25 hours, or the one before or after it, of a start at any quarter hour.
    #[test]
    fn a_day_folds_from_its_divisors_bars(
        quarter in 0_i64..96,
        noon in prop::sample::select(&["2024-03-10T16:00:00Z", "2024-11-03T17:00:00Z"][..]),
        trades in deliveries(-30 * HOUR_NS..30 * HOUR_NS, 80),
    ) {
        let noon_ns = time(noon);
        let days = DayStart::new(&start_text(quarter), "America/New_York").unwrap();
        for at_ns in [noon_ns - 24 * HOUR_NS, noon_ns, noon_ns + 24 * HOUR_NS] {
            let (start_ns, end_ns) = days.day_of(at_ns).unwrap();
            let interval = DayStart::divisor(start_ns, end_ns).unwrap();
            let mut trades = trades.clone();
            for delivery in &mut trades {
                delivery.0.time_ns += noon_ns;
            }
            let mut bars: BTreeMap<Window, Bar> = BTreeMap::new();
            for delivery in &trades {
                let bar = fold(std::slice::from_ref(delivery));
                let window = interval.window(delivery.0.time_ns);
                bars.entry(window).and_modify(|whole| whole.merge(&bar)).or_insert(bar);
            }
            let first = interval.window(start_ns);
            let found = bars
                .range(first..interval.window(end_ns))
                .map(|(_, bar)| bar.clone())
                .reduce(|mut day, bar| { day.merge(&bar); day });
            trades.retain(|(trade, ..)| (start_ns..end_ns).contains(&trade.time_ns));
            let expected = (!trades.is_empty()).then(|| fold(&trades));
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_minute_divides_every_start_of_whole_minutes() {
    let found = DayStart::divisor(7 * MINUTE_NS, 7 * MINUTE_NS + 24 * HOUR_NS);
    assert_eq!(found, Ok(Interval::M1));
}
