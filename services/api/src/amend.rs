//! `PUT` and `DELETE /api/v1/trades/{venue}/{symbol}/{id}`.

mod identity;
mod target;
mod values;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use market::{Amendment, AmendmentKind, Decimal, Trade};
use schemas::api::AmendmentResponseJson;

use self::identity::new_amendment_id;
use self::target::{AmendedTradeIdentifier, resolve_amended_trade_identifier};
use self::values::{parse_edited_trade, problem_of_fault};
use crate::body::read_body;
use crate::json_response::json_response;
use crate::params::{PathSegments, QueryParams, parse_instrument};
use crate::problem::Problem;
use crate::raw_object::UnparsedValue;
use crate::state::ApiState;
use crate::submit::{IdempotencyKey, parse_scope};

/// The segments of the path: venue, symbol, and the trade's id or position.
type TradePathSegments = (String, String, String);

/// Appends new values of a trade. Responds once the log holds them.
pub(crate) async fn edit_trade<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<TradePathSegments>,
    request: Request,
) -> Result<Response, Problem> {
    QueryParams::read(request.uri(), &[])?;
    let key = IdempotencyKey::from_headers(request.headers())?;
    let mut permit = state.body_budget().empty_permit();
    let body = read_body(request, &mut permit, &state.clock).await?;
    let trade = parse_edited_trade(&body, &path.2)?;
    let key_digest = key.map(|key| key.digest_with_body(&body));
    append_amendment(&state, &path, AmendmentKind::Edit, trade, key_digest).await
}

/// Appends the cancel of a trade. Responds once the log holds it.
pub(crate) async fn cancel_trade<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<TradePathSegments>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = QueryParams::read(&uri, &["time", "scope"])?;
    let time_ns = params.required_event_time("time")?;
    let scope = params
        .text("scope")
        .map_or(UnparsedValue::Null, |text| UnparsedValue::Text(text.into()));
    let scope = parse_scope(&scope).map_err(problem_of_fault)?;
    // A cancel has no values; those of the record are ignored.
    let trade = Trade {
        time_ns,
        price: Decimal::ZERO,
        quantity: None,
        side: None,
        id: None,
        scope,
        sender: None,
    };
    let key = IdempotencyKey::from_headers(&headers)?;
    let key_digest = key.map(|key| key.digest_with_body(&[]));
    append_amendment(&state, &path, AmendmentKind::Cancel, trade, key_digest).await
}

async fn append_amendment<B: Backend>(
    state: &ApiState<B>,
    path: &TradePathSegments,
    kind: AmendmentKind,
    mut trade: Trade,
    key_digest: Option<[u8; 16]>,
) -> Result<Response, Problem> {
    let (venue, symbol, trade_name) = path;
    let named = parse_instrument(&(venue.clone(), symbol.clone()))?;
    let instrument = state.resolve_instrument(&named).await?;
    let settings = state
        .producer
        .require_settings_completing_declaration(&instrument.to_venue())
        .await?;
    let target =
        resolve_amended_trade_identifier(state, &instrument, &settings, trade_name, trade.time_ns)
            .await?;
    let target_position = match target {
        AmendedTradeIdentifier::Id(id) => {
            trade.id = Some(id);
            None
        }
        AmendedTradeIdentifier::Position(position) => {
            trade.id = None;
            Some(position)
        }
    };
    let amendment = Amendment {
        id: new_amendment_id(key_digest, kind, trade_name, trade.scope.as_deref())?,
        kind,
        target_position,
    };
    let id = amendment.id.to_string();
    let position = state
        .producer
        .append_amendment(&instrument, amendment, trade)
        .await?;
    let accepted = AmendmentResponseJson {
        amendment: id,
        position: position.to_string(),
    };
    Ok(json_response(StatusCode::ACCEPTED, &accepted))
}
