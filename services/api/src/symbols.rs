//! `GET /api/v1/symbols`.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use backend::Backend;
use market::{Instrument, Venue, format_time};
use schemas::api::{PageJson, SymbolJson};
use serde::{Deserialize, Serialize};
use store::{BarReader, SymbolQuery, SymbolRow};

use crate::cursor::{CursorCodec, CursorKind, CursorPosition};
use crate::json_response::json_response;
use crate::params::{QueryParams, parse_venue};
use crate::problem::Problem;
use crate::state::ApiState;

/// The position of a cursor: the key `venue:symbol` of the last symbol of a page.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct LastSymbolOfPage(String);

impl CursorPosition for LastSymbolOfPage {
    fn is_plausible(&self) -> bool {
        self.0.parse::<Instrument>().is_ok()
    }
}

/// Lists symbols in order of `venue:symbol`.
pub(crate) async fn list_symbols<B: Backend>(
    State(state): State<ApiState<B>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let params = QueryParams::read(&uri, &["venue", "limit", "cursor"])?;
    let limit = params.limit()?;
    let cursor_codec = CursorCodec::new(CursorKind::Symbols, "", &params);
    let after: Option<LastSymbolOfPage> = cursor_codec.cursor(&params)?;
    let venue = params.text("venue").map(parse_venue).transpose()?;
    let venue = match venue {
        Some(named) => Some(state.resolve_venue(&named).await?),
        None => None,
    };
    let query = SymbolQuery {
        venue,
        after: after.and_then(|last| last.0.parse().ok()),
        limit: limit + 1,
    };
    let mut rows = state.bars.symbols(&query).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| has_more);
    let mut data = Vec::with_capacity(rows.len());
    // The symbols of a venue follow one another.
    let mut named: Option<(Venue, String)> = None;
    for row in &rows {
        let venue = row.instrument.to_venue();
        let name = match named.take() {
            Some((same, name)) if same == venue => name,
            _ => state.public_venue_name(&venue).await?,
        };
        data.push(symbol_json(name.clone(), row));
        named = Some((venue, name));
    }
    let page = PageJson {
        next_cursor: last.map(|row| cursor_codec.encode_cursor(&row.instrument.key())),
        data,
    };
    Ok(json_response(StatusCode::OK, &page))
}

fn symbol_json(venue: String, row: &SymbolRow) -> SymbolJson {
    let closed = (row.closed_until_ns > 0).then_some(row.closed_until_ns);
    SymbolJson {
        venue,
        symbol: row.instrument.symbol().to_owned(),
        watermark: format_time(row.watermark_ns),
        last_append_time: format_time(row.last_append_ns),
        closed_until: closed.map(format_time),
    }
}
