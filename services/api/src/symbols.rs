//! `GET /api/v1/symbols`.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::format_time;
use schemas::api::{PageJson, SymbolJson};
use store::{BarReader, SymbolQuery, SymbolRow, TickStore};

use crate::cursor::{self, Listed};
use crate::json_response::json_response;
use crate::params::{Params, venue};
use crate::{ApiState, Problem};

/// Lists symbols in order of `venue:symbol`.
pub(crate) async fn list<L: Log, B: BarReader, T: TickStore, C: Clock>(
    State(state): State<ApiState<L, B, T, C>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let params = Params::read(&uri, &["venue", "limit", "cursor"])?;
    let limit = params.limit()?;
    let after = params.text("cursor");
    let after = after.map(|text| cursor::decode(Listed::Symbols, text));
    let query = SymbolQuery {
        venue: params.text("venue").map(venue).transpose()?,
        after: after.transpose()?,
        limit: limit + 1,
    };
    let mut rows = state.bars.symbols(&query).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| has_more);
    let page = PageJson {
        next_cursor: last.map(|row| cursor::encode(Listed::Symbols, &row.instrument.key())),
        data: rows.iter().map(symbol_json).collect(),
    };
    Ok(json_response(StatusCode::OK, &page))
}

fn symbol_json(row: &SymbolRow) -> SymbolJson {
    let closed = (row.closed_until_ns > 0).then_some(row.closed_until_ns);
    SymbolJson {
        venue: row.instrument.venue().to_owned(),
        symbol: row.instrument.symbol().to_owned(),
        watermark: format_time(row.watermark_ns),
        last_append_time: format_time(row.last_append_ns),
        closed_until: closed.map(format_time),
    }
}
