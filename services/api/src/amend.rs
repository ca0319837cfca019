//! `PUT` and `DELETE /api/v1/trades/{venue}/{symbol}/{id}`.

mod identity;
mod target;
mod values;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{Amendment, AmendmentKind, Decimal, Trade};
use schemas::api::AmendmentJson;
use store::{BarReader, TickStore};

use self::target::Target;
use crate::json_response::json_response;
use crate::params::{Params, Segments, instrument};
use crate::raw_object::Value;
use crate::submit::{idempotency_key, read_body, scope_of};
use crate::{ApiState, Problem};

/// The segments of the path: venue, symbol, and what the trade is known by.
type TradePath = (String, String, String);

/// Takes new values of a trade; answers once the log holds them.
pub(crate) async fn edit<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<TradePath>,
    request: Request,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    Params::read(request.uri(), &[])?;
    let key = idempotency_key(request.headers())?;
    let mut room = state.intake().room();
    let body = read_body(request, &mut room, &state.clock).await?;
    let trade = values::read(&body, &path.2)?;
    take(&state, &path, AmendmentKind::Edit, trade, key).await
}

/// Takes the cancel of a trade; answers once the log holds it.
pub(crate) async fn cancel<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<TradePath>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    let params = Params::read(&uri, &["time", "scope"])?;
    let time_ns = params.required_time("time")?;
    let scope = params
        .text("scope")
        .map_or(Value::Null, |text| Value::Text(text.into()));
    let scope = scope_of(&scope).map_err(values::problem)?;
    // Of a cancel the values mean nothing.
    let trade = Trade {
        time_ns,
        price: Decimal::ZERO,
        quantity: None,
        side: None,
        id: None,
        scope,
        sender: None,
    };
    let key = idempotency_key(&headers)?;
    take(&state, &path, AmendmentKind::Cancel, trade, key).await
}

async fn take<L, B, T, C>(
    state: &ApiState<L, B, T, C>,
    path: &TradePath,
    kind: AmendmentKind,
    mut trade: Trade,
    key: Option<[u8; 16]>,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    let (venue, symbol, name) = path;
    let instrument = instrument(&(venue.clone(), symbol.clone()))?;
    let settings = state.producer.settings_in_force(&instrument).await?;
    let target = target::find(state, &instrument, &settings, name, trade.time_ns).await?;
    let amended = match target {
        Target::Id(id) => {
            trade.id = Some(id);
            None
        }
        Target::Place(place) => {
            trade.id = None;
            Some(place)
        }
    };
    let amendment = Amendment {
        id: identity::of(key, kind, name, trade.scope.as_deref())?,
        kind,
        place: amended,
    };
    let id = amendment.id.to_string();
    let placed = state.producer.amend(&instrument, amendment, trade).await?;
    let amended = AmendmentJson {
        amendment: id,
        position: placed.to_string(),
    };
    Ok(json_response(StatusCode::ACCEPTED, &amended))
}
