use market::Trade;
use schemas::TradesBatch;

use super::ChunkBuilder;
use crate::instruments::{InstrumentTable, LineInstrumentDefaults};
use crate::tape_reader::TapeTrade;

fn tape_trade(table: &mut InstrumentTable, venue: &str, symbol: &str, line: u64) -> TapeTrade {
    let defaults = LineInstrumentDefaults {
        venue: "v".parse().unwrap(),
        symbol: None,
    };
    let instrument_index = table.find_or_add(&defaults, venue.as_bytes(), symbol.as_bytes());
    TapeTrade {
        trade: Trade {
            time_ns: line.cast_signed(),
            price: "1.5".parse().unwrap(),
            quantity: None,
            side: None,
            id: None,
            scope: None,
            sender: None,
        },
        instrument_index: instrument_index.unwrap(),
        line,
    }
}

#[test]
fn a_chunk_holds_each_trade_once_under_its_venue_and_symbol() {
    let mut table = InstrumentTable::default();
    let mut builder = ChunkBuilder::default();
    let sent = [("a", "X"), ("b", "X"), ("a", "Y"), ("a", "X"), ("b", "Z")];
    for (line, (venue, symbol)) in (1..).zip(sent) {
        let trade = tape_trade(&mut table, venue, symbol, line);
        builder.add_trade(7, trade);
    }
    let chunk = builder.finish_chunk(&table, 99).unwrap();
    assert_eq!(
        (chunk.sequence, chunk.bytes_read, builder.trade_count()),
        (0, 99, 0)
    );
    let mut read = Vec::new();
    for request in &chunk.requests {
        let trades = TradesBatch::decode(&request.body).unwrap();
        for (trade, origin) in trades.into_iter().zip(&request.origins) {
            let (instrument, trade) = trade.unwrap();
            assert_eq!(instrument.venue(), request.venue.as_str());
            assert_eq!(
                (trade.time_ns.cast_unsigned(), origin.tape_index),
                (origin.line, 7)
            );
            read.push((origin.line, instrument.key().to_owned()));
        }
    }
    let expected = [(1, "a:X"), (3, "a:Y"), (4, "a:X"), (2, "b:X"), (5, "b:Z")];
    assert_eq!(read, expected.map(|(line, key)| (line, key.to_owned())));
    assert!(builder.finish_chunk(&table, 0).is_none());
    let trade = tape_trade(&mut table, "b", "X", 9);
    builder.add_trade(7, trade);
    assert_eq!(builder.finish_chunk(&table, 0).unwrap().sequence, 1);
}
