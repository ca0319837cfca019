//! A foreign producer that leaves a transaction open.

use std::collections::BTreeSet;

use clock::{Clock, SystemClock};
use market::{MINUTE_NS, Trade, TradeId};
use schemas::{TradesTopicRecord, partition_of};

use super::fault::Fault;
use crate::cluster::TortureCluster;

/// A venue with unique ids within the symbol, and the number of its symbols.
const VENUE: &str = "unique";
const SYMBOLS: u64 = 4;

impl Fault {
    /// Appends trades in a transaction, leaves it open for a while and aborts it. The trades must
    /// not count: they are not among the sent ones.
    pub(super) async fn hold_transaction_open_then_abort(
        &mut self,
        cluster: &TortureCluster,
    ) -> anyhow::Result<()> {
        let trades = self.random.between(1, 20);
        let records: Vec<_> = (0..trades).map(|_| self.legal_trade_record()).collect();
        let keys = records.iter().map(|(key, _)| key);
        let partitions = cluster.kafka.partitions();
        let partitions: BTreeSet<u32> = keys.map(|key| partition_of(key, partitions)).collect();
        let id = format!("torture-{:016x}", self.random.next_u64());
        let opened = cluster.kafka.open_transaction(id, schemas::TRADES, records);
        let transaction = opened.await?;
        cluster.journal.write_event(&format!(
            "{trades} trades are in an open transaction, in partitions {partitions:?}"
        ));
        SystemClock.sleep(self.lasts).await;
        transaction.abort().await?;
        cluster.journal.write_event("the transaction was aborted");
        let mut advance = Vec::new();
        TradesTopicRecord::Advance.encode(&mut advance);
        for partition in partitions {
            // Roles pass the markers of the transaction with the next record only.
            let topic = schemas::TRADES;
            let sent = cluster
                .kafka
                .send_until_acknowledged(topic, Some(partition), b"", &advance);
            sent.await;
        }
        Ok(())
    }

    /// Returns the key and the value of the record of a trade that would count.
    fn legal_trade_record(&mut self) -> (Vec<u8>, Vec<u8>) {
        let random = &mut self.random;
        let trade = Trade {
            time_ns: SystemClock.now_ns() - MINUTE_NS,
            price: "1.5".parse().unwrap_or(market::Decimal::ZERO),
            quantity: None,
            side: None,
            id: TradeId::parse(&format!("aborted-{:016x}", random.next_u64())).ok(),
            scope: None,
            sender: None,
        };
        let mut value = Vec::new();
        TradesTopicRecord::encode_trade(&trade, &mut value);
        let key = format!("{VENUE}:S{}", random.below(SYMBOLS));
        (key.into_bytes(), value)
    }
}
