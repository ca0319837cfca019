//! Between which texts the keys lie that a query asks for: keys sort as bytes.

use market::{Instrument, Venue};

use crate::IdRangeQuery;

/// Greater than every instrument's key.
pub(crate) const PAST_ALL: &str = "\u{7f}";

/// Every key of a venue lies between these two: `;` follows `:`.
pub(crate) fn venue_bounds(venue: &Venue) -> (String, String) {
    (format!("{venue}:"), format!("{venue};"))
}

/// The set of ids after which a page begins, as (instrument, scope, `bucket_ns`), and the key
/// that is greater than those of its instruments.
pub(crate) fn set_bounds(query: &IdRangeQuery) -> ((String, String, i64), String) {
    let (floor, ceiling) = match &query.symbol {
        Some(symbol) => {
            let key = Instrument::new(&query.venue, symbol).key().to_owned();
            let past = format!("{key} ");
            (key, past)
        }
        None => venue_bounds(&query.venue),
    };
    let floor = (floor.as_str(), "", i64::MIN);
    let after = query.after.as_ref();
    let (instrument, scope, bucket_ns) = after.map_or(floor, |key| {
        floor.max((key.instrument.key(), &key.scope, key.bucket_ns))
    });
    (
        (instrument.to_owned(), scope.to_owned(), bucket_ns),
        ceiling,
    )
}
