//! The bounds of the keys that match a query. Keys sort as bytes.

use market::{Instrument, Venue};

use crate::bar_store::IdRangesQuery;

/// A text that is greater than the key of every instrument.
pub(crate) const AFTER_ALL_KEYS: &str = "\u{7f}";

/// Returns two texts between which all keys of a venue sort: `;` is the byte after `:`.
pub(crate) fn venue_key_bounds(venue: &Venue) -> (String, String) {
    (format!("{venue}:"), format!("{venue};"))
}

/// Returns the key (instrument, scope, `bucket_ns`) after which the page of a query begins, and a
/// text that is greater than the keys of all instruments that match the query.
pub(crate) fn id_set_page_bounds(query: &IdRangesQuery) -> ((String, String, i64), String) {
    let (floor, ceiling) = match &query.symbol {
        Some(symbol) => {
            let key = Instrument::new(&query.venue, symbol).key().to_owned();
            let past = format!("{key} ");
            (key, past)
        }
        None => venue_key_bounds(&query.venue),
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
