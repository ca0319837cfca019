//! Files as what they hold: zip, gzip or plain, told apart by their first bytes, as names lie.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

/// The unpacked bytes of a file.
pub(crate) type Unpacked = Box<dyn Read + Send>;

/// How many bytes of the files were read, for the progress bar.
#[derive(Debug, Clone, Default)]
pub(crate) struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// How many so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Unpacks a file, reading it as it goes.
///
/// # Errors
/// Where it cannot be read, or is a zip that holds something else than one CSV.
pub(crate) fn unpack(mut file: File, read: &BytesRead) -> io::Result<Unpacked> {
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(Counted::new(file, read))),
        b"PK\x03\x04" | b"PK\x05\x06" => open_zip(file, read)?,
        _ => Box::new(Counted::new(file, read)),
    })
}

/// What a zip's directory says of its CSV.
struct Member {
    begin: u64,
    packed_bytes: u64,
    size_bytes: u64,
    checksum: u32,
    method: CompressionMethod,
}

/// Opens the one CSV of a zip. The directory is read by the zip crate; the CSV here, since the
/// crate's readers borrow the archive.
fn open_zip(mut file: File, read: &BytesRead) -> io::Result<Unpacked> {
    let member = find_csv(&mut file)?;
    file.seek(SeekFrom::Start(member.begin))?;
    let packed = Counted::new(file, read).take(member.packed_bytes);
    let inner: Unpacked = match member.method {
        CompressionMethod::Stored => Box::new(packed),
        CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
        other => {
            return Err(damaged(format!(
                "its CSV is compressed by {other}; deflate or no compression is expected"
            )));
        }
    };
    Ok(Box::new(Verified {
        inner,
        crc: Crc::new(),
        size_bytes: 0,
        member,
    }))
}

fn find_csv(file: &mut File) -> io::Result<Member> {
    let broken = |error| damaged(format!("the zip is damaged or cut: {error}"));
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
    let is_csv = |name: &str| name.to_ascii_lowercase().ends_with(".csv");
    let names = archive.file_names().enumerate();
    let found = names.filter(|(_, name)| name.as_ref().is_ok_and(|name| is_csv(name)));
    let places: Vec<_> = found.map(|(place, _)| place).collect();
    let [place] = places[..] else {
        let count = places.len();
        return Err(damaged(format!(
            "the zip holds {count} CSV files; one is expected"
        )));
    };
    let entry = archive.by_index_raw(place).map_err(broken)?;
    if entry.encrypted() {
        return Err(damaged(
            "the zip is encrypted; one without a password is expected",
        ));
    }
    let begin = entry.data_start();
    Ok(Member {
        begin: begin.ok_or_else(|| damaged("the zip's directory does not say where its CSV is"))?,
        packed_bytes: entry.compressed_size(),
        size_bytes: entry.size(),
        checksum: entry.crc32(),
        method: entry.compression(),
    })
}

fn damaged(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// Checks size and checksum at the end.
struct Verified {
    inner: Unpacked,
    crc: Crc,
    size_bytes: u64,
    member: Member,
}

impl Read for Verified {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out).map_err(|error| {
            io::Error::new(error.kind(), format!("the zip is damaged or cut: {error}"))
        })?;
        self.crc.update(&out[..count]);
        self.size_bytes += count as u64;
        if count > 0 || out.is_empty() {
            return Ok(count);
        }
        if self.size_bytes != self.member.size_bytes {
            let (found, expected) = (self.size_bytes, self.member.size_bytes);
            return Err(damaged(format!(
                "the zip is damaged: its CSV has {found} bytes, not {expected}"
            )));
        }
        if self.crc.sum() != self.member.checksum {
            return Err(damaged(
                "the zip is damaged: its CSV has another checksum than it should; some of the lines before are not what was packed",
            ));
        }
        Ok(0)
    }
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    read: BytesRead,
}

impl Counted {
    fn new(file: File, read: &BytesRead) -> Self {
        Self {
            file,
            read: read.clone(),
        }
    }
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.read.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
