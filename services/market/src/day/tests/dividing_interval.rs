use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{parse_ns, start_text};
use crate::strategies::{deliveries, fold_bar, tie_orders};
use crate::{Bar, DayError, DayStart, HOUR_NS, Interval, MINUTE_NS, Window};

#[test]
fn the_longest_interval_that_divides_a_day_is_found() {
    let longest_interval = |start, zone, time_text| {
        let (start_ns, end_ns) = DayStart::new(start, zone)
            .unwrap()
            .day_containing(parse_ns(time_text))
            .unwrap();
        DayStart::longest_dividing_interval(start_ns, end_ns)
    };
    let summer = "2024-06-01T12:00:00Z";
    assert_eq!(longest_interval("00:00", "UTC", summer), Ok(Interval::D1));
    assert_eq!(
        longest_interval("03:00", "Europe/Istanbul", summer),
        Ok(Interval::D1)
    );
    assert_eq!(
        longest_interval("00:00", "America/New_York", summer),
        Ok(Interval::H4)
    );
    assert_eq!(
        longest_interval("00:00", "Europe/Istanbul", summer),
        Ok(Interval::H1)
    );
    assert_eq!(
        longest_interval("00:00", "Asia/Kolkata", summer),
        Ok(Interval::M30)
    );
    assert_eq!(
        longest_interval("00:00", "Asia/Kathmandu", summer),
        Ok(Interval::M15)
    );
    // Liberia stayed at -0:44:30 until 7 January 1972.
    assert_eq!(
        longest_interval("00:00", "Africa/Monrovia", "1972-01-05T12:00:00Z"),
        Err(DayError::Indivisible {
            start: "1972-01-05T00:44:30Z".to_owned()
        })
    );
    assert!(longest_interval("00:00", "Africa/Monrovia", "1972-01-07T12:00:00Z").is_err());
    assert_eq!(
        longest_interval("00:00", "Africa/Monrovia", "1972-01-08T12:00:00Z"),
        Ok(Interval::D1)
    );
    assert_eq!(
        longest_interval("00:00", "America/New_York", "1970-01-02T00:00:00Z"),
        Ok(Interval::H1)
    );
}

proptest! {
    /// Tests a day of 23 or 25 hours and the days before and after it, from any quarter hour.
    #[test]
    fn the_bars_of_the_dividing_interval_merge_to_the_day(
        quarter in 0_i64..96,
        noon in prop::sample::select(&["2024-03-10T16:00:00Z", "2024-11-03T17:00:00Z"][..]),
        trades in deliveries(-30 * HOUR_NS..30 * HOUR_NS, 80),
        ties in tie_orders(),
    ) {
        let noon_ns = parse_ns(noon);
        let days = DayStart::new(&start_text(quarter), "America/New_York").unwrap();
        for at_ns in [noon_ns - 24 * HOUR_NS, noon_ns, noon_ns + 24 * HOUR_NS] {
            let (start_ns, end_ns) = days.day_containing(at_ns).unwrap();
            let interval = DayStart::longest_dividing_interval(start_ns, end_ns).unwrap();
            let mut trades = trades.clone();
            for delivery in &mut trades {
                delivery.0.time_ns += noon_ns;
            }
            let mut bars: BTreeMap<Window, Bar> = BTreeMap::new();
            for delivery in &trades {
                let bar = fold_bar(std::slice::from_ref(delivery), ties);
                let window = interval.window_containing(delivery.0.time_ns);
                bars.entry(window).and_modify(|whole| whole.merge(&bar, ties)).or_insert(bar);
            }
            let first = interval.window_containing(start_ns);
            let found = bars
                .range(first..interval.window_containing(end_ns))
                .map(|(_, bar)| bar.clone())
                .reduce(|mut day, bar| { day.merge_other_window(&bar); day });
            trades.retain(|(trade, ..)| (start_ns..end_ns).contains(&trade.time_ns));
            let expected = (!trades.is_empty()).then(|| fold_bar(&trades, ties));
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn one_minute_divides_every_day_that_begins_on_a_whole_minute() {
    let found = DayStart::longest_dividing_interval(7 * MINUTE_NS, 7 * MINUTE_NS + 24 * HOUR_NS);
    assert_eq!(found, Ok(Interval::M1));
}
