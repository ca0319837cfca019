//! Runs one action of the command line.

use std::process::ExitCode;

use eventlog::Log;

use crate::arguments::{DeadLettersAction, DeadLettersArgs};
use crate::foreign_records::print_warning;
use crate::list::scan_for_newest;
use crate::list_table::format_table;
use crate::log_source::{
    DeadLettersAndTradesLogs, LogSource, open_folder_topics, open_kafka_topics,
};
use crate::resend::resend_dead_letters;
use crate::show::{describe_dead_letter, describe_foreign_record, write_record_value};
use crate::topic_record::{DeadLettersTopicRecord, read_topic_record};

/// Runs `candlewick dead-letters`.
///
/// # Errors
/// If the topics cannot be opened, read or appended to.
pub fn run(arguments: DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let (action, source) = arguments.read().map_err(host::StartupError::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match source {
            LogSource::Folder(path) => {
                let logs = open_folder_topics(&path)?;
                let outcome = run_action(&action, &logs).await;
                logs.dead_letters.close();
                logs.trades.close();
                outcome
            }
            LogSource::Kafka(config, names) => {
                let logs = open_kafka_topics(*config, &names, action.rights()).await?;
                let outcome = run_action(&action, &logs).await;
                let close = move || {
                    logs.dead_letters.close();
                    logs.trades.close();
                };
                tokio::task::spawn_blocking(close).await?;
                outcome
            }
        }
    })
}

async fn run_action<L: Log>(
    action: &DeadLettersAction,
    logs: &DeadLettersAndTradesLogs<L>,
) -> anyhow::Result<ExitCode> {
    match action {
        DeadLettersAction::List { filter, limit } => {
            let rows = scan_for_newest(&logs.dead_letters, filter, *limit, print_warning).await?;
            print!("{}", format_table(rows));
            Ok(ExitCode::SUCCESS)
        }
        DeadLettersAction::Show {
            location,
            value_file,
        } => {
            let record = read_topic_record(&logs.dead_letters, *location).await?;
            let (text, value, code) = match record {
                DeadLettersTopicRecord::DeadLetter(stored) => {
                    let text = describe_dead_letter(&stored);
                    (text, stored.letter.value, ExitCode::SUCCESS)
                }
                // It is shown, but the caller wanted a dead letter.
                DeadLettersTopicRecord::Foreign(record) => {
                    let text = describe_foreign_record(&record);
                    (text, record.value, ExitCode::FAILURE)
                }
            };
            print!("{text}");
            if let Some(path) = value_file {
                write_record_value(&value, path)?;
            }
            Ok(code)
        }
        DeadLettersAction::Replay {
            selection,
            is_confirmed,
        } => resend_dead_letters(logs, selection, *is_confirmed).await,
    }
}
