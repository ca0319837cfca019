//! The parameters of a request for trades.

use axum::http::Uri;
use market::{Decimal, EdgeTrade, Instrument, Position, TextKind, TradeId, validate_text};
use serde::{Deserialize, Serialize};
use store::Tick;

use crate::cursor::{CursorCodec, CursorKind, CursorPosition};
use crate::params::{END_OF_TIME_NS, QueryParams};
use crate::problem::Problem;

const PARAMETERS: &[&str] = &["start", "end", "limit", "cursor"];

/// A request for the trades in `[start_ns, end_ns)`.
pub(super) struct ListTradesRequest {
    /// Encodes and decodes the cursors of the query.
    pub(super) cursor_codec: CursorCodec,
    /// `None` requests the newest trades.
    pub(super) start_ns: Option<i64>,
    pub(super) end_ns: i64,
    /// Only trades after this one.
    pub(super) after: Option<EdgeTrade>,
    pub(super) limit: usize,
}

/// The position of a cursor: the last trade of a page.
#[derive(Serialize, Deserialize)]
pub(super) struct LastTradeOfPage {
    time_ns: i64,
    id: Option<String>,
    scope: Option<String>,
    epoch: u64,
    offset: u64,
}

impl ListTradesRequest {
    /// Reads the query of the trades of an instrument.
    ///
    /// # Errors
    /// A [`Problem`] that names the parameter at fault.
    pub(super) fn read(instrument: &Instrument, uri: &Uri) -> Result<Self, Problem> {
        let params = QueryParams::read(uri, PARAMETERS)?;
        let (start_ns, end_ns) = params.start_and_end()?;
        let cursor_codec = CursorCodec::new(CursorKind::Trades, instrument.key(), &params);
        let last: Option<LastTradeOfPage> = cursor_codec.cursor(&params)?;
        let after = last.map(LastTradeOfPage::into_edge_trade).transpose()?;
        Ok(Self {
            cursor_codec,
            start_ns: after.as_ref().map(|edge| edge.time_ns).or(start_ns),
            end_ns: end_ns.unwrap_or(END_OF_TIME_NS),
            after,
            limit: params.limit()? as usize,
        })
    }
}

impl CursorPosition for LastTradeOfPage {
    fn is_plausible(&self) -> bool {
        let is_legal = |kind, text: &Option<String>| {
            text.as_ref()
                .is_none_or(|text| validate_text(kind, text).is_ok())
        };
        (0..=END_OF_TIME_NS).contains(&self.time_ns)
            && is_legal(TextKind::TradeId, &self.id)
            && is_legal(TextKind::Scope, &self.scope)
    }
}

impl LastTradeOfPage {
    pub(super) fn from_tick(tick: &Tick) -> Self {
        Self {
            time_ns: tick.trade.time_ns,
            id: tick.trade.id.as_ref().map(TradeId::to_string),
            scope: tick.trade.scope.as_deref().map(ToOwned::to_owned),
            epoch: tick.position.epoch,
            offset: tick.position.offset,
        }
    }

    /// Returns the trade as an [`EdgeTrade`], by which trades are ordered. Its price does not
    /// matter.
    fn into_edge_trade(self) -> Result<EdgeTrade, Problem> {
        let id = self.id.as_deref().map(TradeId::parse).transpose();
        let id = id.map_err(|error| {
            Problem::invalid_parameter("cursor", format!("cursor: its id {error}"), "a next_cursor")
        })?;
        Ok(EdgeTrade {
            time_ns: self.time_ns,
            id,
            scope: self.scope.map(Into::into),
            position: Position {
                epoch: self.epoch,
                offset: self.offset,
            },
            price: Decimal::ZERO,
        })
    }
}
