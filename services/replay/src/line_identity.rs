//! What identifies the trades of tapes without ids.

use std::collections::HashMap;

use market::{Decimal, SenderTradeId, Side, Trade};

use crate::parsed_trade_line::TradeLineError;

/// The most different lines of a tape that are remembered: 52 MB of memory.
const REMEMBERED_LINES: usize = 1_800_000;

/// Identifies each trade of a tape by the values of its line, and by the number of equal lines
/// before it.
///
/// So the same lines are the same trades in whatever file, packing or order they come, and a line
/// that a tape holds twice is two trades.
#[derive(Debug)]
pub(crate) struct LineIdentifier {
    /// How often each line was read, by a digest of its instrument and values.
    lines: HashMap<u64, LineOccurrences>,
    /// The most entries of `lines`.
    capacity: usize,
    /// Lines with event times before this are no longer remembered.
    remembered_from_ns: i64,
}

/// A line that was read.
#[derive(Debug)]
struct LineOccurrences {
    time_ns: i64,
    occurrences: u32,
}

impl Default for LineIdentifier {
    fn default() -> Self {
        Self::with_capacity(REMEMBERED_LINES)
    }
}

impl LineIdentifier {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            lines: HashMap::new(),
            capacity,
            remembered_from_ns: i64::MIN,
        }
    }

    /// Returns the identity of the trade of the next line.
    ///
    /// # Errors
    /// [`TradeLineError::TooOld`] if it can no longer be known how many equal lines came before.
    pub(crate) fn identify(
        &mut self,
        instrument_index: u32,
        trade: &Trade,
    ) -> Result<SenderTradeId, TradeLineError> {
        if trade.time_ns < self.remembered_from_ns {
            return Err(TradeLineError::TooOld {
                limit: self.capacity / 2,
            });
        }
        let values = value_bytes(trade);
        let instrument = instrument_index.to_le_bytes();
        let line = self
            .lines
            .entry(digest([&values, &instrument]))
            .or_insert(LineOccurrences {
                time_ns: trade.time_ns,
                occurrences: 0,
            });
        let index = digest([&values, &line.occurrences.to_le_bytes()]);
        line.occurrences += 1;
        if self.lines.len() >= self.capacity {
            self.forget_older_half();
        }
        Ok(SenderTradeId {
            key: SenderTradeId::TAPE_KEY,
            index,
        })
    }

    /// Returns how many lines there is memory for.
    #[cfg(test)]
    pub(crate) fn allocated_lines(&self) -> usize {
        self.lines.capacity()
    }

    /// Forgets the lines whose event times are before the median, or all if they have one time.
    fn forget_older_half(&mut self) {
        let mut times: Vec<_> = self.lines.values().map(|line| line.time_ns).collect();
        let middle = times.len() / 2;
        let (_, median_ns, _) = times.select_nth_unstable(middle);
        self.remembered_from_ns = *median_ns;
        self.lines.retain(|_, line| line.time_ns >= *median_ns);
        if self.lines.len() >= self.capacity {
            self.remembered_from_ns = median_ns.saturating_add(1);
            let from_ns = self.remembered_from_ns;
            self.lines.retain(|_, line| line.time_ns >= from_ns);
        }
    }
}

/// Returns the values of a trade as bytes: equal values give equal bytes, however they were
/// written.
fn value_bytes(trade: &Trade) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(trade.time_ns.to_le_bytes());
    let decimal = |bytes: &mut Vec<u8>, value: Decimal| {
        bytes.extend(value.mantissa().to_le_bytes());
        bytes.push(value.scale());
    };
    decimal(&mut bytes, trade.price);
    bytes.push(trade.quantity.is_some().into());
    decimal(&mut bytes, trade.quantity.unwrap_or(Decimal::ZERO));
    bytes.push(match trade.side {
        None => 0,
        Some(Side::Buy) => 1,
        Some(Side::Sell) => 2,
    });
    // At a venue without ids a tape may have them all the same: they are values like others.
    let id = trade.id.as_ref().map(ToString::to_string);
    for text in [id.as_deref(), trade.scope.as_deref()] {
        let text = text.unwrap_or_default();
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Returns the first 64 bits of the BLAKE3 hash of two pieces, the second of which has 4 bytes.
fn digest(pieces: [&[u8]; 2]) -> u64 {
    let hash = blake3::Hasher::new()
        .update(pieces[0])
        .update(pieces[1])
        .finalize();
    let (first, _) = hash.as_bytes().split_at(8);
    u64::from_le_bytes(first.try_into().expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use market::{Side, Trade, TradeId};
    use proptest::prelude::*;

    use super::LineIdentifier;
    use crate::parsed_trade_line::TradeLineError;

    fn trade(time_ns: i64) -> Trade {
        Trade {
            time_ns,
            price: "1.5".parse().unwrap(),
            quantity: None,
            side: None,
            id: None,
            scope: None,
            sender: None,
        }
    }

    proptest! {
        #[test]
        fn the_order_of_lines_does_not_matter(
            (lines, shuffled) in prop::collection::vec((0..3_u32, 0..4_i64), 0..40)
                .prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        ) {
            let indexes = |lines: &[(u32, i64)]| {
                let mut identifier = LineIdentifier::default();
                let identify = |(instrument, time_ns): &(u32, i64)| {
                    let identity = identifier.identify(*instrument, &trade(*time_ns));
                    (*instrument, identity.unwrap().index)
                };
                lines.iter().map(identify).collect::<HashSet<_>>()
            };
            let found = indexes(&lines);
            prop_assert_eq!(found.len(), lines.len());
            prop_assert_eq!(found, indexes(&shuffled));
        }
    }

    #[test]
    fn each_value_counts_and_the_way_it_is_written_does_not() {
        let plain = trade(1);
        let mut others = vec![trade(2)];
        others.push(Trade {
            price: "1.51".parse().unwrap(),
            ..plain.clone()
        });
        others.push(Trade {
            quantity: Some("0".parse().unwrap()),
            ..plain.clone()
        });
        others.push(Trade {
            side: Some(Side::Buy),
            ..plain.clone()
        });
        others.push(Trade {
            id: Some(TradeId::Number(7)),
            ..plain.clone()
        });
        others.push(Trade {
            scope: Some("7".into()),
            ..plain.clone()
        });
        others.push(plain.clone());
        let mut identifier = LineIdentifier::default();
        let mut index_of = |trade: &Trade| identifier.identify(0, trade).unwrap().index;
        let indexes: HashSet<_> = others.iter().map(&mut index_of).collect();
        assert_eq!(indexes.len(), others.len());
        let rewritten = Trade {
            price: "1.500".parse().unwrap(),
            ..plain
        };
        let second = index_of(&rewritten);
        assert!(!indexes.contains(&second));
        let again = LineIdentifier::default()
            .identify(5, &rewritten)
            .unwrap()
            .index;
        assert!(indexes.contains(&again), "the instrument is not part of it");
    }

    #[test]
    fn memory_is_bounded_and_what_it_no_longer_tells_apart_is_refused() {
        let mut identifier = LineIdentifier::with_capacity(100);
        let mut seen = HashSet::new();
        for time_ns in 0..1_000 {
            // Each is 40 lines older than the newest at most, and comes twice.
            for _ in 0..2 {
                let line = trade(time_ns / 50 * 50 + 49 - time_ns % 50);
                assert!(seen.insert(identifier.identify(0, &line).unwrap().index));
            }
            assert!(identifier.lines.len() <= 100);
        }
        let refused = identifier.identify(0, &trade(800));
        assert_eq!(refused, Err(TradeLineError::TooOld { limit: 50 }));
        let mut identifier = LineIdentifier::with_capacity(100);
        for price in 1..=100 {
            let price = price.to_string().parse().unwrap();
            identifier
                .identify(0, &Trade { price, ..trade(7) })
                .unwrap();
        }
        assert!(identifier.lines.is_empty());
        assert!(identifier.identify(0, &trade(7)).is_err());
        assert!(identifier.identify(0, &trade(8)).is_ok());
    }
}
