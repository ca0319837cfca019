//! `GET /api/v1/trades/{venue}/{symbol}`.

mod page;
mod slices;
mod source;

use axum::extract::State;
use axum::http::Uri;
use clock::Clock;
use eventlog::Log;
use market::{EdgeTrade, Position, Side, TradeId, format_time};
use serde::{Deserialize, Serialize};
use store::{BarReader, Tick, TickStore};

use self::source::TradeSource;
use crate::answer::Page;
use crate::bar_json::place;
use crate::cursor::{self, Listed};
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

/// A trade as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct TradeJson {
    /// The venue's id, or the position where it gives none.
    id: String,
    time: String,
    price: String,
    quantity: Option<String>,
    side: Option<&'static str>,
    scope: Option<String>,
    /// Where the log holds it: "epoch-partition-offset".
    position: String,
    /// When the log took it.
    append_time: String,
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
) -> Result<Page<TradeJson>, Problem>
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
    let page = page::page(&source.await?, &request).await?;
    let last = page.ticks.last().filter(|_| page.has_more);
    Ok(Page {
        next_cursor: last.map(|tick| cursor::encode(Listed::Trades, &LastTrade::of(tick))),
        data: page
            .ticks
            .iter()
            .map(|tick| TradeJson::of(tick, partition))
            .collect(),
    })
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

impl TradeJson {
    fn of(tick: &Tick, partition: u32) -> Self {
        let trade = &tick.trade;
        let position = place(tick.position, partition);
        Self {
            id: match &trade.id {
                Some(id) => id.to_string(),
                None => position.clone(),
            },
            time: format_time(trade.time_ns),
            price: trade.price.to_string(),
            quantity: trade.quantity.map(|quantity| quantity.to_string()),
            side: trade.side.map(Side::name),
            scope: trade.scope.as_deref().map(ToOwned::to_owned),
            position,
            append_time: format_time(tick.append_time_ns),
        }
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
