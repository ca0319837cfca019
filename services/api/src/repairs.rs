//! `POST /api/v1/repairs`.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{DAY_NS, HORIZON_NS, HOUR_NS, Instrument, Interval, MINUTE_NS};
use schemas::Repair;
use schemas::api::RepairJson;
use store::{BarQuery, BarReader, TickStore};

use crate::json_response::json_response;
use crate::params::{Params, TIME, symbol, time, venue};
use crate::raw_object::{MemberFault, RawObject, Value};
use crate::submit::read_body;
use crate::{ApiState, ErrorCode, Problem};

/// The members of a request.
const NAMES: [&str; 4] = ["venue", "symbol", "start", "end"];

/// The longest range that one request may name.
const LONGEST_NS: i64 = 31 * DAY_NS;
/// How many hours that touches at most.
const MOST_HOURS: u32 = 31 * 24 + 1;

/// Which minutes are to be folded anew: those that start in `[start_ns, end_ns)`.
#[derive(Debug)]
struct RepairRequest {
    instrument: Instrument,
    start_ns: i64,
    end_ns: i64,
}

/// Takes a range of minutes to be folded anew; answers once the log holds it.
pub(crate) async fn post<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    request: Request,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    Params::read(request.uri(), &[])?;
    let mut room = state.intake().room();
    let body = read_body(request, &mut room, &state.clock).await?;
    let request = RepairRequest::read(&body)?;
    state
        .producer
        .settings_in_force(&request.instrument)
        .await?;
    let hours = hours(&state, &request).await?;
    let mut taken = RepairJson::default();
    let ranges = request.ranges(&hours, &mut taken);
    if !ranges.is_empty() {
        state.producer.repair(&request.instrument, &ranges).await?;
    }
    taken.records = ranges.len() as u64;
    Ok(json_response(StatusCode::ACCEPTED, &taken))
}

/// The hours that hold bars or ticks, each with whether it can still change.
async fn hours<L: Log, B: BarReader, T: TickStore, C: Clock>(
    state: &ApiState<L, B, T, C>,
    request: &RepairRequest,
) -> Result<BTreeMap<i64, bool>, Problem> {
    let partition = state.partition_of(&request.instrument);
    let progress = state.bars.progress().await?;
    let progress = progress.iter().find(|row| row.partition == partition);
    // Ages count from where the fold is in the log, not from what the clock says.
    let now_ns = progress.map_or(0, |row| row.append_time_ns);
    let start_ns = request.start_ns - request.start_ns.rem_euclid(HOUR_NS);
    let query = BarQuery {
        instrument: request.instrument.clone(),
        interval: Interval::H1,
        start_ns,
        end_ns: request.end_ns,
        limit: MOST_HOURS,
        newest: false,
    };
    let ticks = state
        .ticks
        .hours(&request.instrument, start_ns, request.end_ns)
        .await?;
    let mut hours: BTreeMap<_, _> = ticks.iter().map(|(hour_ns, _)| (*hour_ns, true)).collect();
    for row in state.bars.bar_range(&query).await? {
        let changes_until_ns = row.bar.first_append_ns.saturating_add(HORIZON_NS);
        hours.insert(row.window.start_ns, now_ns <= changes_until_ns);
    }
    Ok(hours)
}

impl RepairRequest {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let invalid = |detail: String| {
            let accepted = format!("a JSON object of {}", NAMES.join(", "));
            Problem::new(ErrorCode::InvalidBody, detail).accepted(accepted)
        };
        let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
        let object = RawObject::parse(text, &NAMES).map_err(|error| invalid(error.to_string()))?;
        match &object.fault {
            None => {}
            Some(MemberFault::Unknown(name)) => {
                let detail = format!("{name:?} is not a member of a repair");
                return Err(Problem::new(ErrorCode::UnknownParameter, detail)
                    .field(name.as_str())
                    .accepted(NAMES.join(", ")));
            }
            Some(MemberFault::Repeated(name)) => {
                let detail = format!("{name} is given twice");
                return Err(Problem::parameter(name, detail, "one value"));
            }
        }
        let instrument = Instrument::new(
            &venue(&text_of(&object, 0)?)?,
            &symbol(&text_of(&object, 1)?)?,
        );
        let (start_ns, end_ns) = (minute(&object, 2)?, minute(&object, 3)?);
        if start_ns >= end_ns {
            let detail = "end is not after start";
            return Err(Problem::parameter("end", detail, "an end after start"));
        }
        if end_ns - start_ns > LONGEST_NS {
            let days = LONGEST_NS / DAY_NS;
            let detail = format!("the range is longer than {days} days; ask for it in parts");
            return Err(Problem::parameter(
                "end",
                detail,
                format!("at most {days} days"),
            ));
        }
        Ok(Self {
            instrument,
            start_ns,
            end_ns,
        })
    }

    /// The minutes of those hours that can change, in runs of a day at most; `taken` counts.
    fn ranges(&self, hours: &BTreeMap<i64, bool>, taken: &mut RepairJson) -> Vec<Repair> {
        let mut ranges: Vec<Repair> = Vec::new();
        for (hour_ns, can_change) in hours {
            let start_ns = (*hour_ns).max(self.start_ns);
            let end_ns = hour_ns.saturating_add(HOUR_NS).min(self.end_ns);
            let minutes = ((end_ns - start_ns) / MINUTE_NS).unsigned_abs();
            if !can_change {
                taken.beyond_horizon += minutes;
                continue;
            }
            taken.minutes += minutes;
            match ranges.last_mut() {
                Some(last) if last.end_ns == start_ns && end_ns - last.start_ns <= DAY_NS => {
                    last.end_ns = end_ns;
                }
                _ => ranges.push(Repair { start_ns, end_ns }),
            }
        }
        ranges
    }
}

type Members<'a> = RawObject<'a, { NAMES.len() }>;

fn text_of(object: &Members<'_>, place: usize) -> Result<String, Problem> {
    let name = NAMES[place];
    match object.value(place) {
        Value::Text(text) | Value::Number(text) => Ok(text.into_owned()),
        Value::Null => Err(Problem::parameter(
            name,
            format!("{name} is missing"),
            NAMES.join(", "),
        )),
        _ => Err(Problem::parameter(
            name,
            format!("{name} is not a text"),
            "a text",
        )),
    }
}

fn minute(object: &Members<'_>, place: usize) -> Result<i64, Problem> {
    let name = NAMES[place];
    let text = text_of(object, place)?;
    let time_ns = time(&text).map_err(|detail| Problem::parameter(name, detail, TIME))?;
    if time_ns < 0 || time_ns % MINUTE_NS != 0 {
        let detail = format!("{name} is not a whole minute of the years from 1970 on");
        return Err(Problem::parameter(
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
            instrument: "v:S".parse().unwrap(),
            start_ns,
            end_ns,
        }
    }

    #[test]
    fn only_hours_that_hold_something_are_marked_a_day_at_most_at_once() {
        type Case = (i64, i64, BTreeMap<i64, bool>, Vec<(i64, i64)>);
        let hours = |list: &[i64]| list.iter().map(|hour| (hour * HOUR_NS, true)).collect();
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
            let mut taken = RepairJson::default();
            let ranges = request(minute(start), minute(end)).ranges(&hours, &mut taken);
            assert!(ranges.iter().all(|range| range.is_sound()));
            let found = ranges.iter().map(|range| (range.start_ns, range.end_ns));
            let expected: Vec<_> = expected
                .iter()
                .map(|(from, to)| (minute(*from), minute(*to)))
                .collect();
            assert_eq!(found.collect::<Vec<_>>(), expected);
            let minutes: i64 = expected
                .iter()
                .map(|(from, to)| (to - from) / MINUTE_NS)
                .sum();
            assert_eq!(taken.minutes, minutes.unsigned_abs());
        }
    }

    #[test]
    fn an_old_hour_is_left_out_and_counted() {
        let hours = BTreeMap::from([(0, true), (HOUR_NS, false), (2 * HOUR_NS, true)]);
        let mut taken = RepairJson::default();
        let ranges = request(0, 3 * HOUR_NS).ranges(&hours, &mut taken);
        assert_eq!(ranges.len(), 2);
        assert_eq!((taken.minutes, taken.beyond_horizon), (120, 60));
    }
}
