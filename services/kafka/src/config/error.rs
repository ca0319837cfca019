//! The error of a setting.

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: expected {expected}")]
pub struct KafkaConfigError {
    /// The name of the setting, such as `kafka.brokers`.
    pub option: &'static str,
    /// What the setting must be.
    pub expected: String,
}
