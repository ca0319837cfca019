//! `GET /api/v1/trades/{venue}/{symbol}`.

mod page;
mod slices;
mod source;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use clock::Clock;
use eventlog::Log;
use market::{EdgeTrade, Position, TradeId, format_time};
use schemas::RecordPosition;
use schemas::api::{PageJson, TradeJson};
use serde::{Deserialize, Serialize};
use store::{BarReader, Tick, TickStore};

use self::source::TradeSource;
use crate::cursor::{self, Listed};
use crate::json_response::json_response;
use crate::params::{END_OF_TIME_NS, Params, Segments, instrument, venue};
use crate::{ApiState, Problem};

const PARAMETERS: &[&str] = &["start", "end", "limit", "cursor"];

/// Which trades are asked for: those of the times `[start_ns, end_ns)`.
struct TradeRequest {
    /// Where it is not given, the newest trades are meant.
    start_ns: Option<i64>,
    end_ns: i64,
    /// Only trades after this one.
    after: Option<EdgeTrade>,
    limit: usize,
}

/// The trade that a page ended with.
#[derive(Serialize, Deserialize)]
struct LastTrade {
    time_ns: i64,
    id: Option<String>,
    scope: Option<String>,
    epoch: u64,
    offset: u64,
}

/// Lists the trades that bars are made of, in the order of their times.
pub(crate) async fn list<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    Segments(path): Segments<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    let request = TradeRequest::read(&uri)?;
    let instrument = instrument(&path)?;
    let partition = state.partition_of(&instrument);
    let settings = state.producer.settings(&venue(&path.0)?).await?;
    let source = TradeSource::open(
        &state.bars,
        &state.ticks,
        instrument,
        partition,
        settings.unwrap_or_default(),
    );
    let found = page::page(&source.await?, &request).await?;
    let last = found.ticks.last().filter(|_| found.has_more);
    let page = PageJson {
        next_cursor: last.map(|tick| cursor::encode(Listed::Trades, &LastTrade::of(tick))),
        data: found
            .ticks
            .iter()
            .map(|tick| trade_json(tick, partition))
            .collect(),
    };
    Ok(json_response(StatusCode::OK, &page))
}

impl TradeRequest {
    fn read(uri: &Uri) -> Result<Self, Problem> {
        let params = Params::read(uri, PARAMETERS)?;
        let (start_ns, end_ns) = params.range()?;
        let after = match params.text("cursor") {
            Some(text) => Some(LastTrade::edge(cursor::decode(Listed::Trades, text)?)?),
            None => None,
        };
        Ok(Self {
            start_ns: after.as_ref().map(|edge| edge.time_ns).or(start_ns),
            end_ns: end_ns.unwrap_or(END_OF_TIME_NS),
            after,
            limit: params.limit()? as usize,
        })
    }
}

fn trade_json(tick: &Tick, partition: u32) -> TradeJson {
    let trade = &tick.trade;
    let position = RecordPosition {
        partition,
        position: tick.position,
    }
    .to_string();
    TradeJson {
        id: match &trade.id {
            Some(id) => id.to_string(),
            None => position.clone(),
        },
        time: format_time(trade.time_ns),
        price: trade.price.to_string(),
        quantity: trade.quantity.map(|quantity| quantity.to_string()),
        side: trade.side.map(|side| side.name().into()),
        scope: trade.scope.as_deref().map(ToOwned::to_owned),
        position,
        append_time: format_time(tick.append_time_ns),
    }
}

impl LastTrade {
    fn of(tick: &Tick) -> Self {
        Self {
            time_ns: tick.trade.time_ns,
            id: tick.trade.id.as_ref().map(TradeId::to_string),
            scope: tick.trade.scope.as_deref().map(ToOwned::to_owned),
            epoch: tick.position.epoch,
            offset: tick.position.offset,
        }
    }

    /// The trade as an edge, which orders; its price plays no part.
    fn edge(self) -> Result<EdgeTrade, Problem> {
        let id = self.id.as_deref().map(TradeId::parse).transpose();
        let id = id.map_err(|error| {
            Problem::parameter("cursor", format!("cursor: its id {error}"), "a next_cursor")
        })?;
        Ok(EdgeTrade {
            time_ns: self.time_ns,
            id,
            scope: self.scope.map(Into::into),
            position: Position {
                epoch: self.epoch,
                offset: self.offset,
            },
            price: market::Decimal::ZERO,
        })
    }
}
