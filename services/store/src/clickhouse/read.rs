//! Reading ticks.

use ::clickhouse::Row;
use ::clickhouse::error::Error;
use ::clickhouse::query::Query;
use market::{Amendment, AmendmentKind, Instrument, Position, SenderTradeId, Side, Trade, TradeId};
use serde::Deserialize;

use super::decimal::decimal_from_column;
use super::insert::{
    ID_DIGITS, ID_NONE, ID_NUMBER, ID_TEXT, KIND_CANCEL, KIND_EDIT, KIND_TRADE, SIDE_BUY,
    SIDE_NONE, SIDE_SELL,
};
use super::server::ClickHouseServer;
use crate::tick_store::{hour_start_ns, sort_and_dedup};
use crate::{StoreError, Tick};

/// After this number of rows the task yields to others.
const ROWS_PER_YIELD: usize = 4_096;

/// A row of `trades` or `amendments` that is read.
#[derive(Row, Deserialize)]
struct SelectedTickRow<'a> {
    epoch: u64,
    partition: u32,
    offset: u64,
    append_time_ns: i64,
    time_ns: i64,
    kind: i8,
    price: i128,
    quantity: Option<i128>,
    side: i8,
    id_kind: i8,
    id_number: u64,
    id_text: &'a str,
    #[serde(borrow)]
    scope: Option<&'a str>,
    sender_key: Option<[u8; 16]>,
    sender_index: u64,
    amendment_id: &'a str,
    target_epoch: Option<u64>,
    target_offset: Option<u64>,
}

/// Repeated rows that the server has not merged yet are removed by this process and not by `FINAL`:
/// the result needs another order anyway, so with `FINAL` rows would be sorted twice.
const SELECT_TICKS: &str = "SELECT ?fields FROM trades \
    WHERE venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ? \
    AND time_ns >= ? AND time_ns < ? \
    UNION ALL SELECT ?fields FROM amendments \
    WHERE venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ? \
    AND time_ns >= ? AND time_ns < ?";

/// Returns the ticks of an instrument within `[start_ns, end_ns)`, in order of their positions.
pub(super) async fn read_ticks(
    server: &ClickHouseServer,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
) -> Result<Vec<Tick>, StoreError> {
    let mut query = server.client().query(SELECT_TICKS);
    for _table in 0..2 {
        query = bind_table_range(query, instrument, start_ns, end_ns);
    }
    Ok(sort_and_dedup(fetch_ticks(server, query).await?))
}

/// Binds the arguments that restrict one table to the ticks of an instrument within
/// `[start_ns, end_ns)`.
pub(super) fn bind_table_range(
    query: Query,
    instrument: &Instrument,
    start_ns: i64,
    end_ns: i64,
) -> Query {
    query
        .bind(instrument.venue())
        .bind(instrument.symbol())
        .bind(hour_start_ns(start_ns))
        .bind(end_ns)
        .bind(start_ns)
        .bind(end_ns)
}

/// Returns the ticks that a query selects, each with its partition.
pub(super) async fn fetch_ticks(
    server: &ClickHouseServer,
    query: Query,
) -> Result<Vec<(u32, Tick)>, StoreError> {
    let mut ticks = Vec::new();
    let mut malformed = None;
    let collected = async {
        let mut rows = query.fetch::<SelectedTickRow<'_>>()?;
        while let Some(row) = rows.next().await? {
            match row.to_tick() {
                Ok(tick) => ticks.push((row.partition, tick)),
                Err(column) => {
                    malformed = Some((row.partition, row.epoch, row.offset, column));
                    break;
                }
            }
            if ticks.len().is_multiple_of(ROWS_PER_YIELD) {
                tokio::task::yield_now().await;
            }
        }
        Ok::<_, Error>(())
    };
    server.with_timeout(collected).await?;
    if let Some((partition, epoch, offset, column)) = malformed {
        return Err(server.counted_corrupt_error(format!(
            "the tick of partition {partition} at ({epoch}, {offset}): {column} is malformed"
        )));
    }
    Ok(ticks)
}

impl SelectedTickRow<'_> {
    /// Converts the row to a tick. The error names a column whose value no tick has.
    fn to_tick(&self) -> Result<Tick, &'static str> {
        let trade = Trade {
            time_ns: self.time_ns,
            price: decimal_from_column(self.price).ok_or("price")?,
            quantity: match self.quantity {
                Some(number) => Some(decimal_from_column(number).ok_or("quantity")?),
                None => None,
            },
            side: match self.side {
                SIDE_NONE => None,
                SIDE_BUY => Some(Side::Buy),
                SIDE_SELL => Some(Side::Sell),
                _ => return Err("side"),
            },
            id: self.trade_id()?,
            scope: self.scope.map(Into::into),
            sender: self.sender_key.map(|key| SenderTradeId {
                key,
                index: self.sender_index,
            }),
        };
        Ok(Tick {
            trade,
            amendment: self.amendment()?,
            position: Position {
                epoch: self.epoch,
                offset: self.offset,
            },
            append_time_ns: self.append_time_ns,
        })
    }

    fn trade_id(&self) -> Result<Option<TradeId>, &'static str> {
        match self.id_kind {
            ID_NONE => Ok(None),
            ID_NUMBER => Ok(Some(TradeId::Number(self.id_number))),
            kind @ (ID_DIGITS | ID_TEXT) => {
                let id = TradeId::parse(self.id_text).map_err(|_| "id_text")?;
                let found = match &id {
                    TradeId::Number(_) => ID_NUMBER,
                    TradeId::Digits(_) => ID_DIGITS,
                    TradeId::Text(_) => ID_TEXT,
                };
                if found == kind {
                    Ok(Some(id))
                } else {
                    Err("id_kind")
                }
            }
            _ => Err("id_kind"),
        }
    }

    fn amendment(&self) -> Result<Option<Amendment>, &'static str> {
        let kind = match self.kind {
            KIND_TRADE => return Ok(None),
            KIND_EDIT => AmendmentKind::Edit,
            KIND_CANCEL => AmendmentKind::Cancel,
            _ => return Err("kind"),
        };
        let target_position = match (self.target_epoch, self.target_offset) {
            (Some(epoch), Some(offset)) => Some(Position { epoch, offset }),
            (None, None) => None,
            _ => return Err("target_offset"),
        };
        Ok(Some(Amendment {
            id: TradeId::parse(self.amendment_id).map_err(|_| "amendment_id")?,
            kind,
            target_position,
        }))
    }
}
