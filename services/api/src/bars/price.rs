//! `GET /api/v1/prices/{venue}/{symbol}`.

use std::cmp::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{BarRow, Decimal, Interval, format_time};
use schemas::api::PriceJson;
use store::{BarReader, NewestPrice, TickStore};

use super::source::BarSource;
use crate::json_response::json_response;
use crate::params::{END_OF_TIME_NS, Params, Segments, instrument};
use crate::{ApiState, ErrorCode, Problem};

/// Tells the price of the newest trade: the close of the newest minute that has one.
pub(crate) async fn newest<L, B, T, C>(
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
    Params::read(&uri, &[])?;
    let instrument = instrument(&path)?;
    let hot = state.hot.price(&instrument).await.unwrap_or_else(|error| {
        // It is there for speed alone: the bars know the same.
        tracing::debug!(%error, "no newest price from the hot store");
        None
    });
    let source = BarSource::minutes(&state.hub, &state.bars, &instrument);
    if let Some(hot) = hot
        && !source.live().iter().any(|row| supersedes(row, &hot))
    {
        return Ok(answer(hot.time_ns, hot.price, "hot"));
    }
    let Some(row) = source.last_before(END_OF_TIME_NS).await? else {
        let detail = format!("no trade of {} is known", instrument.key());
        return Err(Problem::new(ErrorCode::PriceUnknown, detail));
    };
    let close = &row.bar.close;
    Ok(answer(close.time_ns, close.price, "bars"))
}

/// Whether a minute of the live stream has a newer price, or says that this one is none any more,
/// as after a cancel.
fn supersedes(row: &BarRow, hot: &NewestPrice) -> bool {
    let minute = Interval::M1.window(hot.time_ns);
    match row.window.start_ns.cmp(&minute.start_ns) {
        Ordering::Less => false,
        Ordering::Equal => row.through > hot.through,
        Ordering::Greater => row.bar.trades > 0,
    }
}

fn answer(time_ns: i64, price: Decimal, source: &'static str) -> Response {
    let price = PriceJson {
        time: format_time(time_ns),
        price: price.to_string(),
        source: source.into(),
    };
    json_response(StatusCode::OK, &price)
}
