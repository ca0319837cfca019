//! Unpacks zip and gzip files. The first bytes of a file decide what it is, not its name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

/// The unpacked bytes of a file.
pub(crate) type UnpackedReader = Box<dyn Read + Send>;

/// Counts the bytes that are read of all files, for the progress bar. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(crate) struct ByteCounter(Arc<AtomicU64>);

impl ByteCounter {
    /// Returns the number of bytes so far.
    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Returns a reader of the unpacked content of a file.
///
/// # Errors
/// If the file cannot be read, or is a zip that does not hold exactly one CSV.
pub(crate) fn open_unpacked(
    mut file: File,
    bytes_read: &ByteCounter,
) -> io::Result<UnpackedReader> {
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(CountingFileReader::new(
            file, bytes_read,
        ))),
        b"PK\x03\x04" | b"PK\x05\x06" => open_zip(file, bytes_read)?,
        _ => Box::new(CountingFileReader::new(file, bytes_read)),
    })
}

/// The entry of a CSV in the directory of a zip.
struct CsvDirectoryEntry {
    /// Where its data begins in the file.
    data_start: u64,
    packed_bytes: u64,
    size_bytes: u64,
    checksum: u32,
    method: CompressionMethod,
}

/// Opens the only CSV of a zip. The zip crate reads the directory. It does not read the CSV, since
/// its readers borrow the archive.
fn open_zip(mut file: File, bytes_read: &ByteCounter) -> io::Result<UnpackedReader> {
    let entry = find_csv_directory_entry(&mut file)?;
    file.seek(SeekFrom::Start(entry.data_start))?;
    let packed = CountingFileReader::new(file, bytes_read).take(entry.packed_bytes);
    let inner: UnpackedReader = match entry.method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => {
            return Err(invalid_data(format!(
                "its CSV is compressed by {other}; deflate or no compression is expected"
            )));
        }
    };
    Ok(Box::new(ChecksumReader {
        inner,
        crc: Crc::new(),
        size_bytes: 0,
        directory_entry: entry,
    }))
}

fn find_csv_directory_entry(file: &mut File) -> io::Result<CsvDirectoryEntry> {
    let zip_error = |error| invalid_data(format!("the zip is damaged or cut: {error}"));
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(zip_error)?;
    let is_csv = |name: &str| name.to_ascii_lowercase().ends_with(".csv");
    let names = archive.file_names().enumerate();
    let csv_files = names.filter(|(_, name)| name.as_ref().is_ok_and(|name| is_csv(name)));
    let indexes: Vec<_> = csv_files.map(|(index, _)| index).collect();
    let [index] = indexes[..] else {
        let count = indexes.len();
        return Err(invalid_data(format!(
            "the zip holds {count} CSV files; one is expected"
        )));
    };
    let entry = archive.by_index_raw(index).map_err(zip_error)?;
    if entry.encrypted() {
        return Err(invalid_data(
            "the zip is encrypted; one without a password is expected",
        ));
    }
    let data_start = entry.data_start();
    Ok(CsvDirectoryEntry {
        data_start: data_start
            .ok_or_else(|| invalid_data("the zip's directory does not say where its CSV is"))?,
        packed_bytes: entry.compressed_size(),
        size_bytes: entry.size(),
        checksum: entry.crc32(),
        method: entry.compression(),
    })
}

fn invalid_data(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// Reads a CSV file from a zip archive, and verifies its size and checksum at the end.
struct ChecksumReader {
    inner: UnpackedReader,
    crc: Crc,
    size_bytes: u64,
    directory_entry: CsvDirectoryEntry,
}

impl Read for ChecksumReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out).map_err(|error| {
            io::Error::new(error.kind(), format!("the zip is damaged or cut: {error}"))
        })?;
        self.crc.update(&out[..count]);
        self.size_bytes += count as u64;
        if count > 0 || out.is_empty() {
            return Ok(count);
        }
        if self.size_bytes != self.directory_entry.size_bytes {
            let (found, expected) = (self.size_bytes, self.directory_entry.size_bytes);
            return Err(invalid_data(format!(
                "the zip is damaged: its CSV has {found} bytes, not {expected}"
            )));
        }
        if self.crc.sum() != self.directory_entry.checksum {
            return Err(invalid_data(
                "the zip is damaged: the checksum of its CSV does not match; some of the lines before differ from those that were packed",
            ));
        }
        Ok(0)
    }
}

/// A file whose bytes are counted as they are read.
struct CountingFileReader {
    file: File,
    bytes_read: ByteCounter,
}

impl CountingFileReader {
    fn new(file: File, bytes_read: &ByteCounter) -> Self {
        Self {
            file,
            bytes_read: bytes_read.clone(),
        }
    }
}

impl Read for CountingFileReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.bytes_read.add(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
