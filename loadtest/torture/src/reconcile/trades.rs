//! Checks that every acknowledged trade counts once, with its latest values, and that no other
//! counts.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use market::{Instrument, Position, VenueSettings};
use store::{BarReader, TickStore, trades_current};

use super::outcome::{ComparisonResult, ReconcileOutcome};
use crate::cluster::TortureCluster;
use crate::oracle::{CountedTrade, Oracle};
use crate::sent_trades::{SentTrade, TradeValues, trade_name};

/// The venue of tapes, whose trades are not among the sent ones.
const TAPE: &str = "tape:";

/// Compares the acknowledged trades with the fold of the log.
pub(super) fn compare_acknowledged_trades(
    cluster: &TortureCluster,
    oracle: &Oracle,
    counted: &[CountedTrade],
    sent_tape_trades: u64,
    outcome: &mut ReconcileOutcome,
) {
    let mut comparison = ComparisonResult::new("acknowledged trades, in the log");
    let state = cluster.sent_trades.lock();
    let mut found: HashMap<String, Vec<&CountedTrade>> = HashMap::new();
    let mut from_tapes = 0;
    for one in counted {
        if one.instrument.starts_with(TAPE) {
            from_tapes += 1;
            continue;
        }
        let name = trade_name(&one.instrument, &one.trade);
        found.entry(name).or_default().push(one);
    }
    for (name, entry) in &state.trades {
        comparison.rows += 1;
        let ones = found.remove(name).unwrap_or_default();
        let values: Vec<_> = ones
            .iter()
            .map(|one| TradeValues::from_trade(&one.trade))
            .collect();
        // What was gone with the topic may have been sent again later, or not.
        if oracle.unfolded.contains(name) && values.len() <= 1 {
            continue;
        }
        if let Some(difference) = describe_and_record_difference(name, entry, &values, outcome) {
            comparison.differences.push(difference);
        }
    }
    for (name, ones) in found {
        let text = format!("{name} was never sent, and counts: {ones:?}");
        comparison.differences.push(text);
    }
    if from_tapes != sent_tape_trades {
        let text = format!("{from_tapes} trades of tapes count, {sent_tape_trades} were sent");
        comparison.differences.push(text);
    }
    outcome.comparisons.push(comparison);
}

/// Describes what is wrong with the counted deliveries of a trade; `None` if nothing is.
fn describe_and_record_difference(
    name: &str,
    entry: &SentTrade,
    found: &[TradeValues],
    outcome: &mut ReconcileOutcome,
) -> Option<String> {
    let text = |what: &str| Some(format!("{name} {what}: {entry:?}, found {found:?}"));
    match (entry.is_cancelled, found) {
        (true, []) => None,
        (true, _) => text("was cancelled, and counts"),
        (false, []) if entry.acknowledged_ms.is_none() => None,
        (false, []) => {
            outcome.lost.push(entry.sent_ms);
            text("is lost")
        }
        (false, [one]) if *one == entry.values => None,
        (false, [_]) => text("has other values"),
        (false, _) => {
            outcome.doubled.push(entry.sent_ms);
            text("is doubled")
        }
    }
}

/// Compares the fold of the log with the stored ticks that count.
pub(super) async fn compare_stored_trades(
    cluster: &TortureCluster,
    counted: &[CountedTrade],
    outcome: &mut ReconcileOutcome,
) -> anyhow::Result<()> {
    let mut comparison = ComparisonResult::new("trades, in the store of ticks");
    let mut expected: BTreeMap<&str, BTreeMap<Position, &CountedTrade>> = BTreeMap::new();
    for one in counted {
        let trades = expected.entry(&one.instrument).or_default();
        trades.insert(one.position, one);
    }
    for (key, trades) in expected {
        let instrument: Instrument = key.parse()?;
        let stored = read_stored_trades_that_count(cluster, &instrument).await?;
        for (position, one) in &trades {
            comparison.rows += 1;
            match stored.get(position) {
                None => {
                    outcome.lost.push(0);
                    comparison
                        .differences
                        .push(format!("{one:?} is not stored"));
                }
                Some(trade) if *trade != one.trade => {
                    let text = format!("stored is {trade:?}, should be {one:?}");
                    comparison.differences.push(text);
                }
                Some(_) => {}
            }
        }
        for (position, trade) in stored {
            if !trades.contains_key(&position) {
                outcome.doubled.push(0);
                let text = format!("{key} {position:?}: {trade:?} should not count");
                comparison.differences.push(text);
            }
        }
    }
    outcome.comparisons.push(comparison);
    Ok(())
}

/// Reads the trades of an instrument that count, by position.
async fn read_stored_trades_that_count(
    cluster: &TortureCluster,
    instrument: &Instrument,
) -> anyhow::Result<BTreeMap<Position, market::Trade>> {
    let partitions = cluster.kafka.partitions();
    let partition = schemas::partition_of(instrument.key().as_bytes(), partitions);
    let progress = cluster.bars.all_partition_progress().await?;
    let next = progress
        .iter()
        .find(|row| row.partition == partition)
        .map(|row| Position {
            epoch: row.epoch,
            offset: row.next_offset,
        })
        .unwrap_or_default();
    let mut rejected = Vec::new();
    for epoch in 1..=next.epoch {
        rejected.extend(
            cluster
                .bars
                .excluded_ranges(partition, epoch, 0, u64::MAX >> 1)
                .await?,
        );
    }
    let settings = read_stored_settings(cluster, instrument.venue()).await?;
    let ticks = cluster.ticks.read(instrument, 0, i64::MAX).await?;
    let current = trades_current(ticks, &rejected, next, &settings);
    Ok(current
        .into_iter()
        .map(|tick| (tick.position, tick.trade))
        .collect())
}

/// Reads the stored settings of a venue.
async fn read_stored_settings(
    cluster: &TortureCluster,
    venue: &str,
) -> anyhow::Result<VenueSettings> {
    let rows = cluster.bars.venues().await?;
    let row = rows.into_iter().find(|row| row.venue.as_str() == venue);
    Ok(row
        .with_context(|| format!("venue {venue} is not stored"))?
        .settings)
}
