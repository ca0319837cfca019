//! The numbers that are missing between the ids of a venue.

use axum::http::Uri;
use market::{Instrument, Symbol, Venue, format_time};
use schemas::api::{GapJson, PageJson};
use serde::{Deserialize, Serialize};
use store::{BarReader, IdRangeQuery, IdRanges, IdSetKey, StoreError};

use crate::Problem;
use crate::cursor::{self, Listed};
use crate::params::{Params, symbol};

/// How many sets of ids are read at once.
const SETS: u32 = 256;

/// Which gaps are asked for.
pub(super) struct GapRequest {
    pub(super) venue: Venue,
    symbol: Option<Symbol>,
    limit: usize,
    place: Place,
}

/// Names a set of ids: symbol, scope, bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SetName(String, String, i64);

/// Where a page ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Place {
    /// The set before the one to read on in.
    after: Option<SetName>,
    /// The last gap shown: its set and its first number.
    shown: Option<(SetName, u64)>,
}

impl GapRequest {
    pub(super) fn read(venue: Venue, uri: &Uri) -> Result<Self, Problem> {
        let params = Params::read(uri, &["symbol", "limit", "cursor"])?;
        let place = params.text("cursor");
        let place = place.map(|text| cursor::decode(Listed::Gaps, text));
        let place: Place = place.transpose()?.unwrap_or_default();
        // A cursor is the client's to forge: names in it are read as strictly as others.
        if let Some(SetName(name, ..)) = &place.after {
            symbol(name)?;
        }
        Ok(Self {
            venue,
            symbol: params.text("symbol").map(symbol).transpose()?,
            limit: params.limit()? as usize,
            place,
        })
    }
}

/// One page of gaps, in order of symbol, scope, bucket and number.
pub(super) async fn page<B: BarReader>(
    bars: &B,
    request: &GapRequest,
) -> Result<PageJson<GapJson>, StoreError> {
    let mut place = request.place.clone();
    let mut data = Vec::new();
    loop {
        let query = IdRangeQuery {
            venue: request.venue.clone(),
            symbol: request.symbol.clone(),
            after: place.after.as_ref().map(|name| name.key(&request.venue)),
            limit: SETS,
        };
        let sets = bars.id_ranges(&query).await?;
        for (key, ranges) in &sets {
            let name = SetName::of(key);
            for (first, last) in gaps(ranges) {
                let is_shown = |(set, shown): &(SetName, u64)| *set == name && first <= *shown;
                if place.shown.as_ref().is_some_and(is_shown) {
                    continue;
                }
                if data.len() == request.limit {
                    let next_cursor = Some(cursor::encode(Listed::Gaps, &place));
                    return Ok(PageJson { data, next_cursor });
                }
                data.push(gap_json(key, first, last));
                place.shown = Some((name.clone(), first));
            }
            place.after = Some(name);
        }
        if sets.len() < SETS as usize {
            return Ok(PageJson {
                data,
                next_cursor: None,
            });
        }
    }
}

/// What is missing between ranges that neither overlap nor touch.
fn gaps(ranges: &IdRanges) -> impl Iterator<Item = (u64, u64)> {
    ranges
        .windows(2)
        .map(|pair| (pair[0].1.saturating_add(1), pair[1].0.saturating_sub(1)))
}

fn gap_json(key: &IdSetKey, first: u64, last: u64) -> GapJson {
    let day = (key.bucket_ns >= 0).then(|| format_time(key.bucket_ns));
    GapJson {
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

impl SetName {
    fn of(key: &IdSetKey) -> Self {
        let symbol = key.instrument.symbol().to_owned();
        Self(symbol, key.scope.as_ref().to_owned(), key.bucket_ns)
    }

    fn key(&self, venue: &Venue) -> IdSetKey {
        let symbol = self
            .0
            .parse()
            .expect("a set's name is checked when it is read");
        IdSetKey {
            instrument: Instrument::new(venue, &symbol),
            scope: self.1.as_str().into(),
            bucket_ns: self.2,
        }
    }
}
