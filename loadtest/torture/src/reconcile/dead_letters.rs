//! Checks that `dead-letters` holds the records that do not count, and no others.

use std::collections::BTreeMap;

use schemas::DeadLetter;

use super::outcome::ComparisonResult;
use crate::cluster::TortureCluster;
use crate::oracle::{LogPosition, Oracle};

/// Returns the part of a key or a value that a dead letter keeps.
fn truncate_as_dead_letter(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1 << 20)]
}

pub(super) async fn compare_dead_letters(
    cluster: &TortureCluster,
    oracle: &Oracle,
) -> anyhow::Result<ComparisonResult> {
    let mut comparison = ComparisonResult::new("dead letters");
    let mut letters: BTreeMap<LogPosition, DeadLetter> = BTreeMap::new();
    for record in cluster
        .kafka
        .read_topic(schemas::DEAD_LETTERS)
        .await?
        .iter()
        .flatten()
    {
        match DeadLetter::decode(&record.value) {
            Ok(letter) => {
                let position = letter.position;
                let place = (position.epoch, letter.partition, position.offset);
                letters.insert(place, letter);
            }
            Err(error) => comparison.differences.push(format!("{error}: {record:?}")),
        }
    }
    for garbage in &cluster.sent_trades.lock().garbage {
        let place = (garbage.epoch, garbage.partition, garbage.offset);
        if oracle.is_at_or_beyond_end(place) {
            continue;
        }
        let found = oracle.dead.get(&place).map(|dead| dead.reason);
        if found != Some(garbage.reason) {
            let (what, reason) = (garbage.what, garbage.reason);
            let text = format!("{what} at {place:?} is {reason:?}, and {found:?} in the log");
            comparison.differences.push(text);
        }
    }
    for (place, dead) in &oracle.dead {
        comparison.rows += 1;
        match letters.remove(place) {
            None => comparison
                .differences
                .push(format!("{place:?} is missing: {dead:?}")),
            Some(letter) => {
                let is_same = letter.reason == dead.reason
                    && letter.key == truncate_as_dead_letter(&dead.key)
                    && letter.value == truncate_as_dead_letter(&dead.value);
                if !is_same {
                    let text = format!("{place:?} is {letter:?}, should be {dead:?}");
                    comparison.differences.push(text);
                }
            }
        }
    }
    // Dead letters are written before the transaction that passes their records.
    letters.retain(|place, _| !oracle.is_at_or_beyond_end(*place));
    for (place, letter) in letters {
        let text = format!("{place:?} is one, and should count: {letter:?}");
        comparison.differences.push(text);
    }
    Ok(comparison)
}
