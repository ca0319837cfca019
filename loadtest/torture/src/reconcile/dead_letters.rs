//! Checks that `dead-letters` holds the records that do not count, and no others.

use std::collections::BTreeMap;

use schemas::DeadLetter;

use super::outcome::Check;
use crate::cluster::Cluster;
use crate::oracle::{LogPosition, Oracle};

/// Returns the part of a key or a value that a dead letter keeps.
fn truncated(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(1 << 20)]
}

pub(super) async fn check(cluster: &Cluster, oracle: &Oracle) -> anyhow::Result<Check> {
    let mut check = Check::new("dead letters");
    let mut letters: BTreeMap<LogPosition, DeadLetter> = BTreeMap::new();
    for record in cluster
        .kafka
        .read(schemas::DEAD_LETTERS)
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
            Err(error) => check.differences.push(format!("{error}: {record:?}")),
        }
    }
    for garbage in &cluster.sent_trades.lock().garbage {
        let place = (garbage.epoch, garbage.partition, garbage.offset);
        if !oracle.dead.contains_key(&place) {
            let text = format!("{} at {place:?} is not garbage in the log", garbage.what);
            check.differences.push(text);
        }
    }
    for (place, dead) in &oracle.dead {
        check.rows += 1;
        match letters.remove(place) {
            None => check
                .differences
                .push(format!("{place:?} is missing: {dead:?}")),
            Some(letter) => {
                let is_same = letter.reason == dead.reason
                    && letter.key == truncated(&dead.key)
                    && letter.value == truncated(&dead.value);
                if !is_same {
                    let text = format!("{place:?} is {letter:?}, should be {dead:?}");
                    check.differences.push(text);
                }
            }
        }
    }
    for (place, letter) in letters {
        let text = format!("{place:?} is one, and should count: {letter:?}");
        check.differences.push(text);
    }
    Ok(check)
}
