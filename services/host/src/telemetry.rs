//! Logs to standard error: lines for people, or one JSON object a line. Timestamps are UTC.

use std::backtrace::Backtrace;
use std::io::{IsTerminal, stderr};
use std::panic;

use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

use crate::config::SettingValue;
use crate::error::StartupError;

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people, coloured on a terminal.
    #[default]
    Human,
    /// A JSON object a line.
    Json,
}

impl SettingValue for LogFormat {
    const ACCEPTS: &'static str = "human or json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(String::new()),
        }
    }

    fn to_help_text(&self) -> String {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
        .to_owned()
    }
}

/// Which log records are written: directives of [`EnvFilter`] that were checked. The default is
/// `info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl SettingValue for LogFilter {
    const ACCEPTS: &'static str = "log directives such as info or warn,candlewick_aggregator=debug";

    fn parse(text: &str) -> Result<Self, String> {
        EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        Ok(Self(text.to_owned()))
    }

    fn to_help_text(&self) -> String {
        self.0.clone()
    }
}

/// Starts writing log records, and panics as errors, to standard error. It can be called once in a
/// process.
///
/// # Errors
/// If logging is already set up.
pub fn start_logging_with_panic_hook(
    filter: &LogFilter,
    format: LogFormat,
) -> Result<(), StartupError> {
    let filter = EnvFilter::new(&filter.0);
    let lines = match format {
        LogFormat::Human => layer()
            .with_writer(stderr)
            .with_ansi(stderr().is_terminal())
            .boxed(),
        LogFormat::Json => layer()
            .json()
            .flatten_event(true)
            .with_writer(stderr)
            .boxed(),
    };
    registry().with(lines.with_filter(filter)).try_init()?;
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("not a text");
        let location = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        tracing::error!(location, %backtrace, "panicked: {message}");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_formats_are_checked() {
        assert!(LogFilter::parse("warn,candlewick_aggregator=debug").is_ok());
        assert!(LogFilter::parse("candlewick_aggregator=loud").is_err());
        assert_eq!(LogFormat::parse("json"), Ok(LogFormat::Json));
        assert!(LogFormat::parse("xml").is_err());
    }

    #[test]
    fn it_starts_once() {
        assert!(start_logging_with_panic_hook(&LogFilter::default(), LogFormat::Json).is_ok());
        let again = start_logging_with_panic_hook(&LogFilter::default(), LogFormat::Human);
        assert!(matches!(again, Err(StartupError::Telemetry(_))));
        drop(panic::take_hook());
    }
}
