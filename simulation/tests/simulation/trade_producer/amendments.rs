//! Edits, cancels, repairs and refolds.

use eventlog::NewRecord;
use market::{
    Amendment, AmendmentKind, Bar, Instrument, MINUTE_NS, Position, Side, Trade, TradeId,
};
use schemas::{RefoldResult, Repair, TradesTopicRecord};

use super::{ProducerRecordGenerator, encode_record, partition_of_key, random_decimal};

impl ProducerRecordGenerator {
    /// Returns an edit or a cancel of a trade that was sent, will be sent, or is never sent.
    pub(super) fn next_amendment_record(&mut self) -> (u32, NewRecord) {
        if self.named.is_empty() {
            return self.garbage_record();
        }
        let random = self.random.clone();
        let recent = self.named.len().min(20);
        let skip = usize::try_from(random.below(recent as u64)).unwrap();
        let place = if random.one_in(4) {
            random.index(self.named.len())
        } else {
            self.named.len() - 1 - skip
        };
        let (instrument, mut trade) = self.named[place].clone();
        trade.price = self.random_price(random.one_in(40));
        trade.quantity = (!random.one_in(5)).then(|| random_decimal(&random, false));
        trade.side = *random.choose(&[None, Some(Side::Buy), Some(Side::Sell)]);
        if random.one_in(20) {
            trade.time_ns += MINUTE_NS;
        }
        let by_place = trade.id.is_none() && trade.sender.is_none() || random.one_in(30);
        if !random.one_in(10) {
            self.next_amendment += 1;
        }
        let amendment = Amendment {
            id: TradeId::parse(&format!("a{}", self.next_amendment)).unwrap(),
            kind: *random.choose(&[AmendmentKind::Edit, AmendmentKind::Cancel]),
            target_position: by_place.then(|| Position {
                epoch: random.below(self.epoch) + 1,
                offset: random.below(400),
            }),
        };
        let key = instrument.key().to_owned();
        let record = TradesTopicRecord::Amendment(amendment, trade);
        let one = (partition_of_key(&key), encode_record(&key, &record));
        if random.one_in(3) {
            self.sent.push(one.clone());
        }
        one
    }

    /// Returns amendments of some trades that were held back, and others of those trades.
    pub fn records_of_held_back_trades(&mut self) -> Vec<(u32, NewRecord)> {
        let random = self.random.clone();
        let mut records = Vec::new();
        for (instrument, trade) in std::mem::take(&mut self.held_back) {
            let target = (instrument, trade);
            match random.below(3) {
                0 => records.extend(self.two_amendments_with_one_id(&target)),
                1 => {
                    let (instrument, trade) = target;
                    let record = TradesTopicRecord::Trade(trade);
                    let key = instrument.key();
                    records.push((partition_of_key(key), encode_record(key, &record)));
                    continue;
                }
                _ => {}
            }
            self.held_back.push(target);
        }
        records
    }

    /// Returns two amendments of a trade with the same id, of which only the first counts.
    fn two_amendments_with_one_id(
        &mut self,
        (instrument, trade): &(Instrument, Trade),
    ) -> [(u32, NewRecord); 2] {
        self.next_amendment += 1;
        [(); 2].map(|()| {
            let amendment = Amendment {
                id: TradeId::parse(&format!("h{}", self.next_amendment)).unwrap(),
                kind: *self
                    .random
                    .choose(&[AmendmentKind::Edit, AmendmentKind::Cancel]),
                target_position: None,
            };
            let trade = Trade {
                price: random_decimal(&self.random, false),
                ..trade.clone()
            };
            let record = TradesTopicRecord::Amendment(amendment, trade);
            let key = instrument.key();
            (partition_of_key(key), encode_record(key, &record))
        })
    }

    /// Returns a repair, or a refold without a mark.
    pub(super) fn repair_or_refold(&self) -> (u32, NewRecord) {
        let (instrument, _, _) = self.random.choose(&self.instruments);
        let minute_ns = self.event_time().max(0) / MINUTE_NS * MINUTE_NS;
        let record = if self.random.one_in(3) {
            // Far behind the end of the log, where no mark is.
            let offset = 1_000_000 + self.random.below(300);
            TradesTopicRecord::Refold(Box::new(RefoldResult {
                start_ns: minute_ns,
                up_to: Position {
                    epoch: self.epoch,
                    offset,
                },
                bar: Bar::empty(minute_ns, 0, 0),
            }))
        } else {
            let minutes = i64::try_from(self.random.below(5) + 1).unwrap();
            TradesTopicRecord::Repair(Repair {
                force: self.random.one_in(4),
                start_ns: minute_ns,
                end_ns: minute_ns + minutes * MINUTE_NS,
            })
        };
        let key = instrument.key();
        (partition_of_key(key), encode_record(key, &record))
    }
}
