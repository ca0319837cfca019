//! Venues, their settings, and the gaps between their ids.

mod gaps;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use market::{IdScheme, Venue};
use schemas::api::{PageJson, RetirementResponseJson, VenueSettingsJson};
use store::BarReader;

use self::gaps::{ListVenueGapsRequest, venue_gaps_page};
use crate::body::read_body;
use crate::json_response::json_response;
use crate::params::{PathSegments, QueryParams, parse_venue};
use crate::problem::{ErrorCode, Problem};
use crate::settings_json::{parse_generation, parse_settings_change};
use crate::state::ApiState;

/// `GET /api/v1/venues`: every venue whose declaration was folded.
pub(crate) async fn list_venues<B: Backend>(
    State(state): State<ApiState<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    QueryParams::read(&uri, &[])?;
    let rows = state.bars.venues().await?;
    let to_json = |row: &store::VenueRow| VenueSettingsJson::new(&row.venue, &row.settings);
    let page = PageJson {
        data: rows.iter().map(to_json).collect(),
        next_cursor: None,
    };
    Ok(json_response(StatusCode::OK, &page))
}

/// `GET /api/v1/venues/{venue}/settings`.
pub(crate) async fn get_venue_settings<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    QueryParams::read(&uri, &[])?;
    let venue = state.resolve_venue(&parse_venue(&path)?).await?;
    let settings = state.producer.settings_declared_everywhere(&venue).await?;
    let settings = settings.ok_or_else(|| unknown_venue_problem(&venue))?;
    Ok(json_response(
        StatusCode::OK,
        &VenueSettingsJson::new(&venue, &settings),
    ))
}

/// `PUT /api/v1/venues/{venue}/settings`. Responds once every partition of the log holds the
/// settings.
pub(crate) async fn put_venue_settings<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<String>,
    request: Request,
) -> Result<Response, Problem> {
    QueryParams::read(request.uri(), &[])?;
    let named = parse_venue(&path)?;
    let mut permit = state.body_budget().empty_permit();
    let body: Bytes = read_body(request, &mut permit, &state.clock).await?;
    let change = parse_settings_change(&body)?;
    let venue = state.resolve_venue(&named).await?;
    if !named.means_generation_in_use() {
        let in_use = state.producer.venue_in_use(&venue).await?;
        if venue.generation() > in_use.generation() {
            return Err(unknown_venue_problem(&venue));
        }
    }
    let settings = state.producer.declare(&venue, change).await?;
    Ok(json_response(
        StatusCode::OK,
        &VenueSettingsJson::new(&venue, &settings),
    ))
}

/// `POST /api/v1/venues/{venue}/retire`: ends a generation of a venue's name. Responds once every
/// partition of the log holds that.
pub(crate) async fn retire_venue<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<String>,
    request: Request,
) -> Result<Response, Problem> {
    QueryParams::read(request.uri(), &[])?;
    let named = parse_venue(&path)?;
    if !named.means_generation_in_use() {
        let detail = "the generation to retire is a member of the body";
        return Err(Problem::invalid_parameter(
            "venue",
            detail,
            "the name alone",
        ));
    }
    let mut permit = state.body_budget().empty_permit();
    let body: Bytes = read_body(request, &mut permit, &state.clock).await?;
    let generation = parse_generation(&body)?;
    let next = state
        .producer
        .retire_and_return_next_generation(named.named_or_first_generation(), generation)
        .await?;
    let json = RetirementResponseJson {
        retired: format!("{}@{generation}", next.base_name()),
        venue: next.base_name().to_owned(),
        generation: next.generation(),
    };
    Ok(json_response(StatusCode::OK, &json))
}

/// `GET /api/v1/venues/{venue}/gaps`: the numbers that are missing between the venue's ids.
pub(crate) async fn list_venue_gaps<B: Backend>(
    State(state): State<ApiState<B>>,
    PathSegments(path): PathSegments<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let venue = state.resolve_venue(&parse_venue(&path)?).await?;
    let request = ListVenueGapsRequest::read(venue, &uri)?;
    let settings = state
        .producer
        .settings_declared_everywhere(&request.venue)
        .await?;
    let settings = settings.ok_or_else(|| unknown_venue_problem(&request.venue))?;
    if settings.scheme != IdScheme::Contiguous {
        let detail = format!(
            "{}'s ids are declared {}: a missing one cannot be known",
            request.venue, settings.scheme
        );
        return Err(Problem::new(ErrorCode::GapsNotTracked, detail)
            .with_field("venue")
            .with_accepted("a venue of id_scheme contiguous"));
    }
    let page = venue_gaps_page(&state.bars, &request).await?;
    Ok(json_response(StatusCode::OK, &page))
}

fn unknown_venue_problem(venue: &Venue) -> Problem {
    let detail = format!("{venue} has not been declared, and no trade of it was sent");
    Problem::new(ErrorCode::VenueUnknown, detail)
        .with_field("venue")
        .with_accepted("what /api/v1/venues lists")
}
