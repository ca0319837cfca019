//! The action `replay`: sends the original records of dead letters again.

mod batch_sender;
mod summary;

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use eventlog::Log;

use self::batch_sender::OriginalRecordBatchSender;
use self::summary::ResendSummary;
use crate::arguments::ResendSelection;
use crate::foreign_records::{ForeignRecordWarnings, print_warning};
use crate::log_source::DeadLettersAndTradesLogs;
use crate::selection::RepeatableResendSelection;
use crate::topic_record::DeadLettersTopicRecord;

/// Appends the original records to `trades` again, oldest first, once the user has confirmed it.
/// The topic is read twice, to count and to send, so that it need not be kept in memory.
pub(crate) async fn resend_dead_letters<L: Log>(
    logs: &DeadLettersAndTradesLogs<L>,
    selection: &ResendSelection,
    is_confirmed: bool,
) -> anyhow::Result<ExitCode> {
    let mut foreign_warnings = ForeignRecordWarnings::default();
    let log = &logs.dead_letters;
    let selected = RepeatableResendSelection::resolve_locations_or_bounds(
        log,
        selection,
        &mut foreign_warnings,
        print_warning,
    )
    .await?;
    let summary = summarize_selected(logs, &selected, &mut foreign_warnings).await?;
    print!("{summary}");
    // A selected location without a dead letter is a failure. Other foreign records are not, since
    // nothing shows whether they were wanted.
    let code = match selection {
        ResendSelection::Locations(_) if foreign_warnings.has_seen_foreign_records() => {
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    };
    if summary.sendable_record_count() == 0 {
        println!("nothing to send");
        return Ok(code);
    }
    if !is_confirmed && !ask_for_confirmation(summary.sendable_record_count())? {
        println!("nothing was sent");
        return Ok(ExitCode::FAILURE);
    }
    let mut sender = OriginalRecordBatchSender::new(&logs.trades);
    let outcome = send_selected_records(logs, &selected, &mut sender).await;
    if let Err(error) = outcome {
        let (sent, count) = (sender.sent_count(), summary.sendable_record_count());
        println!("{sent} of {count} records were sent before this failed");
        return Err(error);
    }
    println!("{} records were sent", sender.sent_count());
    Ok(code)
}

async fn summarize_selected<L: Log>(
    logs: &DeadLettersAndTradesLogs<L>,
    selected: &RepeatableResendSelection<'_>,
    foreign_warnings: &mut ForeignRecordWarnings,
) -> anyhow::Result<ResendSummary> {
    let mut summary = ResendSummary::default();
    let mut reader = selected.reader(&logs.dead_letters);
    while let Some(record) = reader.next_record().await? {
        match record {
            DeadLettersTopicRecord::DeadLetter(stored) => summary.add(&stored.letter),
            DeadLettersTopicRecord::Foreign(record) => {
                let warning = foreign_warnings.add(&record);
                warning.iter().for_each(|line| print_warning(line));
            }
        }
    }
    let warnings = foreign_warnings.take_remaining_warnings();
    warnings.iter().for_each(|line| print_warning(line));
    Ok(summary)
}

async fn send_selected_records<L: Log>(
    logs: &DeadLettersAndTradesLogs<L>,
    selected: &RepeatableResendSelection<'_>,
    sender: &mut OriginalRecordBatchSender<'_, L>,
) -> anyhow::Result<()> {
    let mut reader = selected.reader(&logs.dead_letters);
    while let Some(record) = reader.next_record().await? {
        if let DeadLettersTopicRecord::DeadLetter(stored) = record {
            sender
                .add_original_record_and_flush_if_full(stored.letter)
                .await?;
        }
    }
    Ok(sender.flush().await?)
}

/// Asks the user on the terminal. Without a terminal the answer is no.
fn ask_for_confirmation(record_count: u64) -> anyhow::Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        println!("--yes is needed, since standard input is not a terminal");
        return Ok(false);
    }
    print!("Append {record_count} records to the topic trades? [y/N] ");
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
    use crate::filter::DeadLetterFilter;
    use crate::test_topic::{GARBAGE, dead_letter, dead_letter_topic_log, location};

    /// Returns the values of both partitions from offset `first` on.
    async fn values_from(trades: &MemoryLog, first: u64) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        for partition in [0, 1] {
            let batch = trades.fetch(partition, first, 1 << 20).await.unwrap();
            values.extend(batch.records.iter().map(|record| record.value.to_vec()));
        }
        values
    }

    fn letter_with_value(offset: u64, value: &'static str) -> DeadLetter {
        DeadLetter {
            value: value.into(),
            ..dead_letter(offset, "v:A")
        }
    }

    fn topic_values() -> Vec<Vec<u8>> {
        let keyless = dead_letter(9, "").encode();
        vec![
            letter_with_value(1, "one").encode(),
            GARBAGE.to_vec(),
            letter_with_value(1, "one").encode(),
            letter_with_value(2, "two").encode(),
            keyless,
            letter_with_value(3, "three").encode(),
        ]
    }

    #[tokio::test]
    async fn each_record_is_sent_once_in_order_and_foreign_records_are_skipped() {
        let logs = DeadLettersAndTradesLogs {
            dead_letters: dead_letter_topic_log(1 << 20, &topic_values()).await,
            trades: dead_letter_topic_log(1 << 20, &[]).await,
        };
        let all = ResendSelection::Matching(DeadLetterFilter::default());
        let code = resend_dead_letters(&logs, &all, true).await.unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        let sent = values_from(&logs.trades, 0).await;
        assert_eq!(sent, [&b"one"[..], b"two", b"three"]);

        // A selected location without a dead letter is a failure.
        let locations = ["1/1", "1/0", "0/0", "0/1"].map(location);
        let named = ResendSelection::Locations(locations.to_vec());
        let code = resend_dead_letters(&logs, &named, true).await.unwrap();
        assert_eq!(code, ExitCode::FAILURE);
        let sent = values_from(&logs.trades, 0).await;
        assert_eq!(sent[3..], [&b"one"[..], b"two"]);
        let code = resend_dead_letters(
            &logs,
            &ResendSelection::Locations(vec![location("0/7")]),
            true,
        )
        .await;
        assert!(code.is_err());
    }

    #[tokio::test]
    async fn new_dead_letters_of_sent_records_are_not_sent_again() {
        let dead_letters = dead_letter_topic_log(1 << 20, &topic_values()).await;
        let trades = dead_letters.clone();
        let logs = DeadLettersAndTradesLogs {
            dead_letters,
            trades,
        };
        let all = ResendSelection::Matching(DeadLetterFilter::default());
        resend_dead_letters(&logs, &all, true).await.unwrap();
        let sent = values_from(&logs.trades, 3).await;
        assert_eq!(sent, [&b"one"[..], b"two", b"three"]);
    }
}
