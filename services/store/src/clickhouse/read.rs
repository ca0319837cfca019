//! Reading ticks back.

use ::clickhouse::Row;
use ::clickhouse::error::Error;
use market::{Amendment, AmendmentKind, Instrument, Position, SenderId, Side, Trade, TradeId};
use serde::Deserialize;

use super::decimal::narrowed;
use super::insert::{BUY, CANCEL, DIGITS, EDIT, NO_ID, NO_SIDE, NUMBER, SELL, TEXT, TRADE};
use super::server::Server;
use crate::tick_store::sort_and_dedup;
use crate::{StoreError, Tick};

/// After how many rows other tasks of the executor get their turn.
const TURN: usize = 4_096;

/// A row of `trades` as it is read.
#[derive(Row, Deserialize)]
struct ReadTick<'a> {
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

/// Repeats that merges have not come to yet are dropped here and not by `FINAL`: all rows of a
/// range are wanted and their order is another one, so the server would sort them twice.
const TICKS: &str = "SELECT ?fields FROM trades \
    WHERE venue = ? AND symbol = ? AND hour_ns >= ? AND hour_ns < ? \
    AND time_ns >= ? AND time_ns < ?";

/// The ticks of an instrument within `[start_ns, end_ns)`; `hour_ns` is the hour of its start.
pub(super) async fn read(
    server: &Server,
    instrument: &Instrument,
    hour_ns: i64,
    start_ns: i64,
    end_ns: i64,
) -> Result<Vec<Tick>, StoreError> {
    let query = server
        .client()
        .query(TICKS)
        .bind(instrument.venue())
        .bind(instrument.symbol())
        .bind(hour_ns)
        .bind(end_ns)
        .bind(start_ns)
        .bind(end_ns);
    let mut ticks = Vec::new();
    let mut malformed = None;
    let collected = async {
        let mut rows = query.fetch::<ReadTick<'_>>()?;
        while let Some(row) = rows.next().await? {
            match row.tick() {
                Ok(tick) => ticks.push((row.partition, tick)),
                Err(column) => {
                    malformed = Some((row.partition, row.epoch, row.offset, column));
                    break;
                }
            }
            if ticks.len().is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        Ok::<_, Error>(())
    };
    server.within(collected).await?;
    if let Some((partition, epoch, offset, column)) = malformed {
        return Err(server.corrupt(format!(
            "the tick of partition {partition} at ({epoch}, {offset}): {column} is malformed"
        )));
    }
    Ok(sort_and_dedup(ticks))
}

impl ReadTick<'_> {
    /// The tick, or the column that holds what no tick has.
    fn tick(&self) -> Result<Tick, &'static str> {
        let trade = Trade {
            time_ns: self.time_ns,
            price: narrowed(self.price).ok_or("price")?,
            quantity: match self.quantity {
                Some(wide) => Some(narrowed(wide).ok_or("quantity")?),
                None => None,
            },
            side: match self.side {
                NO_SIDE => None,
                BUY => Some(Side::Buy),
                SELL => Some(Side::Sell),
                _ => return Err("side"),
            },
            id: self.id()?,
            scope: self.scope.map(Into::into),
            sender: self.sender_key.map(|key| SenderId {
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

    fn id(&self) -> Result<Option<TradeId>, &'static str> {
        match self.id_kind {
            NO_ID => Ok(None),
            NUMBER => Ok(Some(TradeId::Number(self.id_number))),
            kind @ (DIGITS | TEXT) => {
                let id = TradeId::parse(self.id_text).map_err(|_| "id_text")?;
                let found = match &id {
                    TradeId::Number(_) => NUMBER,
                    TradeId::Digits(_) => DIGITS,
                    TradeId::Text(_) => TEXT,
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
            TRADE => return Ok(None),
            EDIT => AmendmentKind::Edit,
            CANCEL => AmendmentKind::Cancel,
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
