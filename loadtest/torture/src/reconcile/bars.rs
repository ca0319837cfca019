//! Checks that every stored bar is the fold of the trades in the log.

use std::collections::BTreeSet;

use market::{BarRow, Instrument, Interval};
use store::{BarQuery, BarReader, SymbolQuery};

use super::outcome::ComparisonResult;
use crate::cluster::TortureCluster;
use crate::oracle::{CountedTrade, compute_bars};

/// The number of rows of a page.
const PAGE: u32 = 10_000;

pub(super) async fn compare_stored_bars(
    cluster: &TortureCluster,
    counted: &[CountedTrade],
) -> anyhow::Result<ComparisonResult> {
    let mut comparison = ComparisonResult::new("bars of 7 intervals");
    let mut expected = compute_bars(counted);
    let mut keys: BTreeSet<String> = expected.keys().map(|(key, ..)| key.clone()).collect();
    let query = SymbolQuery {
        venue: None,
        after: None,
        limit: PAGE,
    };
    let symbols = cluster.bars.symbols(&query).await?;
    keys.extend(symbols.iter().map(|row| row.instrument.key().to_owned()));
    for key in keys {
        let instrument: Instrument = key.parse()?;
        for interval in Interval::ALL {
            for row in read_stored_bars(cluster, &instrument, interval).await? {
                let start_ns = row.window.start_ns;
                let name = (key.clone(), interval, start_ns);
                let plain = expected.remove(&name);
                comparison.rows += 1;
                let place = format!(
                    "{key} {} {}",
                    interval.name(),
                    market::format_time(start_ns)
                );
                match plain {
                    // All its trades were cancelled: the emptied bar is still stored.
                    None if row.bar.trades == 0 => {}
                    None => comparison
                        .differences
                        .push(format!("{place}: stored, and no trade is in it: {row:?}")),
                    Some(plain) => {
                        let found = plain.describe_differing_fields(&row).join("; ");
                        if !found.is_empty() {
                            let through = row.through;
                            let text = format!("{place} through {through:?}: {found}");
                            comparison.differences.push(text);
                        }
                    }
                }
            }
        }
    }
    for ((key, interval, start_ns), plain) in expected {
        let start = market::format_time(start_ns);
        let text = format!("{key} {} {start}: not stored: {plain:?}", interval.name());
        comparison.differences.push(text);
    }
    Ok(comparison)
}

async fn read_stored_bars(
    cluster: &TortureCluster,
    instrument: &Instrument,
    interval: Interval,
) -> anyhow::Result<Vec<BarRow>> {
    let mut rows: Vec<BarRow> = Vec::new();
    loop {
        let start_ns = rows.last().map_or(0, |row| row.window.start_ns + 1);
        let query = BarQuery {
            instrument: instrument.clone(),
            interval,
            start_ns,
            end_ns: i64::MAX,
            limit: PAGE,
            keep_newest: false,
        };
        let page = cluster.bars.bar_range(&query).await?;
        let is_last = page.len() < PAGE as usize;
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}
