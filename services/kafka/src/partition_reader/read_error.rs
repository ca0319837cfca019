//! Why reading a partition failed.

use eventlog::Offset;
use rdkafka::error::RDKafkaErrorCode as Code;

/// Why a partition cannot be read further from where the reader was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// librdkafka stopped reading with this code.
    Code(Code),
    /// The record at this offset has a timestamp of its sender, not of the brokers.
    NoAppendTime(Offset),
}
