//! One database of a server, and what its failures mean.

use clock::{SystemClock, timeout};
use std::future::Future;
use std::time::Duration;

use ::clickhouse::Client;
use ::clickhouse::error::Error;

use super::config::ClickHouseConfig;
use crate::StoreError;
use crate::metrics::Metrics;

/// Exceptions of a server that say that its tables are not ours, by their numbers
/// (<https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp>): no such
/// column in table, illegal type of argument, unknown identifier, type mismatch, unknown table.
const NOT_OURS: [u32; 5] = [16, 43, 47, 53, 60];

/// A database of a server.
pub(super) struct Server {
    client: Client,
    name: String,
    database: String,
    send_timeout: Duration,
    receive_timeout: Duration,
    metrics: Metrics,
}

impl Server {
    pub(super) fn of(config: &ClickHouseConfig) -> Result<Self, StoreError> {
        Ok(Self {
            client: config.client()?,
            name: config.name(),
            database: config.database.clone(),
            send_timeout: config.send_timeout,
            receive_timeout: config.receive_timeout,
            metrics: Metrics::new("clickhouse"),
        })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) const fn timeouts(&self) -> (Duration, Duration) {
        (self.send_timeout, self.receive_timeout)
    }

    /// Runs a statement that answers nothing.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.within(self.client.query_raw(sql).execute()).await
    }

    /// Waits for an answer, and for no longer than one may take.
    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let answer = timeout(&SystemClock, self.receive_timeout, call).await.ok();
        self.check(answer.unwrap_or(Err(Error::TimedOut)))
    }

    /// Makes of a failure what the callers of a store know.
    pub(super) fn check<T>(&self, result: Result<T, Error>) -> Result<T, StoreError> {
        result.map_err(|error| match &error {
            Error::BadResponse(text) if code(text).is_some_and(|code| NOT_OURS.contains(&code)) => {
                self.corrupt(error.to_string())
            }
            Error::BadResponse(_) | Error::Network(_) | Error::TimedOut | Error::Other(_) => {
                self.unavailable(chain(&error))
            }
            _ => self.corrupt(chain(&error)),
        })
    }

    pub(super) fn unavailable(&self, reason: String) -> StoreError {
        self.metrics.errors.increment(1);
        StoreError::Unavailable {
            store: self.name.clone(),
            reason,
        }
    }

    pub(super) fn corrupt(&self, reason: String) -> StoreError {
        self.metrics.errors.increment(1);
        StoreError::Corrupt {
            store: self.name.clone(),
            reason,
        }
    }
}

/// The number of a server's exception, which its text begins with. The client gives nothing
/// else of it.
fn code(text: &str) -> Option<u32> {
    let (number, _) = text.strip_prefix("Code: ")?.split_once('.')?;
    number.parse().ok()
}

/// An error with what caused it.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let further = error.to_string();
        if !text.ends_with(&further) {
            text = format!("{text}: {further}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn an_exception_begins_with_its_number() {
        let text = "Code: 60. DB::Exception: Table a.trades does not exist. (UNKNOWN_TABLE)";
        assert_eq!(code(text), Some(60));
        assert_eq!(code("502 Bad Gateway"), None);
    }
}
