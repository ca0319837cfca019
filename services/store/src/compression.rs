//! Zstandard, with contexts that are used again.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Why bytes could not be compressed, or unfolded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompressionError {
    /// The library failed; it can work later.
    #[error("compression: {0}")]
    Failed(String),
    /// What is stored is not what was written.
    #[error("{0}")]
    Malformed(String),
}

/// About two to one on trades, at a cost far below that of encoding them.
const LEVEL: i32 = 1;

/// Nothing that is written unfolds to more.
const LONGEST_BYTES: usize = 256 * 1024 * 1024;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the length of `raw` (four bytes, little endian) and a frame with a checksum.
pub(crate) fn compress(raw: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let length = u32::try_from(raw.len()).map_err(|_| failure("more than 4 GiB"))?;
    out.extend_from_slice(&length.to_le_bytes());
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut made = Compressor::new(LEVEL).map_err(failure)?;
            made.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))
                .map_err(failure)?;
            *slot = Some(made);
        }
        let compressor = slot.as_mut().expect("it was just made");
        out.extend_from_slice(&compressor.compress(raw).map_err(failure)?);
        Ok(())
    })
}

/// Reads what [`compress`] wrote.
pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let (length, frame) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed("it ends early"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > LONGEST_BYTES {
        return Err(malformed("its length is out of range"));
    }
    let raw = DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new().map_err(failure)?);
        }
        let decompressor = slot.as_mut().expect("it was just made");
        decompressor.decompress(frame, length).map_err(malformed)
    })?;
    if raw.len() != length {
        return Err(malformed("its length is not what was written"));
    }
    Ok(raw)
}

fn failure(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Failed(reason.to_string())
}

fn malformed(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Malformed(format!("compressed body: {reason}"))
}
