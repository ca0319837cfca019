use market::Trade;
use schemas::TradesBatch;

use super::Gatherer;
use crate::names::{Defaults, Names};
use crate::source::Parsed;

fn parsed(names: &mut Names, venue: &str, symbol: &str, line: u64) -> Parsed {
    let defaults = Defaults {
        venue: "v".parse().unwrap(),
        symbol: None,
    };
    let listing = names.number(&defaults, venue.as_bytes(), symbol.as_bytes());
    Parsed {
        trade: Trade {
            time_ns: line.cast_signed(),
            price: "1.5".parse().unwrap(),
            quantity: None,
            side: None,
            id: None,
            scope: None,
            sender: None,
        },
        listing: listing.unwrap(),
        line,
    }
}

#[test]
fn a_chunk_holds_each_trade_once_under_its_venue_and_symbol() {
    let mut names = Names::default();
    let mut gatherer = Gatherer::default();
    let sent = [("a", "X"), ("b", "X"), ("a", "Y"), ("a", "X"), ("b", "Z")];
    for (line, (venue, symbol)) in (1..).zip(sent) {
        let parsed = parsed(&mut names, venue, symbol, line);
        gatherer.push(7, parsed);
    }
    let chunk = gatherer.cut(&names, 99).unwrap();
    assert_eq!(
        (chunk.sequence, chunk.bytes_read, gatherer.len()),
        (0, 99, 0)
    );
    let mut read = Vec::new();
    for request in &chunk.requests {
        let trades = TradesBatch::decode(&request.body).unwrap();
        for (trade, origin) in trades.into_iter().zip(&request.origins) {
            let (instrument, trade) = trade.unwrap();
            assert_eq!(instrument.venue(), request.venue.as_str());
            assert_eq!(
                (trade.time_ns.cast_unsigned(), origin.tape),
                (origin.line, 7)
            );
            read.push((origin.line, instrument.key().to_owned()));
        }
    }
    let expected = [(1, "a:X"), (3, "a:Y"), (4, "a:X"), (2, "b:X"), (5, "b:Z")];
    assert_eq!(read, expected.map(|(line, key)| (line, key.to_owned())));
    assert!(gatherer.cut(&names, 0).is_none());
    let parsed = parsed(&mut names, "b", "X", 9);
    gatherer.push(7, parsed);
    assert_eq!(gatherer.cut(&names, 0).unwrap().sequence, 1);
}
