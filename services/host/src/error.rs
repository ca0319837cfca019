//! The errors of starting a process.

use crate::config::ConfigErrors;

/// Why the process could not start. No retry can mend it.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The configuration is bad.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Logging is already set up in this process.
    #[error("logging is already set up")]
    Telemetry(#[from] tracing_subscriber::util::TryInitError),
    /// Metrics are already set up in this process.
    #[error("metrics cannot be set up")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// The operating system has refused a signal handler.
    #[error("signals cannot be listened for")]
    Signals(#[source] std::io::Error),
}

impl StartupError {
    /// Returns the code to exit with: [`EXIT_USAGE`](crate::EXIT_USAGE) for a bad configuration,
    /// else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(errors) => errors.exit_code(),
            Self::Telemetry(_) | Self::Metrics(_) | Self::Signals(_) => 1,
        }
    }
}
