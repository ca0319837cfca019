//! The parameters of a request for bars.

use axum::http::Uri;
use market::{DayStart, Instrument, Interval};
use serde::{Deserialize, Serialize};

use super::periods::PeriodSequence;
use crate::cursor::{CursorCodec, CursorKind, CursorPosition};
use crate::params::{END_OF_TIME_NS, QueryParams};
use crate::problem::Problem;

const PARAMETERS: &[&str] = &[
    "interval",
    "start",
    "end",
    "limit",
    "cursor",
    "day_start",
    "zone",
    "fill",
];

/// The position of a cursor: where the first bar of the next page may start, in UTC nanoseconds.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct NextBarStart(pub(super) i64);

impl CursorPosition for NextBarStart {
    fn is_plausible(&self) -> bool {
        (0..=END_OF_TIME_NS).contains(&self.0)
    }
}

/// A request for the bars whose period starts in `[start_ns, end_ns)`.
pub(super) struct ListBarsRequest {
    pub(super) instrument: Instrument,
    /// Encodes and decodes the cursors of the query.
    pub(super) cursor_codec: CursorCodec,
    pub(super) periods: PeriodSequence,
    /// `None` requests the newest bars.
    pub(super) start_ns: Option<i64>,
    pub(super) end_ns: Option<i64>,
    pub(super) limit: usize,
    /// Whether periods without trades are filled in.
    pub(super) fill: bool,
}

impl ListBarsRequest {
    /// Reads the query of a request for bars of an instrument.
    ///
    /// # Errors
    /// A [`Problem`] that names the parameter at fault.
    pub(super) fn read(instrument: Instrument, uri: &Uri) -> Result<Self, Problem> {
        let params = QueryParams::read(uri, PARAMETERS)?;
        let (start_ns, end_ns) = params.start_and_end()?;
        let cursor_codec = CursorCodec::new(CursorKind::Bars, instrument.key(), &params);
        let next: Option<NextBarStart> = cursor_codec.cursor(&params)?;
        let fill = match params.text("fill") {
            None => false,
            Some("flat") => true,
            Some(_) => {
                let detail = "fill is not a way to fill empty windows";
                return Err(Problem::invalid_parameter("fill", detail, "flat"));
            }
        };
        Ok(Self {
            instrument,
            cursor_codec,
            periods: read_periods(&params)?,
            start_ns: next.map(|next| next.0).or(start_ns),
            end_ns,
            limit: params.limit()? as usize,
            fill,
        })
    }
}

fn read_periods(params: &QueryParams) -> Result<PeriodSequence, Problem> {
    let accepted = "one of 1m, 5m, 15m, 30m, 1h, 4h, 1d";
    let interval = params.parsed("interval", accepted)?;
    let interval = interval.unwrap_or(Interval::M1);
    let (day_start, zone) = (params.text("day_start"), params.text("zone"));
    if day_start.is_none() && zone.is_none() {
        return Ok(PeriodSequence::Windows(interval));
    }
    if interval != Interval::D1 {
        let detail = "day_start and zone say where days begin";
        return Err(Problem::invalid_parameter(
            "interval",
            detail,
            "interval=1d with them",
        ));
    }
    let days = DayStart::new(day_start.unwrap_or("00:00"), zone.unwrap_or("UTC"))?;
    Ok(PeriodSequence::Days(days))
}
