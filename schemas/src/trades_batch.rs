//! The compact form of many trades of one venue.

use market::{Instrument, Symbol, TextError, Trade, Venue};
use rmp::encode::{write_array_len, write_bin, write_str, write_uint};

use crate::error::DecodeError;
use crate::record_reader::RecordReader;
use crate::record_writer::IN_MEMORY;
use crate::trades::TradesTopicRecord;

const BATCH_VERSION: u64 = 1;
const BATCH_ELEMENTS: u32 = 4;
const TRADE_ELEMENTS: u32 = 2;
/// The longest header of an array.
const ARRAY_HEADER_BYTES: usize = 5;

/// Many trades of one venue, as `replay` sends them: the MessagePack array
/// `[1, venue, [symbol, …], [[index of the symbol, record], …]]`, where a record is the binary of
/// a trade as the topic `trades` holds it. The content type is [`TradesBatch::CONTENT_TYPE`].
#[derive(Debug, Clone)]
pub struct TradesBatch {
    symbol_count: u32,
    trade_count: u32,
    /// The bytes before the array of trades.
    head: Vec<u8>,
    /// The elements of the array of trades.
    trades: Vec<u8>,
    /// The buffer of one record.
    record: Vec<u8>,
}

/// Why bytes are not a [`TradesBatch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TradesBatchError {
    /// The bytes around the trades are not MessagePack or have another structure.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The venue or a symbol is not a valid name.
    #[error("{field} {reason}")]
    Name {
        /// `venue` or `symbol`.
        field: &'static str,
        /// What is wrong with it.
        reason: TextError,
    },
    /// A newer version wrote the batch.
    #[error("batch version {found} is not known; this version reads 1")]
    Version {
        /// The batch's version.
        found: u64,
    },
}

impl TradesBatchError {
    /// Returns the part of the batch that is at fault.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.field(),
            Self::Name { field, .. } => field,
            Self::Version { .. } => "version",
        }
    }
}

/// One trade of a batch, or why its bytes are not a trade.
pub type BatchTrade = Result<(Instrument, Trade), DecodeError>;

impl TradesBatch {
    /// The content type of a batch.
    pub const CONTENT_TYPE: &str = "application/vnd.candlewick.trades";

    /// Returns an empty batch of trades of these symbols.
    #[must_use]
    pub fn new(venue: &Venue, symbols: &[Symbol]) -> Self {
        let symbol_count = u32::try_from(symbols.len()).expect("symbols fit in memory");
        let mut head = Vec::new();
        write_array_len(&mut head, BATCH_ELEMENTS).expect(IN_MEMORY);
        write_uint(&mut head, BATCH_VERSION).expect(IN_MEMORY);
        write_str(&mut head, venue.as_str()).expect(IN_MEMORY);
        write_array_len(&mut head, symbol_count).expect(IN_MEMORY);
        for symbol in symbols {
            write_str(&mut head, symbol.as_str()).expect(IN_MEMORY);
        }
        Self {
            symbol_count,
            trade_count: 0,
            head,
            trades: Vec::new(),
            record: Vec::new(),
        }
    }

    /// Adds a trade of the symbol with the index `symbol_index` among those given to
    /// [`TradesBatch::new`].
    ///
    /// # Panics
    /// If there is no such symbol.
    pub fn push(&mut self, symbol_index: u32, trade: &Trade) {
        assert!(
            symbol_index < self.symbol_count,
            "the batch has no symbol {symbol_index}"
        );
        self.record.clear();
        TradesTopicRecord::encode_trade(trade, &mut self.record);
        write_array_len(&mut self.trades, TRADE_ELEMENTS).expect(IN_MEMORY);
        write_uint(&mut self.trades, symbol_index.into()).expect(IN_MEMORY);
        write_bin(&mut self.trades, &self.record).expect(IN_MEMORY);
        self.trade_count += 1;
    }

    /// Returns the number of trades.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.trade_count
    }

    /// Returns whether there are no trades.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trade_count == 0
    }

    /// Returns how many bytes [`TradesBatch::take_bytes`] would return at the most.
    #[must_use]
    pub const fn encoded_size_upper_bound_bytes(&self) -> usize {
        self.head.len() + ARRAY_HEADER_BYTES + self.trades.len()
    }

    /// Returns the batch's bytes and removes its trades; the symbols stay.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_size_upper_bound_bytes());
        out.extend_from_slice(&self.head);
        write_array_len(&mut out, self.trade_count).expect(IN_MEMORY);
        out.append(&mut self.trades);
        self.trade_count = 0;
        out
    }

    /// Reads a batch. A trade that does not decode does not affect the others.
    ///
    /// # Errors
    /// [`TradesBatchError`] if the bytes around the trades cannot be read.
    pub fn decode(bytes: &[u8]) -> Result<Vec<BatchTrade>, TradesBatchError> {
        let mut trades = Vec::new();
        Self::decode_each(bytes, |trade| trades.push(trade))?;
        Ok(trades)
    }

    /// Does the same, and passes each trade to `on_trade` as it is read. If the bytes around the
    /// trades are broken, the trades before that place were passed on.
    ///
    /// # Errors
    /// [`TradesBatchError`] if the bytes around the trades cannot be read.
    pub fn decode_each(
        bytes: &[u8],
        mut on_trade: impl FnMut(BatchTrade),
    ) -> Result<(), TradesBatchError> {
        let mut reader = RecordReader::new(bytes);
        reader.read_array_of_length("batch", BATCH_ELEMENTS)?;
        match reader.read_u64("version")? {
            BATCH_VERSION => {}
            found => return Err(TradesBatchError::Version { found }),
        }
        let instruments = read_instruments(&mut reader)?;
        for _ in 0..reader.read_array_length("trades")? {
            reader.read_array_of_length("trade", TRADE_ELEMENTS)?;
            let symbol_index = reader.read_u64("symbol")?;
            let record = reader.read_binary("record")?;
            let instrument = usize::try_from(symbol_index)
                .ok()
                .and_then(|index| instruments.get(index));
            on_trade(decode_batch_trade(instrument, record));
        }
        Ok(reader.check_fully_read("batch")?)
    }
}

fn read_instruments(reader: &mut RecordReader<'_>) -> Result<Vec<Instrument>, TradesBatchError> {
    let name_error = |field| move |reason| TradesBatchError::Name { field, reason };
    let venue = reader.read_text("venue")?;
    let venue: Venue = venue.parse().map_err(name_error("venue"))?;
    let count = reader.read_array_length("symbols")?;
    let mut instruments = Vec::with_capacity((count as usize).min(reader.unread_byte_count()));
    for _ in 0..count {
        let symbol = reader.read_text("symbols")?;
        let symbol: Symbol = symbol.parse().map_err(name_error("symbol"))?;
        instruments.push(Instrument::new(&venue, &symbol));
    }
    Ok(instruments)
}

fn decode_batch_trade(instrument: Option<&Instrument>, record: &[u8]) -> BatchTrade {
    let no_symbol = || DecodeError::malformed("symbol", "the batch has no symbol of this index");
    let instrument = instrument.ok_or_else(no_symbol)?;
    match TradesTopicRecord::decode(record)? {
        TradesTopicRecord::Trade(trade) => Ok((instrument.clone(), trade)),
        _ => Err(DecodeError::malformed("record", "it is not a trade")),
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
        let bytes = batch.take_bytes();
        assert!(batch.is_empty());
        let venue = "kraken".parse().unwrap();
        let trades = TradesBatch::decode(&bytes).unwrap();
        let expected = [
            Ok((Instrument::new(&venue, &symbols[1]), trade(7))),
            Ok((Instrument::new(&venue, &symbols[0]), trade(8))),
        ];
        assert_eq!(trades, expected);
        assert_eq!(TradesBatch::decode(&batch.take_bytes()).unwrap(), []);
    }

    #[test]
    fn a_bad_trade_loses_no_other() {
        let (mut batch, _) = batch();
        batch.push(0, &trade(7));
        let mut bytes = batch.take_bytes();
        // A trade of symbol 9, which the batch does not have; a value that is no trade; a valid
        // one.
        let good = bytes.split_off(batch.take_bytes().len());
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
            let mut whole = batch.take_bytes();
            whole.truncate(keep);
            whole.append(&mut bytes);
            let _ = TradesBatch::decode(&whole);
        }
    }
}
