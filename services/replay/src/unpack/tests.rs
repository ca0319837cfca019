use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{BytesRead, unpack};

const TEXT: &[u8] = b"1,48.8000,500,24400.0000,1381232396477000,False,True\n";

fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tape");
    std::fs::write(&path, bytes).unwrap();
    read_file(&path)
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let read = BytesRead::default();
    let mut unpacked = Vec::new();
    unpack(File::open(path).unwrap(), &read)?.read_to_end(&mut unpacked)?;
    assert!(read.get() > 0 || unpacked.is_empty());
    Ok(unpacked)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(names: &[&str], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    for name in names {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(&TEXT.repeat(100)).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn zip_gzip_and_plain_are_told_apart_by_content() {
    let text = TEXT.repeat(100);
    let members = [gzip(&TEXT.repeat(60)), gzip(&TEXT.repeat(40))].concat();
    let packed = [
        text.clone(),
        gzip(&text),
        members,
        zip(&["a.csv"], CompressionMethod::Deflated),
        zip(&["readme.txt", "A.CSV"], CompressionMethod::Stored),
    ];
    for bytes in packed {
        assert_eq!(read(&bytes).unwrap(), text);
    }
    assert_eq!(read(b"").unwrap(), b"");
    assert_eq!(read(b"P").unwrap(), b"P");
}

#[test]
fn a_cut_gzip_is_an_error_and_not_a_shorter_tape() {
    let whole = gzip(&TEXT.repeat(100));
    for length in [3, 12, whole.len() / 2, whole.len() - 1] {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_zip_says_what_is_wrong_with_it() {
    let two = zip(&["a.csv", "b.csv"], CompressionMethod::Stored);
    let error = read(&two).unwrap_err().to_string();
    assert_eq!(error, "the zip holds 2 CSV files; one is expected");
    let none = zip(&["a.txt"], CompressionMethod::Stored);
    let error = read(&none).unwrap_err().to_string();
    assert_eq!(error, "the zip holds 0 CSV files; one is expected");

    let mut bytes = zip(&["a.csv"], CompressionMethod::Stored);
    let error = read(&bytes[..bytes.len() - 30]).unwrap_err().to_string();
    assert!(error.starts_with("the zip is damaged or cut: "), "{error}");
    bytes[200] ^= 1;
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("another checksum"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_damage_makes_it_panic_or_pass_unseen(place in 0_usize..4_000, bit in 0_u8..8, cut in 0_usize..4_000) {
        for whole in [zip(&["a.csv"], CompressionMethod::Deflated), gzip(&TEXT.repeat(100))] {
            let mut bytes = whole.clone();
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            // A flipped bit may change what nobody reads, such as a date, or make it plain text.
            let is_packed = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x1f, 0x8b]);
            if let (true, Ok(read)) = (is_packed, read(&bytes)) {
                prop_assert_eq!(read, TEXT.repeat(100));
            }
            bytes.truncate(cut % bytes.len());
            let _ = read(&bytes);
        }
    }
}
