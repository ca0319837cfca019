//! The body of a request for a repair, and the repairs that it is split into.

use std::collections::BTreeMap;

use market::{DAY_NS, HOUR_NS, MINUTE_NS};
use schemas::Repair;
use schemas::api::RepairResponseJson;

use crate::object_body::{ExpectedObjectDescription, parse_object_body};
use crate::params::{ACCEPTED_TIMES, parse_symbol, parse_time, parse_venue};
use crate::problem::Problem;
use crate::raw_object::{RawObject, UnparsedValue};
use crate::venue_name::ClientInstrumentName;

/// The members of a request.
const MEMBER_NAMES: [&str; 5] = ["venue", "symbol", "start", "end", "force"];

/// The longest range that one request may name.
const MAX_RANGE_NS: i64 = 31 * DAY_NS;
/// The greatest number of hours that such a range touches.
pub(super) const MAX_HOURS: u32 = 31 * 24 + 1;

/// Whether the bars of an hour can still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HourChangeability {
    Changeable,
    BeyondHorizon,
}

/// A request to refold the minutes that start in `[start_ns, end_ns)`.
#[derive(Debug)]
pub(super) struct RepairRequest {
    pub(super) instrument: ClientInstrumentName,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// Whether a bar is replaced even if its ticks are not all there.
    pub(super) force: bool,
}

impl RepairRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// A [`Problem`] that names the member at fault.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let expected = ExpectedObjectDescription {
            object: &format!("a JSON object of {}", MEMBER_NAMES.join(", ")),
            member: "a member of a repair",
        };
        let object = parse_object_body(body, &MEMBER_NAMES, &expected)?;
        let instrument = ClientInstrumentName {
            venue: parse_venue(&text_member(&object, 0)?)?,
            symbol: parse_symbol(&text_member(&object, 1)?)?,
        };
        let (start_ns, end_ns) = (
            whole_minute_member_ns(&object, 2)?,
            whole_minute_member_ns(&object, 3)?,
        );
        if start_ns >= end_ns {
            let detail = "end is not after start";
            return Err(Problem::invalid_parameter(
                "end",
                detail,
                "an end after start",
            ));
        }
        if end_ns - start_ns > MAX_RANGE_NS {
            let days = MAX_RANGE_NS / DAY_NS;
            let detail = format!("the range is longer than {days} days; ask for it in parts");
            return Err(Problem::invalid_parameter(
                "end",
                detail,
                format!("at most {days} days"),
            ));
        }
        Ok(Self {
            instrument,
            start_ns,
            end_ns,
            force: force_member(&object)?,
        })
    }

    /// Splits the request into repairs of the given hours that can still change, each at most a day
    /// long, and counts their minutes and those of the other hours.
    pub(super) fn split_into_repairs(
        &self,
        hours: &BTreeMap<i64, HourChangeability>,
        counts: &mut RepairResponseJson,
    ) -> Vec<Repair> {
        let mut repairs: Vec<Repair> = Vec::new();
        for (hour_ns, state) in hours {
            let start_ns = (*hour_ns).max(self.start_ns);
            let end_ns = hour_ns.saturating_add(HOUR_NS).min(self.end_ns);
            let minutes = ((end_ns - start_ns) / MINUTE_NS).unsigned_abs();
            if *state == HourChangeability::BeyondHorizon {
                counts.beyond_horizon += minutes;
                continue;
            }
            counts.minutes += minutes;
            match repairs.last_mut() {
                Some(last) if last.end_ns == start_ns && end_ns - last.start_ns <= DAY_NS => {
                    last.end_ns = end_ns;
                }
                _ => repairs.push(Repair {
                    start_ns,
                    end_ns,
                    force: self.force,
                }),
            }
        }
        repairs
    }
}

type RepairMembers<'a> = RawObject<'a, { MEMBER_NAMES.len() }>;

fn force_member(object: &RepairMembers<'_>) -> Result<bool, Problem> {
    match object.value(4) {
        UnparsedValue::Null => Ok(false),
        UnparsedValue::Bool(force) => Ok(force),
        _ => Err(Problem::invalid_parameter(
            "force",
            "force is not a boolean",
            "true or false",
        )),
    }
}

fn text_member(object: &RepairMembers<'_>, index: usize) -> Result<String, Problem> {
    let name = MEMBER_NAMES[index];
    match object.value(index) {
        UnparsedValue::Text(text) | UnparsedValue::Number(text) => Ok(text.into_owned()),
        UnparsedValue::Null => Err(Problem::invalid_parameter(
            name,
            format!("{name} is missing"),
            MEMBER_NAMES.join(", "),
        )),
        _ => Err(Problem::invalid_parameter(
            name,
            format!("{name} is not a text"),
            "a text",
        )),
    }
}

fn whole_minute_member_ns(object: &RepairMembers<'_>, index: usize) -> Result<i64, Problem> {
    let name = MEMBER_NAMES[index];
    let text = text_member(object, index)?;
    let time_ns = parse_time(&text)
        .map_err(|detail| Problem::invalid_parameter(name, detail, ACCEPTED_TIMES))?;
    if time_ns < 0 || time_ns % MINUTE_NS != 0 {
        let detail = format!("{name} is not a whole minute of the years from 1970 on");
        return Err(Problem::invalid_parameter(
            name,
            detail,
            "a whole minute, such as 2013-10-08T13:30:00Z",
        ));
    }
    Ok(time_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(start_ns: i64, end_ns: i64) -> RepairRequest {
        RepairRequest {
            force: false,
            instrument: ClientInstrumentName {
                venue: "v".parse().unwrap(),
                symbol: "S".parse().unwrap(),
            },
            start_ns,
            end_ns,
        }
    }

    #[test]
    fn only_hours_with_ticks_or_bars_are_marked_and_each_repair_is_at_most_a_day() {
        type Case = (i64, i64, BTreeMap<i64, HourChangeability>, Vec<(i64, i64)>);
        let hours = |list: &[i64]| {
            list.iter()
                .map(|hour| (hour * HOUR_NS, HourChangeability::Changeable))
                .collect()
        };
        let all: Vec<i64> = (0..60).collect();
        let minute = |minutes: i64| minutes * MINUTE_NS;
        let cases: [Case; 4] = [
            (0, 3_600, hours(&[]), vec![]),
            (30, 150, hours(&[0, 2]), vec![(30, 60), (120, 150)]),
            (30, 150, hours(&[0, 1, 2]), vec![(30, 150)]),
            (
                90,
                3_600,
                hours(&all[1..]),
                vec![(90, 1_500), (1_500, 2_940), (2_940, 3_600)],
            ),
        ];
        for (start, end, hours, expected) in cases {
            let mut counts = RepairResponseJson::default();
            let repairs =
                request(minute(start), minute(end)).split_into_repairs(&hours, &mut counts);
            assert!(repairs.iter().all(|repair| repair.is_valid()));
            let found = repairs
                .iter()
                .map(|repair| (repair.start_ns, repair.end_ns));
            let expected: Vec<_> = expected
                .iter()
                .map(|(from, to)| (minute(*from), minute(*to)))
                .collect();
            assert_eq!(found.collect::<Vec<_>>(), expected);
            let minutes: i64 = expected
                .iter()
                .map(|(from, to)| (to - from) / MINUTE_NS)
                .sum();
            assert_eq!(counts.minutes, minutes.unsigned_abs());
        }
    }

    #[test]
    fn an_hour_beyond_the_horizon_is_left_out_and_counted() {
        let hours = BTreeMap::from([
            (0, HourChangeability::Changeable),
            (HOUR_NS, HourChangeability::BeyondHorizon),
            (2 * HOUR_NS, HourChangeability::Changeable),
        ]);
        let mut counts = RepairResponseJson::default();
        let repairs = request(0, 3 * HOUR_NS).split_into_repairs(&hours, &mut counts);
        assert_eq!(repairs.len(), 2);
        assert_eq!((counts.minutes, counts.beyond_horizon), (120, 60));
    }
}
