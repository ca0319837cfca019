//! `POST /api/v1/repairs`.

mod request;

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use backend::Backend;
use market::{HORIZON_NS, HOUR_NS, Instrument, Interval};
use schemas::api::RepairResponseJson;
use store::{BarQuery, BarReader, TickStore};

use self::request::{HourChangeability, MAX_HOURS, RepairRequest};
use crate::body::read_body;
use crate::json_response::json_response;
use crate::params::QueryParams;
use crate::problem::Problem;
use crate::state::ApiState;

/// Marks a range of minutes for refolding. Responds once the log holds the repairs.
pub(crate) async fn post_repair<B: Backend>(
    State(state): State<ApiState<B>>,
    request: Request,
) -> Result<Response, Problem> {
    QueryParams::read(request.uri(), &[])?;
    let mut permit = state.body_budget().empty_permit();
    let body = read_body(request, &mut permit, &state.clock).await?;
    let request = RepairRequest::read(&body)?;
    let instrument = state.resolve_instrument(&request.instrument).await?;
    state
        .producer
        .require_settings_completing_declaration(&instrument.to_venue())
        .await?;
    let hours = load_changeability_of_hours(&state, &instrument, &request).await?;
    let mut response = RepairResponseJson::default();
    let repairs = request.split_into_repairs(&hours, &mut response);
    if !repairs.is_empty() {
        state.producer.append_repairs(&instrument, &repairs).await?;
    }
    response.records = repairs.len() as u64;
    Ok(json_response(StatusCode::ACCEPTED, &response))
}

/// Loads the hours that hold bars or ticks, each with whether it can still change.
async fn load_changeability_of_hours<B: Backend>(
    state: &ApiState<B>,
    instrument: &Instrument,
    request: &RepairRequest,
) -> Result<BTreeMap<i64, HourChangeability>, Problem> {
    let partition = state.partition_of(instrument);
    let progress = state.bars.all_partition_progress().await?;
    let progress = progress.iter().find(|row| row.partition == partition);
    // The age of an hour is relative to the fold's time, which is the log's append time, and not to
    // the clock.
    let now_ns = progress.map_or(0, |row| row.append_time_ns);
    let start_ns = request.start_ns - request.start_ns.rem_euclid(HOUR_NS);
    let query = BarQuery {
        instrument: instrument.clone(),
        interval: Interval::H1,
        start_ns,
        end_ns: request.end_ns,
        limit: MAX_HOURS,
        keep_newest: false,
    };
    let ticks = state
        .ticks
        .hours_with_tick_count_upper_bounds(instrument, start_ns, request.end_ns)
        .await?;
    let mut hours: BTreeMap<_, _> = ticks
        .iter()
        .map(|(hour_ns, _)| (*hour_ns, HourChangeability::Changeable))
        .collect();
    for row in state.bars.bar_range(&query).await? {
        let is_changeable = row
            .bar
            .first_trade_append_ns()
            .is_none_or(|append_ns| now_ns <= append_ns.saturating_add(HORIZON_NS));
        let state = match is_changeable {
            true => HourChangeability::Changeable,
            false => HourChangeability::BeyondHorizon,
        };
        hours.insert(row.window.start_ns, state);
    }
    Ok(hours)
}
