//! Trades that are sent together.

use market::{Symbol, Trade, Venue};
use schemas::TradesBatch;

use crate::instruments::InstrumentTable;
use crate::tape_reader::TapeTrade;

/// Where a trade came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TradeOrigin {
    /// The index of its tape on the command line.
    pub(crate) tape_index: usize,
    /// Its line, from 1.
    pub(crate) line: u64,
}

/// The body of one POST: trades of one venue.
#[derive(Debug)]
pub(crate) struct TradesRequest {
    pub(crate) venue: Venue,
    pub(crate) body: Vec<u8>,
    /// Where each trade came from, in the order of the body.
    pub(crate) origins: Vec<TradeOrigin>,
}

/// Trades that follow one another in the merged tapes. The chunk is acknowledged when all of its
/// requests are.
#[derive(Debug)]
pub(crate) struct TradesChunk {
    /// Its number in the run, from 0.
    pub(crate) sequence: u64,
    /// One for each venue.
    pub(crate) requests: Vec<TradesRequest>,
    /// The number of bytes of the files that were read when the chunk was finished.
    pub(crate) bytes_read: u64,
}

/// Gathers trades into chunks.
#[derive(Debug, Default)]
pub(crate) struct ChunkBuilder {
    trades: Vec<GatheredTrade>,
    next_sequence: u64,
    /// The index of each instrument among the symbols of the request that is being encoded.
    symbol_indexes: Vec<Option<u32>>,
}

#[derive(Debug)]
struct GatheredTrade {
    trade: Trade,
    instrument_index: u32,
    origin: TradeOrigin,
}

impl ChunkBuilder {
    /// Adds the next trade.
    pub(crate) fn add_trade(&mut self, tape_index: usize, trade: TapeTrade) {
        self.trades.push(GatheredTrade {
            trade: trade.trade,
            instrument_index: trade.instrument_index,
            origin: TradeOrigin {
                tape_index,
                line: trade.line,
            },
        });
    }

    /// Returns the number of trades since the last chunk.
    pub(crate) const fn trade_count(&self) -> usize {
        self.trades.len()
    }

    /// Encodes the gathered trades as the next chunk; `None` if there are none.
    pub(crate) fn finish_chunk(
        &mut self,
        instruments: &InstrumentTable,
        bytes_read: u64,
    ) -> Option<TradesChunk> {
        let mut venues: Vec<u32> = Vec::new();
        for gathered in &self.trades {
            let venue = instruments
                .instrument(gathered.instrument_index)
                .venue_index;
            if venues.last() != Some(&venue) && !venues.contains(&venue) {
                venues.push(venue);
            }
        }
        if venues.is_empty() {
            return None;
        }
        let requests = venues
            .into_iter()
            .map(|venue| self.encode_request(venue, instruments))
            .collect();
        self.trades.clear();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Some(TradesChunk {
            sequence,
            requests,
            bytes_read,
        })
    }

    /// Encodes the gathered trades of one venue as a request.
    fn encode_request(&mut self, venue_index: u32, instruments: &InstrumentTable) -> TradesRequest {
        self.symbol_indexes.clear();
        self.symbol_indexes.resize(instruments.len(), None);
        let mut symbols: Vec<Symbol> = Vec::new();
        for gathered in &self.trades {
            let instrument = instruments.instrument(gathered.instrument_index);
            let symbol_index = &mut self.symbol_indexes[gathered.instrument_index as usize];
            if instrument.venue_index == venue_index && symbol_index.is_none() {
                *symbol_index = u32::try_from(symbols.len()).ok();
                symbols.push(instrument.symbol.clone());
            }
        }
        let venue = instruments.venue(venue_index).clone();
        let mut batch = TradesBatch::new(&venue, &symbols);
        let mut origins = Vec::with_capacity(self.trades.len());
        for gathered in &self.trades {
            if let Some(index) = self.symbol_indexes[gathered.instrument_index as usize] {
                batch.push(index, &gathered.trade);
                origins.push(gathered.origin);
            }
        }
        TradesRequest {
            venue,
            body: batch.take_bytes(),
            origins,
        }
    }
}

#[cfg(test)]
mod tests;
