//! The parameters of a request for duplicates.

use axum::http::Uri;
use market::{Instrument, Position};
use schemas::RecordPosition;
use serde::{Deserialize, Serialize};
use store::Tick;

use crate::cursor::{CursorCodec, CursorKind, CursorPosition};
use crate::params::{END_OF_TIME_NS, QueryParams};
use crate::problem::Problem;

const PARAMETERS: &[&str] = &["start", "end", "limit", "cursor", "conflicts", "since"];

/// A request for the duplicates whose later deliveries have event times in `[start_ns, end_ns)`.
pub(super) struct ListDuplicatesRequest {
    /// Encodes and decodes the cursors of the query.
    pub(super) cursor_codec: CursorCodec,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) limit: usize,
    /// Where the page begins.
    pub(super) from: NextDuplicatePosition,
    /// Whether deliveries that are the same as the first are left out.
    pub(super) conflicts_only: bool,
    /// Only later deliveries that the log holds at or after this position.
    pub(super) since: Option<Position>,
}

/// The position of a cursor: the event time and the position from which on later deliveries are
/// listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct NextDuplicatePosition {
    pub(super) time_ns: i64,
    epoch: u64,
    offset: u64,
}

impl ListDuplicatesRequest {
    /// Reads the query of the duplicates of an instrument, which is in `partition`.
    ///
    /// # Errors
    /// A [`Problem`] that names the parameter at fault.
    pub(super) fn read(
        instrument: &Instrument,
        uri: &Uri,
        partition: u32,
    ) -> Result<Self, Problem> {
        let params = QueryParams::read(uri, PARAMETERS)?;
        let (start_ns, end_ns) = params.start_and_end()?;
        let cursor_codec = CursorCodec::new(CursorKind::Duplicates, instrument.key(), &params);
        let from: NextDuplicatePosition = cursor_codec.cursor(&params)?.unwrap_or_default();
        let conflicts_only = params.parsed("conflicts", "true or false")?;
        Ok(Self {
            cursor_codec,
            start_ns: start_ns.unwrap_or(0).max(from.time_ns),
            end_ns: end_ns.unwrap_or(END_OF_TIME_NS),
            limit: params.limit()? as usize,
            from,
            conflicts_only: conflicts_only.unwrap_or(false),
            since: read_since(&params, partition)?,
        })
    }
}

fn read_since(params: &QueryParams, partition: u32) -> Result<Option<Position>, Problem> {
    let accepted = "a position of the symbol's partition, epoch-partition-offset such as 1-0-42";
    let since: Option<RecordPosition> = params.parsed("since", accepted)?;
    match since {
        Some(since) if since.partition != partition => {
            let detail = format!(
                "since: {since} is a position of partition {}, and the symbol is in partition \
                 {partition}",
                since.partition
            );
            Err(Problem::invalid_parameter("since", detail, accepted))
        }
        since => Ok(since.map(|since| since.position)),
    }
}

impl NextDuplicatePosition {
    pub(super) const fn of_tick(tick: &Tick) -> Self {
        Self {
            time_ns: tick.trade.time_ns,
            epoch: tick.position.epoch,
            offset: tick.position.offset,
        }
    }

    /// Returns the beginning of an event time, before every delivery.
    pub(super) const fn of_time(time_ns: i64) -> Self {
        Self {
            time_ns,
            epoch: 0,
            offset: 0,
        }
    }
}

impl CursorPosition for NextDuplicatePosition {
    fn is_plausible(&self) -> bool {
        (0..=END_OF_TIME_NS).contains(&self.time_ns)
    }
}
