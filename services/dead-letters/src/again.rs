//! Sending the originals of dead letters again.

mod sending;
mod summary;

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use eventlog::Log;

use self::sending::Sending;
use self::summary::Summary;
use super::arguments::Which;
use super::chosen::Chosen;
use super::found::Item;
use super::source::Logs;
use super::undecoded::{Undecoded, tell};

/// Appends the original records to `trades` again, oldest first, once that is confirmed. The
/// topic is gone through twice, to count and to send, so that it need not be held in memory.
pub(super) async fn replay<L: Log>(
    logs: &Logs<L>,
    which: &Which,
    yes: bool,
) -> anyhow::Result<ExitCode> {
    let mut undecoded = Undecoded::default();
    let chosen = Chosen::of(&logs.letters, which, &mut undecoded, tell).await?;
    let summary = count(logs, &chosen, &mut undecoded).await?;
    print!("{summary}");
    // One that was asked for by its place is missed; of others nobody knows what they were.
    let code = match which {
        Which::Places(_) if !undecoded.is_empty() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    };
    if summary.count() == 0 {
        println!("nothing to send");
        return Ok(code);
    }
    if !yes && !is_confirmed(summary.count())? {
        println!("nothing was sent");
        return Ok(ExitCode::FAILURE);
    }
    let mut sending = Sending::new(&logs.trades);
    let sent = send(logs, &chosen, &mut sending).await;
    if let Err(error) = sent {
        let (sent, count) = (sending.sent(), summary.count());
        println!("{sent} of {count} records were sent before this failed");
        return Err(error);
    }
    println!("{} records were sent", sending.sent());
    Ok(code)
}

async fn count<L: Log>(
    logs: &Logs<L>,
    chosen: &Chosen<'_>,
    undecoded: &mut Undecoded,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    let mut walk = chosen.walk(&logs.letters);
    while let Some(item) = walk.next().await? {
        match item {
            Item::Letter(found) => summary.note(&found.letter),
            Item::Other(other) => undecoded.note(&other).iter().for_each(|line| tell(line)),
        }
    }
    undecoded.rest().iter().for_each(|line| tell(line));
    Ok(summary)
}

async fn send<L: Log>(
    logs: &Logs<L>,
    chosen: &Chosen<'_>,
    sending: &mut Sending<'_, L>,
) -> anyhow::Result<()> {
    let mut walk = chosen.walk(&logs.letters);
    while let Some(item) = walk.next().await? {
        if let Item::Letter(found) = item {
            sending.take(found.letter).await?;
        }
    }
    Ok(sending.flush().await?)
}

/// Asks, where there is somebody to answer.
fn is_confirmed(count: u64) -> anyhow::Result<bool> {
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

#[cfg(test)]
mod tests {
    use eventlog::MemoryLog;
    use schemas::DeadLetter;

    use super::*;
    use crate::arguments::Filter;
    use crate::world::{GARBAGE, letter, log, place};

    /// The values that were appended, of both partitions.
    async fn appended(trades: &MemoryLog, before: u64) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        for partition in [0, 1] {
            let batch = trades.fetch(partition, before, 1 << 20).await.unwrap();
            values.extend(batch.records.iter().map(|record| record.value.to_vec()));
        }
        values
    }

    fn of(offset: u64, value: &'static str) -> DeadLetter {
        DeadLetter {
            value: value.into(),
            ..letter(offset, "v:A")
        }
    }

    fn values() -> Vec<Vec<u8>> {
        let keyless = letter(9, "").encode();
        vec![
            of(1, "one").encode(),
            GARBAGE.to_vec(),
            of(1, "one").encode(),
            of(2, "two").encode(),
            keyless,
            of(3, "three").encode(),
        ]
    }

    #[tokio::test]
    async fn each_is_sent_once_in_order_and_what_is_none_is_passed_over() {
        let logs = Logs {
            letters: log(1 << 20, &values()).await,
            trades: log(1 << 20, &[]).await,
        };
        let all = Which::Matching(Filter::default());
        let code = replay(&logs, &all, true).await.unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let sent = appended(&logs.trades, 0).await;
        assert_eq!(sent, [&b"one"[..], b"two", b"three"]);

        // Of those that are named, one that is none is missed.
        let places = ["1/1", "1/0", "0/0", "0/1"].map(place);
        let named = Which::Places(places.to_vec());
        let code = replay(&logs, &named, true).await.unwrap();
        assert_eq!(code, ExitCode::FAILURE);
        let sent = appended(&logs.trades, 0).await;
        assert_eq!(sent[3..], [&b"one"[..], b"two"]);
        let code = replay(&logs, &Which::Places(vec![place("0/7")]), true).await;
        assert!(code.is_err());
    }

    #[tokio::test]
    async fn what_comes_of_it_is_not_sent_again() {
        let letters = log(1 << 20, &values()).await;
        let trades = letters.clone();
        let logs = Logs { letters, trades };
        let all = Which::Matching(Filter::default());
        replay(&logs, &all, true).await.unwrap();
        let sent = appended(&logs.trades, 3).await;
        assert_eq!(sent, [&b"one"[..], b"two", b"three"]);
    }
}
