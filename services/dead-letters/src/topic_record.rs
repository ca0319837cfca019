//! What one record of the topic `dead-letters` is.

use anyhow::{Context, bail};
use bytes::Bytes;
use eventlog::{Log, Offset, PartitionId, Record};
use schemas::DeadLetter;

use crate::location::DeadLetterLocation;

/// A dead letter and where it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredDeadLetter {
    pub(crate) location: DeadLetterLocation,
    /// When it was appended to the topic, in UTC nanoseconds.
    pub(crate) append_time_ns: i64,
    pub(crate) letter: DeadLetter,
}

/// A record of the topic that is not a dead letter that this version can decode. Other programs can
/// write to the topic.
#[derive(Debug, Clone)]
pub(crate) struct ForeignRecord {
    pub(crate) location: DeadLetterLocation,
    /// When it was appended to the topic, in UTC nanoseconds.
    pub(crate) append_time_ns: i64,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    /// Why it is not a dead letter.
    pub(crate) reason: String,
}

/// A record of the topic `dead-letters`.
#[derive(Debug, Clone)]
pub(crate) enum DeadLettersTopicRecord {
    DeadLetter(StoredDeadLetter),
    Foreign(ForeignRecord),
}

impl DeadLettersTopicRecord {
    /// Decodes a record of a partition of the topic.
    pub(crate) fn decode(partition: PartitionId, record: Record) -> Self {
        let location = DeadLetterLocation {
            partition,
            offset: record.offset,
        };
        let append_time_ns = record.append_time_ns;
        match DeadLetter::decode(&record.value) {
            Ok(letter) => Self::DeadLetter(StoredDeadLetter {
                location,
                append_time_ns,
                letter,
            }),
            Err(error) => Self::Foreign(ForeignRecord {
                location,
                append_time_ns,
                key: record.key,
                value: record.value,
                reason: error.to_string(),
            }),
        }
    }
}

/// Reads the record at a location.
///
/// # Errors
/// If there is none, or the log cannot be read.
pub(crate) async fn read_topic_record<L: Log>(
    log: &L,
    location: DeadLetterLocation,
) -> anyhow::Result<DeadLettersTopicRecord> {
    let DeadLetterLocation { partition, offset } = location;
    let bounds = log.bounds(partition).await?;
    let missing = format!("there is no dead letter {location}");
    if !(bounds.first..bounds.end).contains(&offset) {
        let offsets = format_offsets(bounds.first, bounds.end);
        bail!("{missing}: partition {partition} holds {offsets}");
    }
    let batch = log.fetch(partition, offset, 1).await?;
    let mut records = batch.records.into_iter();
    let record = records.next().filter(|record| record.offset == offset);
    Ok(DeadLettersTopicRecord::decode(
        partition,
        record.context(missing)?,
    ))
}

fn format_offsets(first: Offset, end: Offset) -> String {
    match end.checked_sub(first) {
        None | Some(0) => "none".to_owned(),
        Some(_) => format!("{first} to {}", end - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_topic::{dead_letter, dead_letter_topic_log, location};

    #[tokio::test]
    async fn the_error_of_a_missing_dead_letter_says_which_offsets_exist() {
        let log = dead_letter_topic_log(1 << 20, &[dead_letter(1, "v:A").encode()]).await;
        let DeadLettersTopicRecord::DeadLetter(stored) =
            read_topic_record(&log, location("0/0")).await.unwrap()
        else {
            panic!("it is a dead letter");
        };
        assert_eq!(stored.letter, dead_letter(1, "v:A"));
        let error = read_topic_record(&log, location("0/1"))
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "there is no dead letter 0/1: partition 0 holds 0 to 0"
        );
        let error = read_topic_record(&log, location("1/0"))
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(error, "there is no dead letter 1/0: partition 1 holds none");
        assert!(read_topic_record(&log, location("2/0")).await.is_err());
    }
}
