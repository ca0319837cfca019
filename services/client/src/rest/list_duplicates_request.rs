//! The path and query of a request for duplicates.

use std::fmt::Write;

use market::{Symbol, Venue, format_time};
use schemas::RecordPosition;

use crate::path::path_segment;

/// A request for one page of the later deliveries of a symbol's trades.
#[derive(Debug, Clone, Copy)]
pub struct ListDuplicatesRequest<'a> {
    /// The venue.
    pub venue: &'a Venue,
    /// The symbol.
    pub symbol: &'a Symbol,
    /// The event times `[start, end)` of the later deliveries, in UTC nanoseconds.
    pub range_ns: (i64, i64),
    /// Whether deliveries that are the same as the first are left out.
    pub conflicts_only: bool,
    /// Only later deliveries at or after this position; `None` for all.
    pub since: Option<RecordPosition>,
    /// The most elements of the page, up to 10,000.
    pub limit: u32,
    /// The `next_cursor` of the page before; `None` for the first page.
    pub cursor: Option<&'a str>,
}

impl ListDuplicatesRequest<'_> {
    /// Returns the path with its query.
    pub(super) fn to_path(self) -> String {
        let (start_ns, end_ns) = self.range_ns;
        let mut path = format!(
            "/api/v1/duplicates/{}/{}?start={}&end={}&limit={}",
            self.venue,
            path_segment(self.symbol.as_str()),
            format_time(start_ns),
            format_time(end_ns),
            self.limit,
        );
        if self.conflicts_only {
            path += "&conflicts=true";
        }
        if let Some(since) = self.since {
            let _ = write!(path, "&since={since}");
        }
        if let Some(cursor) = self.cursor {
            let _ = write!(path, "&cursor={cursor}");
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use market::Position;
    use schemas::RecordPosition;

    use super::ListDuplicatesRequest;

    #[test]
    fn a_request_becomes_a_path() {
        let request = ListDuplicatesRequest {
            venue: &"v".parse().unwrap(),
            symbol: &"A/B".parse().unwrap(),
            range_ns: (1, 2),
            conflicts_only: false,
            since: None,
            limit: 3,
            cursor: None,
        };
        let path = "/api/v1/duplicates/v/A%2FB?start=1970-01-01T00:00:00.000000001Z\
                    &end=1970-01-01T00:00:00.000000002Z&limit=3";
        assert_eq!(request.to_path(), path);
        let since = RecordPosition {
            partition: 7,
            position: Position {
                epoch: 1,
                offset: 42,
            },
        };
        let request = ListDuplicatesRequest {
            conflicts_only: true,
            since: Some(since),
            cursor: Some("d00"),
            ..request
        };
        let expected = format!("{path}&conflicts=true&since=1-7-42&cursor=d00");
        assert_eq!(request.to_path(), expected);
    }
}
