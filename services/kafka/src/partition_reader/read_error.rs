//! Why reading a partition failed.

use rdkafka::error::RDKafkaErrorCode as Code;

/// Why a partition cannot be read further from where the reader was: librdkafka stopped reading
/// with this code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadError(pub(crate) Code);
