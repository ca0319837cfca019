//! The compact form of many trades of one venue.

use crate::{DecodeError, TradesRecord};
use market::{Instrument, NameError, Symbol, Trade, Venue};
use rmp::encode::{write_array_len, write_bin, write_str, write_uint};

const VERSION: u64 = 1;
const IN_MEMORY: &str = "writing to memory cannot fail";

/// Many trades of one venue, as `replay` sends them: the MessagePack array
/// `[1, venue, [symbol, …], [[place of the symbol, record], …]]`, where a record is the binary
/// of a trade as the topic `trades` holds it. The content type is [`TradesBatch::CONTENT_TYPE`].
#[derive(Debug, Clone)]
pub struct TradesBatch {
    symbols: u32,
    trades: u32,
    head: Vec<u8>,
    body: Vec<u8>,
    record: Vec<u8>,
}

/// Why bytes are not a [`TradesBatch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Not MessagePack, or of another shape.
    #[error("{field}: {reason}")]
    Malformed {
        /// Which part.
        field: &'static str,
        /// What was wrong with it.
        reason: String,
    },
    /// A name of the batch is none.
    #[error("{field} {reason}")]
    Name {
        /// `venue` or `symbol`.
        field: &'static str,
        /// What was wrong with it.
        reason: NameError,
    },
    /// Written by a newer version.
    #[error("batch version {found} is not known; this version reads 1")]
    Version {
        /// What the batch says.
        found: u64,
    },
}

/// One trade of a batch, or why it is none.
pub type BatchTrade = Result<(Instrument, Trade), DecodeError>;

impl TradesBatch {
    /// The content type of the form.
    pub const CONTENT_TYPE: &str = "application/vnd.candlewick.trades";

    /// An empty batch of these symbols.
    #[must_use]
    pub fn new(venue: &Venue, symbols: &[Symbol]) -> Self {
        let count = u32::try_from(symbols.len()).expect("symbols fit in memory");
        let mut head = Vec::new();
        write_array_len(&mut head, 4).expect(IN_MEMORY);
        write_uint(&mut head, VERSION).expect(IN_MEMORY);
        write_str(&mut head, venue.as_str()).expect(IN_MEMORY);
        write_array_len(&mut head, count).expect(IN_MEMORY);
        for symbol in symbols {
            write_str(&mut head, symbol.as_str()).expect(IN_MEMORY);
        }
        Self {
            symbols: count,
            trades: 0,
            head,
            body: Vec::new(),
            record: Vec::new(),
        }
    }

    /// Adds a trade of the symbol at `place` of those that the batch was made with.
    ///
    /// # Panics
    /// Where there is no such symbol.
    pub fn push(&mut self, place: u32, trade: &Trade) {
        assert!(place < self.symbols, "the batch has no symbol {place}");
        self.record.clear();
        TradesRecord::encode_trade(trade, &mut self.record);
        write_array_len(&mut self.body, 2).expect(IN_MEMORY);
        write_uint(&mut self.body, place.into()).expect(IN_MEMORY);
        write_bin(&mut self.body, &self.record).expect(IN_MEMORY);
        self.trades += 1;
    }

    /// How many trades it holds.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.trades
    }

    /// Whether it holds no trade.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trades == 0
    }

    /// How many bytes [`TradesBatch::take`] would give.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.head.len() + 5 + self.body.len()
    }

    /// The bytes of what it holds; it is empty again afterwards, with the same symbols.
    pub fn take(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.extend_from_slice(&self.head);
        write_array_len(&mut out, self.trades).expect(IN_MEMORY);
        out.append(&mut self.body);
        self.trades = 0;
        out
    }

    /// Reads a batch. A trade that does not decode does not keep the others from being read.
    ///
    /// # Errors
    /// [`BatchError`] where the frame around the trades cannot be read.
    pub fn decode(bytes: &[u8]) -> Result<Vec<BatchTrade>, BatchError> {
        let mut trades = Vec::new();
        Self::decode_each(bytes, |trade| trades.push(trade))?;
        Ok(trades)
    }

    /// Reads a batch as [`TradesBatch::decode`] does, and hands over each trade as it comes. Where
    /// the frame turns out to be broken, those before were handed over.
    ///
    /// # Errors
    /// [`BatchError`] where the frame around the trades cannot be read.
    pub fn decode_each(bytes: &[u8], mut take: impl FnMut(BatchTrade)) -> Result<(), BatchError> {
        let mut frame = Frame(bytes);
        frame.array("batch", 4)?;
        match frame.unsigned("version")? {
            VERSION => {}
            found => return Err(BatchError::Version { found }),
        }
        let instruments = frame.instruments()?;
        for _ in 0..frame.length("trades")? {
            frame.array("trade", 2)?;
            let place = frame.unsigned("symbol")?;
            let record = frame.binary("record")?;
            let instrument = usize::try_from(place)
                .ok()
                .and_then(|place| instruments.get(place));
            take(read_trade(instrument, record));
        }
        if !frame.0.is_empty() {
            return Err(malformed("batch", "bytes follow its end"));
        }
        Ok(())
    }
}

fn read_trade(instrument: Option<&Instrument>, record: &[u8]) -> BatchTrade {
    let malformed = |field, reason: &str| DecodeError::Malformed {
        field,
        reason: reason.to_owned(),
    };
    let instrument = instrument.ok_or_else(|| malformed("symbol", "there is no such place"))?;
    match TradesRecord::decode(record)? {
        TradesRecord::Trade(trade) => Ok((instrument.clone(), trade)),
        _ => Err(malformed("record", "it is not a trade")),
    }
}

fn malformed(field: &'static str, reason: impl Into<String>) -> BatchError {
    BatchError::Malformed {
        field,
        reason: reason.into(),
    }
}

/// A cursor over the bytes of a batch.
struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    fn length(&mut self, field: &'static str) -> Result<u32, BatchError> {
        rmp::decode::read_array_len(&mut self.0)
            .map_err(|error| malformed(field, error.to_string()))
    }

    fn array(&mut self, field: &'static str, expected: u32) -> Result<(), BatchError> {
        match self.length(field)? {
            found if found == expected => Ok(()),
            found => Err(malformed(
                field,
                format!("{found} elements; {expected} are expected"),
            )),
        }
    }

    fn unsigned(&mut self, field: &'static str) -> Result<u64, BatchError> {
        rmp::decode::read_int(&mut self.0).map_err(|error| malformed(field, error.to_string()))
    }

    fn text(&mut self, field: &'static str) -> Result<&'a str, BatchError> {
        let (text, rest) = rmp::decode::read_str_from_slice(self.0)
            .map_err(|error| malformed(field, error.to_string()))?;
        self.0 = rest;
        Ok(text)
    }

    fn binary(&mut self, field: &'static str) -> Result<&'a [u8], BatchError> {
        let length = rmp::decode::read_bin_len(&mut self.0)
            .map_err(|error| malformed(field, error.to_string()))?;
        let (value, rest) = self
            .0
            .split_at_checked(length as usize)
            .ok_or_else(|| malformed(field, "the batch ends early"))?;
        self.0 = rest;
        Ok(value)
    }

    fn instruments(&mut self) -> Result<Vec<Instrument>, BatchError> {
        let name = |field| move |reason| BatchError::Name { field, reason };
        let venue: Venue = self.text("venue")?.parse().map_err(name("venue"))?;
        let count = self.length("symbols")?;
        let mut instruments = Vec::with_capacity((count as usize).min(self.0.len()));
        for _ in 0..count {
            let symbol: Symbol = self.text("symbols")?.parse().map_err(name("symbol"))?;
            instruments.push(Instrument::new(&venue, &symbol));
        }
        Ok(instruments)
    }
}

#[cfg(test)]
mod tests {
    use market::Decimal;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn batch() -> (TradesBatch, Vec<Symbol>) {
        let symbols = vec!["BTC/USD".parse().unwrap(), "ETH/USD".parse().unwrap()];
        (
            TradesBatch::new(&"kraken".parse().unwrap(), &symbols),
            symbols,
        )
    }

    fn trade(time_ns: i64) -> Trade {
        Trade {
            time_ns,
            price: Decimal::new(5, 1).unwrap(),
            quantity: None,
            side: None,
            id: None,
            scope: None,
            sender: None,
        }
    }

    #[test]
    fn what_was_pushed_is_decoded_and_taking_empties() {
        let (mut batch, symbols) = batch();
        batch.push(1, &trade(7));
        batch.push(0, &trade(8));
        let bytes = batch.take();
        assert!(batch.is_empty());
        let venue = "kraken".parse().unwrap();
        let trades = TradesBatch::decode(&bytes).unwrap();
        let expected = [
            Ok((Instrument::new(&venue, &symbols[1]), trade(7))),
            Ok((Instrument::new(&venue, &symbols[0]), trade(8))),
        ];
        assert_eq!(trades, expected);
        assert_eq!(TradesBatch::decode(&batch.take()).unwrap(), []);
    }

    #[test]
    fn a_bad_trade_loses_no_other() {
        let (mut batch, _) = batch();
        batch.push(0, &trade(7));
        let mut bytes = batch.take();
        // Three trades: one of no symbol, one that is no trade, and the good one.
        let good = bytes.split_off(batch.take().len());
        bytes.pop();
        bytes.push(0x93);
        bytes.extend([0x92, 9, 0xc4, 0, 0x92, 0, 0xc4, 3, 0x92, 1, 1]);
        bytes.extend(good);
        let trades = TradesBatch::decode(&bytes).unwrap();
        assert!(trades[0].is_err() && trades[1].is_err());
        assert_eq!(trades[2].as_ref().unwrap().1, trade(7));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_errors(mut bytes in vec(any::<u8>(), 0..60), keep in 0_usize..40) {
            let _ = TradesBatch::decode(&bytes);
            let (mut batch, _) = batch();
            batch.push(0, &trade(7));
            let mut whole = batch.take();
            whole.truncate(keep);
            whole.append(&mut bytes);
            let _ = TradesBatch::decode(&whole);
        }
    }
}
