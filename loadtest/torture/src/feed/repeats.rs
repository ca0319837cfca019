//! Trades of symbols that the feed does not use, and edits and cancels that are repeated.

use futures_util::future::join_all;
use market::AmendmentKind;

use super::TradeFeed;
use super::amend::randomize_values;
use crate::random::Random;
use crate::sent_trades::{TradeValues, trade_name};
use crate::trade_source::VenueTrade;

/// What is delivered, and whether to Kafka directly, like a foreign producer does.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    Trade {
        is_foreign: bool,
    },
    Amendment {
        kind: AmendmentKind,
        is_foreign: bool,
    },
}

impl TradeFeed {
    /// Sends trades until they are acknowledged, to the pods or directly to Kafka.
    pub(crate) async fn send_trades(&self, trades: &[VenueTrade], random: &mut Random) {
        self.record_sent_trades(trades);
        match random.one_in(2) {
            true => self.send_to_kafka(trades).await,
            false => {
                let key = format!("torture-{:016x}", random.next_u64());
                self.send_to_a_pod_with_retries(trades, &key).await;
            }
        }
        self.record_acknowledged_trades(trades);
    }

    /// Sends a trade, an edit of it and perhaps a cancel, each several times, in any order and
    /// perhaps all at once: also before the trade, and within one commit.
    pub(crate) async fn send_with_repeated_amendments(
        &self,
        venue_trade: &VenueTrade,
        random: &mut Random,
    ) {
        let trades = std::slice::from_ref(venue_trade);
        self.record_sent_trades(trades);
        let mut edited = venue_trade.clone();
        randomize_values(&mut edited.trade, random);
        let is_cancelled = random.one_in(2);
        let deliveries = draw_deliveries(is_cancelled, random);
        let key = format!("repeated-{:016x}", random.next_u64());
        let deliver = |delivery: Delivery| {
            let (edited, key) = (&edited, &key);
            async move {
                match delivery {
                    Delivery::Trade { is_foreign: true } => self.send_to_kafka(trades).await,
                    Delivery::Trade { is_foreign: false } => {
                        self.send_to_a_pod_with_retries(trades, key).await;
                    }
                    Delivery::Amendment { kind, is_foreign } => {
                        let id = format!("{}-{key}", kind.name());
                        match is_foreign {
                            true => self.send_amendment_to_kafka(edited, kind, &id).await,
                            false => {
                                self.send_amendment_to_a_pod_with_retries(edited, kind, &id)
                                    .await;
                            }
                        }
                    }
                }
            }
        };
        if random.one_in(2) {
            join_all(deliveries.into_iter().map(deliver)).await;
        } else {
            for delivery in deliveries {
                deliver(delivery).await;
            }
        }
        self.record_acknowledged_trades(trades);
        let mut state = self.sent_trades.lock();
        state.totals.edits += 1;
        state.totals.cancels += u64::from(is_cancelled);
        let name = trade_name(&venue_trade.instrument_key(), &venue_trade.trade);
        if let Some(entry) = state.trades.get_mut(&name) {
            entry.values = TradeValues::from_trade(&edited.trade);
            entry.is_cancelled = is_cancelled;
        }
    }
}

/// Returns the deliveries of a trade, of an edit and perhaps of a cancel, in random order. One of
/// each goes to Kafka directly: a pod may refuse to repeat a request while the first is in flight.
fn draw_deliveries(is_cancelled: bool, random: &mut Random) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for number in 0..random.between(1, 3) {
        let is_foreign = number == 0;
        deliveries.push(Delivery::Trade { is_foreign });
    }
    let kinds = [AmendmentKind::Edit, AmendmentKind::Cancel];
    for kind in kinds.into_iter().take(1 + usize::from(is_cancelled)) {
        for number in 0..random.between(1, 4) {
            let is_foreign = number % 2 == 0;
            deliveries.push(Delivery::Amendment { kind, is_foreign });
        }
    }
    random.shuffle(&mut deliveries);
    deliveries
}
