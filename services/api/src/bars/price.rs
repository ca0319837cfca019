//! `GET /api/v1/prices/{venue}/{symbol}`.

use std::cmp::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use market::{BarRow, Decimal, Interval, format_time};
use schemas::api::PriceJson;
use store::{NewestPrice, NewestPriceStore};

use super::source::LiveAndStoredBars;
use crate::json_response::json_response;
use crate::params::{END_OF_TIME_NS, PathSegments, QueryParams, parse_instrument};
use crate::problem::{ErrorCode, Problem};
use crate::state::ApiState;

/// Returns the price of the newest trade: the close of the newest minute that has one.
pub(crate) async fn newest_price<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    QueryParams::read(&uri, &[])?;
    let instrument = state.resolve_instrument(&parse_instrument(&path)?).await?;
    let hot = state
        .hot
        .newest_price(&instrument)
        .await
        .unwrap_or_else(|error| {
            // The hot store only saves time: the bars have the same price.
            tracing::debug!(%error, "no newest price from the hot store");
            None
        });
    let partition = state.partition_of(&instrument);
    let source = LiveAndStoredBars::open_minutes_only(&state.hub, &state.bars, &instrument);
    if let Some(hot) = hot
        && let Some(price) = hot.price
        && !state.hub.is_beyond_epoch_end(partition, hot.through)
        && !source
            .live_bars()
            .iter()
            .any(|row| supersedes_hot_price(row, &hot))
    {
        return Ok(price_response(hot.time_ns, price, "hot"));
    }
    let Some(row) = source.last_traded_minute_before(END_OF_TIME_NS).await? else {
        let detail = format!("no trade of {} is known", instrument.key());
        return Err(Problem::new(ErrorCode::PriceUnknown, detail));
    };
    let close = &row.bar.close;
    Ok(price_response(close.time_ns, close.price, "bars"))
}

/// Returns whether a live minute has a newer price than the hot store, or shows that the hot price
/// no longer counts, as after a cancel.
fn supersedes_hot_price(row: &BarRow, hot: &NewestPrice) -> bool {
    let minute = Interval::M1.window_containing(hot.time_ns);
    match row.window.start_ns.cmp(&minute.start_ns) {
        Ordering::Less => false,
        Ordering::Equal => row.through > hot.through,
        Ordering::Greater => row.bar.trades > 0,
    }
}

fn price_response(time_ns: i64, price: Decimal, source: &'static str) -> Response {
    let price = PriceJson {
        time: format_time(time_ns),
        price: price.to_string(),
        source: source.into(),
    };
    json_response(StatusCode::OK, &price)
}
