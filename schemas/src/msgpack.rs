//! Reading [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md) values from
//! memory.
//!
//! [`MessagePackReader`] is a cursor over bytes that never copies or allocates. No bytes make it
//! panic: a length that is greater than the rest of the input is
//! [`MessagePackError::EndOfInput`].

mod error;
mod kind;
mod reader;

pub use self::error::MessagePackError;
pub use self::kind::ValueKind;
pub use self::reader::MessagePackReader;
