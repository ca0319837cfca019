//! Zstandard compression with a context for each thread, which is reused.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompressionError {
    /// The library failed; the same call may succeed later.
    #[error("compression: {0}")]
    Failed(String),
    /// The stored bytes are not what was written.
    #[error("{0}")]
    Malformed(String),
}

/// The compression level. It halves the size of trades, at a cost far below that of encoding them.
const LEVEL: i32 = 1;

/// The greatest length that is decompressed. Everything that is written is shorter.
const MAX_RAW_BYTES: usize = 256 * 1024 * 1024;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the length of `raw` (four bytes, little endian) and a compressed frame with a checksum.
pub(crate) fn compress(raw: &[u8], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let length = u32::try_from(raw.len()).map_err(|_| failed("more than 4 GiB"))?;
    out.extend_from_slice(&length.to_le_bytes());
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut compressor = Compressor::new(LEVEL).map_err(failed)?;
            compressor
                .set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))
                .map_err(failed)?;
            *slot = Some(compressor);
        }
        let compressor = slot.as_mut().expect("it was just created");
        out.extend_from_slice(&compressor.compress(raw).map_err(failed)?);
        Ok(())
    })
}

/// Decompresses bytes that [`compress`] wrote.
pub(crate) fn decompress(bytes: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let (length, frame) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed("it ends early"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_RAW_BYTES {
        return Err(malformed("its length is out of range"));
    }
    let raw = DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new().map_err(failed)?);
        }
        let decompressor = slot.as_mut().expect("it was just created");
        decompressor.decompress(frame, length).map_err(malformed)
    })?;
    if raw.len() != length {
        return Err(malformed("its length is not what was written"));
    }
    Ok(raw)
}

fn failed(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Failed(reason.to_string())
}

fn malformed(reason: impl std::fmt::Display) -> CompressionError {
    CompressionError::Malformed(format!("compressed body: {reason}"))
}
