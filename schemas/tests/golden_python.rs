//! The golden files as a decoder reads them that is not ours: Python's `msgpack`, of the
//! interpreter that the variable `CANDLEWICK_PYTHON` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The interpreter; a relative path starts at the root of the repository.
fn python(root: &Path) -> PathBuf {
    let named = std::env::var_os("CANDLEWICK_PYTHON").filter(|named| !named.is_empty());
    let named = PathBuf::from(named.expect(
        "CANDLEWICK_PYTHON is not set: it names a Python that has the package msgpack. \
         Run this test through `make test`, which sets it, after `make setup`, which makes one",
    ));
    if named.components().count() > 1 {
        return root.join(named);
    }
    named
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

#[test]
fn another_decoder_reads_the_same_values() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_root.parent().expect("the crate is in the workspace");
    let golden = crate_root.join("golden");
    let mut files: Vec<PathBuf> = golden
        .read_dir()
        .expect("golden files are checked in")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|name| name == "msgpack"))
        .collect();
    files.sort();

    let output = Command::new(python(root))
        .arg(root.join("scripts/oracle/decode_golden.py"))
        .args(&files)
        .output()
        .expect("CANDLEWICK_PYTHON names an interpreter that runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");

    let found = String::from_utf8(output.stdout).expect("the script prints UTF-8");
    let expected = std::fs::read_to_string(golden.join("expected.jsonl"));
    let expected = expected.expect("expected.jsonl is checked in");
    assert!(!files.is_empty());
    assert_eq!(lines(&found), lines(&expected));
}
