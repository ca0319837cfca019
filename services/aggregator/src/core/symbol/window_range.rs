//! The windows within a range of time.

use market::{Interval, Window};

/// Returns the windows of an interval that overlap `[start_ns, end_ns)`.
pub(crate) fn windows_overlapping(
    interval: Interval,
    start_ns: i64,
    end_ns: i64,
) -> impl Iterator<Item = Window> + Clone {
    let first = interval.window_containing(start_ns).start_ns;
    let step_ns = usize::try_from(interval.length_ns()).expect("64 bits hold a day");
    (first..end_ns)
        .step_by(step_ns)
        .map(move |start_ns| Window { interval, start_ns })
}
