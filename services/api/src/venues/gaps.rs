//! The numbers that are missing between the ids of a venue.

use axum::http::Uri;
use market::{Instrument, Symbol, Venue, format_time};
use schemas::api::{IdGapJson, PageJson};
use serde::{Deserialize, Serialize};
use store::{BarReader, IdRanges, IdRangesQuery, IdSetKey, StoreError};

use crate::cursor::{CursorCodec, CursorKind, CursorPosition};
use crate::params::{QueryParams, parse_symbol};
use crate::problem::Problem;

/// How many id sets are read at once.
const SETS_PER_READ: u32 = 256;

/// The longest scope of a set of ids: a sender's is longer than any of a venue.
const MAX_SET_SCOPE_BYTES: usize = 128;

/// A request for the gaps of a venue.
pub(super) struct ListVenueGapsRequest {
    pub(super) venue: Venue,
    /// Encodes and decodes the cursors of the query.
    cursor_codec: CursorCodec,
    symbol: Option<Symbol>,
    limit: usize,
    cursor: GapCursor,
}

/// The key of an id set without its venue: symbol, scope, bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CursorIdSetKey(String, String, i64);

/// Where a page ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct GapCursor {
    /// The last id set all of whose gaps were listed.
    finished_set: Option<CursorIdSetKey>,
    /// The last listed gap: its id set and its first number.
    last_gap: Option<(CursorIdSetKey, u64)>,
}

impl CursorPosition for GapCursor {
    fn is_plausible(&self) -> bool {
        let last_set = self.last_gap.as_ref().map(|(set, _)| set);
        let mut sets = self.finished_set.iter().chain(last_set);
        sets.all(CursorIdSetKey::is_plausible)
    }
}

impl ListVenueGapsRequest {
    pub(super) fn read(venue: Venue, uri: &Uri) -> Result<Self, Problem> {
        let params = QueryParams::read(uri, &["symbol", "limit", "cursor"])?;
        let cursor_codec = CursorCodec::new(CursorKind::Gaps, venue.as_str(), &params);
        let cursor: GapCursor = cursor_codec.cursor(&params)?.unwrap_or_default();
        Ok(Self {
            venue,
            cursor_codec,
            symbol: params.text("symbol").map(parse_symbol).transpose()?,
            limit: params.limit()? as usize,
            cursor,
        })
    }
}

/// Returns one page of gaps, in order of symbol, scope, bucket and number.
pub(super) async fn venue_gaps_page<R: BarReader>(
    bars: &R,
    request: &ListVenueGapsRequest,
) -> Result<PageJson<IdGapJson>, StoreError> {
    let mut cursor = request.cursor.clone();
    let mut data = Vec::new();
    loop {
        let query = IdRangesQuery {
            venue: request.venue.clone(),
            symbol: request.symbol.clone(),
            after: cursor
                .finished_set
                .as_ref()
                .map(|key| key.to_id_set_key(&request.venue)),
            limit: SETS_PER_READ,
        };
        let sets = bars.id_ranges(&query).await?;
        for (key, ranges) in &sets {
            let set_key = CursorIdSetKey::from_id_set_key(key);
            for (first, last) in gaps_between(ranges) {
                let is_listed =
                    |(set, listed): &(CursorIdSetKey, u64)| *set == set_key && first <= *listed;
                if cursor.last_gap.as_ref().is_some_and(is_listed) {
                    continue;
                }
                if data.len() == request.limit {
                    let next_cursor = Some(request.cursor_codec.encode_cursor(&cursor));
                    return Ok(PageJson { data, next_cursor });
                }
                data.push(gap_json(key, first, last));
                cursor.last_gap = Some((set_key.clone(), first));
            }
            cursor.finished_set = Some(set_key);
        }
        if sets.len() < SETS_PER_READ as usize {
            return Ok(PageJson {
                data,
                next_cursor: None,
            });
        }
    }
}

/// Returns the gaps between ranges that neither overlap nor touch.
fn gaps_between(ranges: &IdRanges) -> impl Iterator<Item = (u64, u64)> {
    ranges
        .windows(2)
        .map(|pair| (pair[0].1.saturating_add(1), pair[1].0.saturating_sub(1)))
}

fn gap_json(key: &IdSetKey, first: u64, last: u64) -> IdGapJson {
    let day = (key.bucket_ns >= 0).then(|| format_time(key.bucket_ns));
    IdGapJson {
        symbol: key.instrument.symbol().to_owned(),
        scope: (!key.scope.is_empty()).then(|| key.scope.as_ref().to_owned()),
        day: day.and_then(|time| time.split('T').next().map(ToOwned::to_owned)),
        first: first.to_string(),
        last: last.to_string(),
        count: (u128::from(last) + 1)
            .saturating_sub(first.into())
            .to_string(),
    }
}

impl CursorIdSetKey {
    /// Returns whether the symbol is legal, and the scope can be that of a set: one of the venue's,
    /// or a longer one of a sender.
    fn is_plausible(&self) -> bool {
        let is_scope = self.1.len() <= MAX_SET_SCOPE_BYTES && !self.1.contains(char::is_control);
        self.0.parse::<Symbol>().is_ok() && is_scope
    }

    fn from_id_set_key(key: &IdSetKey) -> Self {
        let symbol = key.instrument.symbol().to_owned();
        Self(symbol, key.scope.as_ref().to_owned(), key.bucket_ns)
    }

    fn to_id_set_key(&self, venue: &Venue) -> IdSetKey {
        let symbol = self.0.parse().expect("a cursor is checked when it is read");
        IdSetKey {
            instrument: Instrument::new(venue, &symbol),
            scope: self.1.as_str().into(),
            bucket_ns: self.2,
        }
    }
}
