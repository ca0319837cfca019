//! Which trade the last segment of a path names.

use backend::Backend;
use eventlog::{Log, LogError};
use ingest::IngestError;
use market::{IdScheme, Instrument, Position, TradeId, VenueSettings};
use schemas::{RecordPosition, TradesTopicRecord};
use store::TickStore;

use crate::problem::Problem;
use crate::state::ApiState;

const POSITION: &str = "a position such as 1-0-42, as GET /api/v1/trades prints it";

/// What identifies a trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AmendedTradeIdentifier {
    /// The venue's id.
    Id(TradeId),
    /// The trade's position in the log.
    Position(Position),
}

/// Returns what the last segment of a path identifies: a trade by the venue's id, or a trade
/// without an id by its position.
///
/// If a venue gives ids to some of its trades only, a text may be either. It is then what the trade
/// at `time_ns` has, or, if no such trade is known, the id of a trade that has not arrived yet.
pub(super) async fn resolve_amended_trade_identifier<B: Backend>(
    state: &ApiState<B>,
    instrument: &Instrument,
    settings: &VenueSettings,
    text: &str,
    time_ns: i64,
) -> Result<AmendedTradeIdentifier, Problem> {
    let record_position = match (settings.scheme, text.parse::<RecordPosition>()) {
        (IdScheme::Contiguous, _) | (IdScheme::Unique, Err(_)) => {
            return Ok(AmendedTradeIdentifier::Id(parse_trade_id_parameter(text)?));
        }
        (IdScheme::None, Err(_)) => {
            let detail = "the venue's trades have no ids; they are known by their positions";
            return Err(Problem::invalid_parameter("id", detail, POSITION));
        }
        (_, Ok(record_position)) => record_position,
    };
    let position = record_position.position;
    let partition = state.partition_of(instrument);
    let check_partition = || match record_position.partition == partition {
        true => Ok(()),
        false => Err(wrong_partition_problem(
            instrument,
            partition,
            text,
            record_position,
        )),
    };
    if settings.scheme == IdScheme::None {
        check_partition()?;
        return Ok(AmendedTradeIdentifier::Position(position));
    }
    let id = parse_trade_id_parameter(text)?;
    let end_ns = time_ns.saturating_add(1);
    let ticks = state.ticks.read(instrument, time_ns, end_ns).await?;
    let mut trades = ticks.iter().filter(|tick| tick.amendment.is_none());
    if trades
        .clone()
        .any(|tick| tick.trade.id.as_ref() == Some(&id))
    {
        return Ok(AmendedTradeIdentifier::Id(id));
    }
    check_partition()?;
    let is_archived = trades.any(|tick| tick.position == position && tick.trade.id.is_none());
    match is_archived || log_holds_trade_without_id(state, instrument, position).await? {
        true => Ok(AmendedTradeIdentifier::Position(position)),
        false => Ok(AmendedTradeIdentifier::Id(id)),
    }
}

fn parse_trade_id_parameter(text: &str) -> Result<TradeId, Problem> {
    TradeId::parse(text).map_err(|error| {
        let accepted = format!("1 to 64 visible ASCII characters, or {POSITION}");
        Problem::invalid_parameter("id", format!("id {error}"), accepted)
    })
}

fn wrong_partition_problem(
    instrument: &Instrument,
    partition: u32,
    text: &str,
    found: RecordPosition,
) -> Problem {
    let detail = format!(
        "{text} is in partition {}, and the trades of {} are in {partition}",
        found.partition,
        instrument.key()
    );
    Problem::invalid_parameter("id", detail, POSITION)
}

/// Returns whether the log holds a trade without an id at `position`. The trade may not be archived
/// yet.
async fn log_holds_trade_without_id<B: Backend>(
    state: &ApiState<B>,
    instrument: &Instrument,
    position: Position,
) -> Result<bool, Problem> {
    let partition = state.partition_of(instrument);
    let log = &state.log;
    let bounds = log.bounds(partition).await.map_err(problem_of_log_error)?;
    let is_within = (bounds.first..bounds.end).contains(&position.offset);
    if position.epoch != log.epoch() || !is_within {
        return Ok(false);
    }
    let batch = log.fetch(partition, position.offset, 1).await;
    let batch = batch.map_err(problem_of_log_error)?;
    let has_no_id = |value: &[u8]| match TradesTopicRecord::decode(value) {
        Ok(TradesTopicRecord::Trade(trade)) => trade.id.is_none(),
        _ => false,
    };
    Ok(batch.records.iter().any(|record| {
        record.offset == position.offset
            && record.key == instrument.key().as_bytes()
            && has_no_id(&record.value)
    }))
}

fn problem_of_log_error(error: LogError) -> Problem {
    IngestError::from(error).into()
}
