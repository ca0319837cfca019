//! A database of a ClickHouse server, and what its errors mean to callers of the store.

use std::future::Future;
use std::time::Duration;

use ::clickhouse::Client;
use ::clickhouse::error::Error;
use clock::SystemClock;

use super::config::ClickHouseConfig;
use crate::StoreError;
use crate::metrics::StoreMetrics;

/// The codes of the exceptions that mean that the tables are not those of this store
/// (<https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp>): no such
/// column in table, illegal type of argument, unknown identifier, type mismatch, unknown table.
const WRONG_TABLE_CODES: [u32; 5] = [16, 43, 47, 53, 60];

/// A database of a server.
pub(super) struct ClickHouseServer {
    client: Client,
    label: String,
    database: String,
    send_timeout: Duration,
    receive_timeout: Duration,
    metrics: StoreMetrics,
}

impl ClickHouseServer {
    pub(super) fn new(config: &ClickHouseConfig) -> Result<Self, StoreError> {
        Ok(Self {
            client: config.build_client()?,
            label: config.label(),
            database: config.database.clone(),
            send_timeout: config.send_timeout,
            receive_timeout: config.receive_timeout,
            metrics: StoreMetrics::register_metrics("clickhouse"),
        })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) const fn metrics(&self) -> &StoreMetrics {
        &self.metrics
    }

    pub(super) const fn send_and_receive_timeouts(&self) -> (Duration, Duration) {
        (self.send_timeout, self.receive_timeout)
    }

    /// Runs a statement that returns no rows.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.with_timeout(self.client.query_raw(sql).execute())
            .await
    }

    /// Waits for a response, at most for the receive timeout.
    pub(super) async fn with_timeout<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let response = clock::timeout(&SystemClock, self.receive_timeout, call).await;
        self.convert_and_count_error(response.unwrap_or(Err(Error::TimedOut)))
    }

    /// Converts an error of the client into one of the store, and counts it.
    pub(super) fn convert_and_count_error<T>(
        &self,
        result: Result<T, Error>,
    ) -> Result<T, StoreError> {
        result.map_err(|error| match &error {
            Error::BadResponse(text)
                if exception_code(text).is_some_and(|code| WRONG_TABLE_CODES.contains(&code)) =>
            {
                self.counted_corrupt_error(error.to_string())
            }
            Error::BadResponse(_) | Error::Network(_) | Error::TimedOut | Error::Other(_) => {
                self.counted_unavailable_error(error_text_with_causes(&error))
            }
            _ => self.counted_corrupt_error(error_text_with_causes(&error)),
        })
    }

    pub(super) fn counted_unavailable_error(&self, reason: String) -> StoreError {
        self.metrics.errors.increment(1);
        StoreError::Unavailable {
            store: self.label.clone(),
            reason,
        }
    }

    pub(super) fn counted_corrupt_error(&self, reason: String) -> StoreError {
        self.metrics.errors.increment(1);
        StoreError::Corrupt {
            store: self.label.clone(),
            reason,
        }
    }
}

/// Parses the code of a server's exception from its text, because the client does not return the
/// code separately.
fn exception_code(text: &str) -> Option<u32> {
    let (number, _) = text.strip_prefix("Code: ")?.split_once('.')?;
    number.parse().ok()
}

/// Returns the text of an error, followed by its causes.
fn error_text_with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let cause_text = error.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::exception_code;

    #[test]
    fn the_code_of_an_exception_is_parsed() {
        let text = "Code: 60. DB::Exception: Table a.trades does not exist. (UNKNOWN_TABLE)";
        assert_eq!(exception_code(text), Some(60));
        assert_eq!(exception_code("502 Bad Gateway"), None);
    }
}
