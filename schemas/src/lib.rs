//! What two processes must agree on: the records of each topic, how keys name partitions, and the
//! JSON of the API ([`api`]).
//!
//! Every record of a topic is one
//! [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md) array that opens with the
//! schema version. `docs/wire.md` lists the fields.
//!
//! | topic | key | record |
//! |---|---|---|
//! | `trades` | `venue:symbol`; empty for control records | [`TradesTopicRecord`] |
//! | `bar-updates` | `venue:symbol`; empty for settings | [`BarUpdatesTopicRecord`] |
//! | `dead-letters` | that of the rejected record | [`DeadLetter`] |

pub mod api;
mod bars;
mod dead_letters;
mod error;
mod keys;
pub mod msgpack;
mod record_position;
mod record_reader;
mod record_writer;
#[cfg(test)]
mod strategies;
mod topics;
mod trades;
mod trades_batch;

pub use bars::{
    BarUpdatesTopicRecord, decode_bar, decode_bar_row, decode_bar_update,
    decode_bar_updates_record, encode_bar, encode_bar_row, encode_bar_update,
    encode_settings_announcement,
};
pub use dead_letters::DeadLetter;
pub use error::DecodeError;
pub use keys::{SETTINGS_PARTITION, instrument_from_key, murmur2, partition_of};
pub use record_position::{RecordPosition, RecordPositionError};
pub use topics::{
    BAR_UPDATES, DEAD_LETTERS, DEFAULT_PARTITIONS, DEFAULT_REPLICATION, MAX_MESSAGE_BYTES, TRADES,
    TopicDefinition, topic_definitions,
};
pub use trades::{LeftOutNotice, RefoldResult, Repair, TradesTopicRecord};
pub use trades_batch::{BatchTrade, TradesBatch, TradesBatchError};
