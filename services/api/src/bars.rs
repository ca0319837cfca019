//! `GET /api/v1/bars/{venue}/{symbol}`.

mod days;
mod fill;
mod page;
mod periods;
mod price;
mod source;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{BarRow, DayStart, Instrument, Interval};
use schemas::api::{BarJson, PageJson};
use store::{BarReader, TickStore};

use self::periods::{Period, Periods};
pub(crate) use self::price::newest as newest_price;
use self::source::BarSource;
use crate::cursor::{self, Listed};
use crate::json_response::json_response;
use crate::params::{Params, Segments, instrument};
use crate::{ApiState, Problem};

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

/// Which bars are asked for: those whose period starts in `[start_ns, end_ns)`.
struct BarRequest {
    instrument: Instrument,
    periods: Periods,
    /// Where it is not given, the newest bars are meant.
    start_ns: Option<i64>,
    end_ns: Option<i64>,
    limit: usize,
    fill: bool,
}

/// A bar of a page.
#[expect(clippy::large_enum_variant, reason = "most have trades")]
enum Candle {
    /// With trades.
    Traded { row: BarRow, end_ns: i64 },
    /// Without any: at the prior close.
    Flat {
        period: Period,
        price: String,
        closed: bool,
    },
}

/// A page of candles, and the start of the next page's first.
#[derive(Default)]
struct Candles {
    list: Vec<Candle>,
    next_ns: Option<i64>,
}

/// Lists bars, the forming one included, ascending.
pub(crate) async fn list<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    let request = BarRequest::read(&path, &uri)?;
    // The hub first: a bar that leaves it in between is in the store by then.
    let source = BarSource::open(&state.hub, &state.bars, &request);
    let candles = match request.fill {
        true => fill::page(&source, &request, state.clock.now_ns()).await?,
        false => page::page(&source, &request).await?,
    };
    let partition = state.partition_of(&request.instrument);
    let to_json = |candle: &Candle| candle.to_json(partition);
    let page = PageJson {
        data: candles.list.iter().map(to_json).collect(),
        next_cursor: candles
            .next_ns
            .map(|start_ns| cursor::encode(Listed::Bars, &start_ns)),
    };
    Ok(json_response(StatusCode::OK, &page))
}

impl BarRequest {
    fn read(path: &(String, String), uri: &Uri) -> Result<Self, Problem> {
        let params = Params::read(uri, PARAMETERS)?;
        let (start_ns, end_ns) = params.range()?;
        let start_ns = match params.text("cursor") {
            Some(text) => Some(cursor::decode(Listed::Bars, text)?),
            None => start_ns,
        };
        let fill = match params.text("fill") {
            None => false,
            Some("flat") => true,
            Some(_) => {
                let detail = "fill is not a way to fill empty windows";
                return Err(Problem::parameter("fill", detail, "flat"));
            }
        };
        Ok(Self {
            instrument: instrument(path)?,
            periods: read_periods(&params)?,
            start_ns,
            end_ns,
            limit: params.limit()? as usize,
            fill,
        })
    }
}

fn read_periods(params: &Params) -> Result<Periods, Problem> {
    let accepted = "one of 1m, 5m, 15m, 30m, 1h, 4h, 1d";
    let interval = params.parsed("interval", accepted)?;
    let interval = interval.unwrap_or(Interval::M1);
    let (day_start, zone) = (params.text("day_start"), params.text("zone"));
    if day_start.is_none() && zone.is_none() {
        return Ok(Periods::Windows(interval));
    }
    if interval != Interval::D1 {
        let detail = "day_start and zone say where days begin";
        return Err(Problem::parameter(
            "interval",
            detail,
            "interval=1d with them",
        ));
    }
    let days = DayStart::new(day_start.unwrap_or("00:00"), zone.unwrap_or("UTC"))?;
    Ok(Periods::Days(days))
}

impl Candle {
    fn start_ns(&self) -> i64 {
        match self {
            Self::Traded { row, .. } => row.window.start_ns,
            Self::Flat { period, .. } => period.start_ns,
        }
    }

    fn to_json(&self, partition: u32) -> BarJson {
        match self {
            Self::Traded { row, end_ns } => BarJson::from_row_ending_at(row, *end_ns, partition),
            Self::Flat {
                period,
                price,
                closed,
            } => BarJson::flat(period.start_ns, period.end_ns, price, *closed),
        }
    }
}
