//! `GET /api/v1/trades/{venue}/{symbol}`.

mod page;
mod request;
mod slices;
mod source;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use market::format_time;
use schemas::RecordPosition;
use schemas::api::{PageJson, TradeJson};
use store::Tick;

use self::page::trade_page;
use self::request::{LastTradeOfPage, ListTradesRequest};
pub(crate) use self::slices::TimeSlices;
use self::source::FoldedTradeReader;
use crate::json_response::json_response;
use crate::params::{PathSegments, parse_instrument};
use crate::problem::Problem;
use crate::state::ApiState;

/// Lists the trades from which bars are folded, in order of their times.
pub(crate) async fn list_trades<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let instrument = state.resolve_instrument(&parse_instrument(&path)?).await?;
    let request = ListTradesRequest::read(&instrument, &uri)?;
    let partition = state.partition_of(&instrument);
    let settings = state
        .producer
        .settings_declared_everywhere(&instrument.to_venue())
        .await?;
    let source = FoldedTradeReader::open(
        &state.bars,
        &state.ticks,
        instrument,
        partition,
        settings.unwrap_or_default(),
    );
    let found = trade_page(&source.await?, &request).await?;
    let last = found.ticks.last().filter(|_| found.has_more);
    let page = PageJson {
        next_cursor: last.map(|tick| {
            request
                .cursor_codec
                .encode_cursor(&LastTradeOfPage::from_tick(tick))
        }),
        data: found
            .ticks
            .iter()
            .map(|tick| trade_json(tick, partition))
            .collect(),
    };
    Ok(json_response(StatusCode::OK, &page))
}

/// Returns the trade of a tick.
pub(crate) fn trade_json(tick: &Tick, partition: u32) -> TradeJson {
    let trade = &tick.trade;
    let position = RecordPosition {
        partition,
        position: tick.position,
    }
    .to_string();
    TradeJson {
        id: match &trade.id {
            Some(id) => id.to_string(),
            None => position.clone(),
        },
        time: format_time(trade.time_ns),
        price: trade.price.to_string(),
        quantity: trade.quantity.map(|quantity| quantity.to_string()),
        side: trade.side.map(|side| side.name().into()),
        scope: trade.scope.as_deref().map(ToOwned::to_owned),
        position,
        append_time: format_time(tick.append_time_ns),
    }
}
