//! `GET /api/v1/bars/{venue}/{symbol}`.

mod bar_page;
mod days;
mod fill;
mod page;
mod periods;
mod price;
mod request;
mod source;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use clock::Clock;
use schemas::api::PageJson;

pub(crate) use self::price::newest_price;

use self::request::ListBarsRequest;
use self::source::LiveAndStoredBars;
use crate::json_response::json_response;
use crate::params::{PathSegments, parse_instrument};
use crate::problem::Problem;
use crate::state::ApiState;

/// Lists bars, the forming one included, in order of their starts.
pub(crate) async fn list_bars<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let instrument = state.resolve_instrument(&parse_instrument(&path)?).await?;
    let request = ListBarsRequest::read(instrument, &uri)?;
    // The hub is read before the store: a bar that leaves the hub in between is in the store by
    // then.
    let source = LiveAndStoredBars::open(&state.hub, &state.bars, &request);
    let bar_page = match request.fill {
        true => fill::gap_filled_page(&source, &request, state.clock.now_ns()).await?,
        false => page::traded_page(&source, &request).await?,
    };
    let partition = state.partition_of(&request.instrument);
    let page = PageJson {
        data: bar_page
            .list
            .iter()
            .map(|candle| candle.to_json(partition))
            .collect(),
        next_cursor: bar_page
            .next_ns
            .map(|start_ns| request.cursor_codec.encode_cursor(&start_ns)),
    };
    Ok(json_response(StatusCode::OK, &page))
}
