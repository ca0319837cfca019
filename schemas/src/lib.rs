//! What two processes must agree on: the records of each topic, and how keys name partitions.
//!
//! Every record is one [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md)
//! array that opens with the schema version. `docs/wire.md` lists the fields.
//!
//! | topic | key | record |
//! |---|---|---|
//! | `trades` | `venue:symbol`; empty for control records | [`TradesRecord`] |
//! | `bar-updates` | `venue:symbol` | [`encode_bar_update`], [`decode_bar_update`] |
//! | `dead-letters` | that of the rejected record | [`DeadLetter`] |

mod bars;
mod dead_letters;
mod error;
mod keys;
mod read;
#[cfg(test)]
mod strategies;
mod topics;
mod trades;
mod trades_batch;

pub use bars::{
    decode_bar, decode_bar_row, decode_bar_update, encode_bar, encode_bar_row, encode_bar_update,
};
pub use dead_letters::DeadLetter;
pub use error::DecodeError;
pub use keys::{instrument_of, murmur2, partition_of};
pub use topics::{
    BAR_UPDATES, DEAD_LETTERS, DEFAULT_PARTITIONS, DEFAULT_REPLICATION, MAX_MESSAGE_BYTES, TRADES,
    Topic, topics,
};
pub use trades::{Refold, Repair, TradesRecord};
pub use trades_batch::{BatchError, BatchTrade, TradesBatch};
