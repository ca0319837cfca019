use std::path::Path;
use std::time::Duration;

use super::{AcknowledgedTradeCounts, ResumeFile, RunKey, state_folder};

fn run_key(parts: &[&str]) -> RunKey {
    let mut key = RunKey::new();
    for part in parts {
        key.add_part(part.as_bytes());
    }
    key
}

const ACKNOWLEDGED: AcknowledgedTradeCounts = AcknowledgedTradeCounts {
    trades: 10_000,
    rejected: 3,
};

#[test]
fn a_later_run_finds_how_far_the_first_got() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("not/yet");
    let mut file = ResumeFile::new(&folder, &run_key(&["url", "log 1"]));
    assert_eq!(file.load(), None);
    file.save(ACKNOWLEDGED, Duration::from_secs(5)).unwrap();
    assert_eq!(
        ResumeFile::new(&folder, &run_key(&["url", "log 1"])).load(),
        Some(ACKNOWLEDGED)
    );
    // Another log, and parts that are equal when joined, are other runs.
    assert_eq!(
        ResumeFile::new(&folder, &run_key(&["url", "log 2"])).load(),
        None
    );
    assert_eq!(
        ResumeFile::new(&folder, &run_key(&["urll", "og 1"])).load(),
        None
    );
    file.remove().unwrap();
    assert_eq!(file.load(), None);
    file.remove().unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_save_is_due_once_a_second() {
    let home = tempfile::tempdir().unwrap();
    let mut file = ResumeFile::new(home.path(), &run_key(&[]));
    for (now_ms, expected) in [(0, true), (999, false), (1_000, true), (1_500, false)] {
        let now = Duration::from_millis(now_ms);
        assert_eq!(file.is_save_due(now), expected, "{now_ms}");
        if expected {
            file.save(ACKNOWLEDGED, now).unwrap();
        }
    }
}

#[test]
fn an_invalid_file_counts_as_absent() {
    let home = tempfile::tempdir().unwrap();
    let file = ResumeFile::new(home.path(), &run_key(&[]));
    let texts = [
        "",
        "{",
        "{\"version\":2,\"trades\":1,\"rejected\":0}",
        "{\"version\":1,\"trades\":1,\"rejected\":2}",
        "{\"version\":1,\"trades\":-1,\"rejected\":0}",
    ];
    for text in texts {
        std::fs::write(home.path().join(run_key(&[]).to_file_name()), text).unwrap();
        assert_eq!(file.load(), None, "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let mut file = ResumeFile::new(&home.path().join("file/folder"), &run_key(&[]));
    assert!(file.save(ACKNOWLEDGED, Duration::ZERO).is_err());
}

#[test]
fn the_folder_follows_the_xdg_specification() {
    let folder = |xdg_state_home: Option<&str>, home: Option<&str>| {
        state_folder(xdg_state_home.map(Into::into), home.map(Into::into))
    };
    let expected = |path: &str| Some(Path::new(path).to_owned());
    assert_eq!(
        folder(Some("/s"), Some("/h")),
        expected("/s/candlewick/replay")
    );
    assert_eq!(
        folder(None, Some("/h")),
        expected("/h/.local/state/candlewick/replay")
    );
    assert_eq!(
        folder(Some("relative"), Some("/h")),
        expected("/h/.local/state/candlewick/replay")
    );
    assert_eq!(folder(None, None), None);
}
