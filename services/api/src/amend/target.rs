//! Which trade the path names.

use clock::Clock;
use eventlog::Log;
use market::{IdScheme, Instrument, Position, TradeId, VenueSettings};
use schemas::{RecordPosition, TradesRecord};
use store::{BarReader, TickStore};

use crate::{ApiState, Problem};

const POSITION: &str = "a position such as 1-0-42, as GET /api/v1/trades prints it";

/// What a trade is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The venue's id.
    Id(TradeId),
    /// Its place in the log.
    Place(Position),
}

/// What the last segment of a path names: the venue's id, or the position of a trade that has
/// none.
///
/// Where a venue gives ids to some trades only, a text may be either. Then it is what the trade
/// at that time has; if neither is known, the id of a trade that is yet to come.
pub(super) async fn find<L: Log, B: BarReader, T: TickStore, C: Clock>(
    state: &ApiState<L, B, T, C>,
    instrument: &Instrument,
    settings: &VenueSettings,
    text: &str,
    time_ns: i64,
) -> Result<Target, Problem> {
    let partition = state.partition_of(instrument);
    let id = || {
        TradeId::parse(text).map_err(|error| {
            let accepted = format!("1 to 64 visible ASCII characters, or {POSITION}");
            Problem::parameter("id", format!("id {error}"), accepted)
        })
    };
    let elsewhere = |found| {
        let detail = format!(
            "{text} is in partition {found}, and the trades of {} are in {partition}",
            instrument.key()
        );
        Problem::parameter("id", detail, POSITION)
    };
    let found = match (settings.scheme, text.parse::<RecordPosition>().ok()) {
        (IdScheme::Contiguous, _) | (IdScheme::Unique, None) => return Ok(Target::Id(id()?)),
        (IdScheme::None, None) => {
            let detail = "the venue's trades have no ids; they are known by their positions";
            return Err(Problem::parameter("id", detail, POSITION));
        }
        (_, Some(found)) => found,
    };
    let (place, is_elsewhere) = (found.position, found.partition != partition);
    if settings.scheme == IdScheme::None {
        return match is_elsewhere {
            true => Err(elsewhere(found.partition)),
            false => Ok(Target::Place(place)),
        };
    }
    let id = id()?;
    let end_ns = time_ns.saturating_add(1);
    let ticks = state.ticks.read(instrument, time_ns, end_ns).await?;
    let mut trades = ticks.iter().filter(|tick| tick.amendment.is_none());
    if trades
        .clone()
        .any(|tick| tick.trade.id.as_ref() == Some(&id))
    {
        return Ok(Target::Id(id));
    }
    if is_elsewhere {
        return Err(elsewhere(found.partition));
    }
    let is_archived = trades.any(|tick| tick.position == place && tick.trade.id.is_none());
    match is_archived || is_logged(state, instrument, place).await? {
        true => Ok(Target::Place(place)),
        false => Ok(Target::Id(id)),
    }
}

/// Whether the log holds a trade without an id there, which may not be archived yet.
async fn is_logged<L: Log, B: BarReader, T: TickStore, C: Clock>(
    state: &ApiState<L, B, T, C>,
    instrument: &Instrument,
    place: Position,
) -> Result<bool, Problem> {
    let partition = state.partition_of(instrument);
    let log = &state.log;
    let bounds = log.bounds(partition).await.map_err(from_log)?;
    if place.epoch != log.epoch() || !(bounds.first..bounds.end).contains(&place.offset) {
        return Ok(false);
    }
    let batch = log.fetch(partition, place.offset, 1).await;
    let batch = batch.map_err(from_log)?;
    let mut records = batch.records.iter();
    Ok(records.any(|record| {
        record.offset == place.offset
            && record.key == instrument.key().as_bytes()
            && matches!(TradesRecord::decode(&record.value), Ok(TradesRecord::Trade(trade)) if trade.id.is_none())
    }))
}

fn from_log(error: eventlog::LogError) -> Problem {
    ingest::IngestError::from(error).into()
}
