//! Venues, their settings, and the gaps between their ids.

mod gaps;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{IdScheme, Venue};
use schemas::api::{PageJson, VenueSettingsJson};
use store::{BarReader, TickStore};

use self::gaps::GapRequest;
use crate::json_response::json_response;
use crate::params::{Params, Segments, venue};
use crate::settings_json;
use crate::submit::read_body;
use crate::{ApiState, ErrorCode, Problem};

/// `GET /api/v1/venues`: every venue that was declared, as the fold knows it.
pub(crate) async fn list<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let rows = state.bars.venues().await?;
    let to_json = |row: &store::VenueRow| VenueSettingsJson::new(&row.venue, &row.settings);
    let page = PageJson {
        data: rows.iter().map(to_json).collect(),
        next_cursor: None,
    };
    Ok(json_response(StatusCode::OK, &page))
}

/// `GET /api/v1/venues/{venue}/settings`.
pub(crate) async fn settings<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    Params::read(&uri, &[])?;
    let venue = venue(&path)?;
    let settings = state.producer.settings(&venue).await?;
    let settings = settings.ok_or_else(|| unknown(&venue))?;
    Ok(json_response(
        StatusCode::OK,
        &VenueSettingsJson::new(&venue, &settings),
    ))
}

/// `PUT /api/v1/venues/{venue}/settings`: done when every partition of the log has them.
pub(crate) async fn declare<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    Params::read(request.uri(), &[])?;
    let venue = venue(&path)?;
    let mut room = state.intake().room();
    let body: Bytes = read_body(request, &mut room, &state.clock).await?;
    let present = state.producer.settings(&venue).await?.unwrap_or_default();
    let settings = settings_json::read(&body, present)?;
    let settings = state.producer.declare(&venue, settings).await?;
    Ok(json_response(
        StatusCode::OK,
        &VenueSettingsJson::new(&venue, &settings),
    ))
}

/// `GET /api/v1/venues/{venue}/gaps`: the numbers that are missing between ids.
pub(crate) async fn gaps<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = GapRequest::read(venue(&path)?, &uri)?;
    let settings = state.producer.settings(&request.venue).await?;
    let settings = settings.ok_or_else(|| unknown(&request.venue))?;
    if settings.scheme != IdScheme::Contiguous {
        let detail = format!(
            "{}'s ids are declared {}: a missing one cannot be known",
            request.venue, settings.scheme
        );
        return Err(Problem::new(ErrorCode::GapsNotTracked, detail)
            .field("venue")
            .accepted("a venue of id_scheme contiguous"));
    }
    let page = gaps::page(&state.bars, &request).await?;
    Ok(json_response(StatusCode::OK, &page))
}

fn unknown(venue: &Venue) -> Problem {
    let detail = format!("{venue} has not been declared, and no trade of it was sent");
    Problem::new(ErrorCode::VenueUnknown, detail)
        .field("venue")
        .accepted("what /api/v1/venues lists")
}
