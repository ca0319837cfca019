//! `GET /api/v1/duplicates/{venue}/{symbol}`.

mod page;
mod request;
mod source;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use schemas::RecordPosition;
use schemas::api::{DuplicateJson, DuplicatePageJson};
use store::{DuplicateTick, TradeField};

use self::page::duplicate_page;
use self::request::ListDuplicatesRequest;
use self::source::DuplicatePageSource;
use crate::json_response::json_response;
use crate::params::{PathSegments, parse_instrument};
use crate::problem::Problem;
use crate::state::ApiState;
use crate::trades::trade_json;

/// Lists the later deliveries of trades, each with the first delivery and what differs, in order
/// of the event times of the later ones.
pub(crate) async fn list_duplicates<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let instrument = state.resolve_instrument(&parse_instrument(&path)?).await?;
    let partition = state.partition_of(&instrument);
    let request = ListDuplicatesRequest::read(&instrument, &uri, partition)?;
    let settings = state
        .producer
        .settings_declared_everywhere(&instrument.to_venue())
        .await?;
    let source = DuplicatePageSource::open(
        &state.bars,
        &state.ticks,
        &instrument,
        partition,
        settings.unwrap_or_default(),
    );
    let source = source.await?;
    let found = duplicate_page(&source, &request).await?;
    let page = DuplicatePageJson {
        data: found
            .duplicates
            .iter()
            .map(|duplicate| duplicate_json(duplicate, partition))
            .collect(),
        next_cursor: found
            .next
            .map(|next| request.cursor_codec.encode_cursor(&next)),
        complete_to: RecordPosition {
            partition,
            position: source.complete_to(),
        }
        .to_string(),
    };
    Ok(json_response(StatusCode::OK, &page))
}

fn duplicate_json(duplicate: &DuplicateTick, partition: u32) -> DuplicateJson {
    let comparison = duplicate.compare();
    let fields = comparison.differing_fields().iter();
    DuplicateJson {
        outcome: comparison.name().into(),
        differing_fields: fields
            .copied()
            .map(TradeField::name)
            .map(Into::into)
            .collect(),
        first: duplicate
            .first
            .as_ref()
            .map(|first| trade_json(first, partition)),
        later: trade_json(&duplicate.later, partition),
    }
}
