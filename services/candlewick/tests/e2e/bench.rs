//! `candlewick bench`, which starts the program `candlewick-bench` in its own folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::Finished;

/// Runs a copy of the binary in `folder`.
fn bench(folder: &Path, arguments: &[&str]) -> Finished {
    let binary = folder.join("candlewick");
    if !binary.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_candlewick"), &binary).unwrap();
    }
    Finished::of(Command::new(binary).arg("bench").args(arguments))
}

#[test]
fn bench_says_how_to_build_its_program_if_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let finished = bench(folder.path(), &["--parts-only"]);
    assert_eq!(finished.code, Some(1), "{}", finished.text);
    let advice = "is missing: build it with `cargo build --release -p candlewick-bench`";
    assert!(finished.text.contains(advice), "{}", finished.text);
}

#[test]
fn bench_passes_arguments_and_exit_status_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("candlewick-bench");
    std::fs::write(&program, "#!/bin/sh\necho \"arguments: $*\"\nexit 7\n").unwrap();
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, permissions).unwrap();
    for arguments in [
        vec!["--help"],
        vec!["--seconds", "3", "-h", "--only=lag"],
        vec![],
    ] {
        let finished = bench(folder.path(), &arguments);
        assert_eq!(finished.code, Some(7), "{}", finished.text);
        let expected = format!("arguments: {}\n", arguments.join(" "));
        assert_eq!(finished.text, expected);
    }
}
