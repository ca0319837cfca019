//! Sending the originals of dead letters again.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use eventlog::{Entry, Log};
use schemas::TradesRecord;

use super::arguments::Which;
use super::found::{Found, at, matching};
use super::source::Logs;

/// How many records are appended at once.
const BATCH: usize = 1_000;

/// Appends the original records to `trades` again, oldest first, once that is confirmed.
pub(super) async fn replay<L: Log>(
    logs: &Logs<L>,
    which: &Which,
    yes: bool,
) -> anyhow::Result<ExitCode> {
    let mut found = chosen(&logs.letters, which).await?;
    found.sort_by_key(|one| (one.append_time_ns, one.place));
    let total = found.len();
    // A control record belongs to its partition and its moment: its key names no other.
    found.retain(|one| !one.letter.key.is_empty());
    print!("{}", summary(&found, total - found.len()));
    if found.is_empty() {
        println!("nothing to send");
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !is_confirmed(found.len())? {
        println!("nothing was sent");
        return Ok(ExitCode::FAILURE);
    }
    let mut sent = 0;
    for (partition, entries) in by_partition(&found, logs.trades.partitions()) {
        for batch in entries.chunks(BATCH) {
            let appended = logs.trades.append(partition, batch.to_vec()).await;
            if let Err(error) = appended {
                println!(
                    "{sent} of {} records were sent before this failed",
                    found.len()
                );
                return Err(error.into());
            }
            sent += batch.len();
        }
    }
    println!("{sent} records were sent");
    Ok(ExitCode::SUCCESS)
}

async fn chosen<L: Log>(letters: &L, which: &Which) -> anyhow::Result<Vec<Found>> {
    let places = match which {
        Which::Matching(wanted) => return matching(letters, wanted).await,
        Which::Places(places) => places,
    };
    let mut found: Vec<Found> = Vec::new();
    for place in places {
        let one = at(letters, *place).await?;
        // Two dead letters may be of one record, where a process ended between them.
        let source = |one: &Found| (one.letter.partition, one.letter.position);
        if !found.iter().any(|known| source(known) == source(&one)) {
            found.push(one);
        }
    }
    Ok(found)
}

/// What would be sent, by reason, and what to know about it.
fn summary(found: &[Found], keyless: usize) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in found {
        *counts.entry(one.letter.reason.code()).or_default() += 1;
    }
    let mut out = String::new();
    for (reason, count) in counts {
        out.push_str(&format!("{count:>10}  {reason}\n"));
    }
    if keyless > 0 {
        out.push_str(&format!(
            "{keyless:>10}  left out: control records, which no key leads anywhere\n"
        ));
    }
    let nameless = found.iter().filter(|one| is_nameless(one)).count();
    if nameless > 0 {
        out.push_str(&format!(
            "{nameless} of them are trades that are known by their position only. Sent again they \
             count as new trades;\nthe others are known by their ids, so a second delivery of \
             them is harmless.\n"
        ));
    }
    out
}

/// Whether a second delivery could not be told from another trade.
fn is_nameless(found: &Found) -> bool {
    let record = TradesRecord::decode(&found.letter.value);
    matches!(record, Ok(TradesRecord::Trade(trade)) if trade.id.is_none() && trade.sender.is_none())
}

/// Asks, where there is somebody to answer.
fn is_confirmed(count: usize) -> anyhow::Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        println!("--yes is needed where nobody can be asked");
        return Ok(false);
    }
    print!("Append {count} records to the topic trades? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The records by the partitions that their keys name, each in order.
fn by_partition(found: &[Found], partitions: u32) -> BTreeMap<u32, Vec<Entry>> {
    let mut sorted: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for Found { letter, .. } in found {
        let partition = schemas::partition_of(&letter.key, partitions);
        sorted.entry(partition).or_default().push(Entry {
            key: letter.key.clone(),
            value: letter.value.clone(),
        });
    }
    sorted
}
