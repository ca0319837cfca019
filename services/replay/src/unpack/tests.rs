use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{ByteCounter, open_unpacked};

const TEXT: &[u8] = b"1,48.8000,500,24400.0000,1381232396477000,False,True\n";

fn unpack_bytes(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tape");
    std::fs::write(&path, bytes).unwrap();
    unpack_path(&path)
}

fn unpack_path(path: &Path) -> io::Result<Vec<u8>> {
    let bytes_read = ByteCounter::default();
    let mut unpacked = Vec::new();
    open_unpacked(File::open(path).unwrap(), &bytes_read)?.read_to_end(&mut unpacked)?;
    assert!(bytes_read.total() > 0 || unpacked.is_empty());
    Ok(unpacked)
}

fn pack_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pack_zip(names: &[&str], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    for name in names {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(&TEXT.repeat(100)).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn zip_gzip_and_plain_are_distinguished_by_content() {
    let text = TEXT.repeat(100);
    let two_members = [pack_gzip(&TEXT.repeat(60)), pack_gzip(&TEXT.repeat(40))].concat();
    let packed = [
        text.clone(),
        pack_gzip(&text),
        two_members,
        pack_zip(&["a.csv"], CompressionMethod::Deflated),
        pack_zip(&["readme.txt", "A.CSV"], CompressionMethod::Stored),
    ];
    for bytes in packed {
        assert_eq!(unpack_bytes(&bytes).unwrap(), text);
    }
    assert_eq!(unpack_bytes(b"").unwrap(), b"");
    assert_eq!(unpack_bytes(b"P").unwrap(), b"P");
}

#[test]
fn a_cut_gzip_is_an_error_and_not_a_shorter_tape() {
    let whole = pack_gzip(&TEXT.repeat(100));
    for length in [3, 12, whole.len() / 2, whole.len() - 1] {
        assert!(unpack_bytes(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_error_of_a_zip_says_what_is_wrong_with_it() {
    let two = pack_zip(&["a.csv", "b.csv"], CompressionMethod::Stored);
    let error = unpack_bytes(&two).unwrap_err().to_string();
    assert_eq!(error, "the zip holds 2 CSV files; one is expected");
    let none = pack_zip(&["a.txt"], CompressionMethod::Stored);
    let error = unpack_bytes(&none).unwrap_err().to_string();
    assert_eq!(error, "the zip holds 0 CSV files; one is expected");

    let mut bytes = pack_zip(&["a.csv"], CompressionMethod::Stored);
    let error = unpack_bytes(&bytes[..bytes.len() - 30])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("the zip is damaged or cut: "), "{error}");
    bytes[200] ^= 1;
    let error = unpack_bytes(&bytes).unwrap_err().to_string();
    assert!(
        error.contains("checksum of its CSV does not match"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_makes_it_panic_or_is_missed(index in 0_usize..4_000, bit in 0_u8..8, cut in 0_usize..4_000) {
        for whole in [pack_zip(&["a.csv"], CompressionMethod::Deflated), pack_gzip(&TEXT.repeat(100))] {
            let mut bytes = whole.clone();
            let index = index % bytes.len();
            bytes[index] ^= 1 << bit;
            // A flipped bit may change what is not read, such as a date, or make the file plain
            // text.
            let is_packed = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x1f, 0x8b]);
            if let (true, Ok(read)) = (is_packed, unpack_bytes(&bytes)) {
                prop_assert_eq!(read, TEXT.repeat(100));
            }
            bytes.truncate(cut % bytes.len());
            let _ = unpack_bytes(&bytes);
        }
    }
}
