use std::path::Path;
use std::time::Duration;

use super::{Reached, ResumeFile, RunKey, folder};

fn key(parts: &[&str]) -> RunKey {
    let mut key = RunKey::new();
    for part in parts {
        key.add(part.as_bytes());
    }
    key
}

const REACHED: Reached = Reached {
    trades: 10_000,
    rejected: 3,
};

#[test]
fn a_later_run_finds_how_far_the_first_got() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("not/yet");
    let mut file = ResumeFile::new(&folder, &key(&["url", "log 1"]));
    assert_eq!(file.load(), None);
    file.save(REACHED, Duration::from_secs(5)).unwrap();
    assert_eq!(
        ResumeFile::new(&folder, &key(&["url", "log 1"])).load(),
        Some(REACHED)
    );
    // Another log, and parts that read the same in a row, are other runs.
    assert_eq!(
        ResumeFile::new(&folder, &key(&["url", "log 2"])).load(),
        None
    );
    assert_eq!(
        ResumeFile::new(&folder, &key(&["urll", "og 1"])).load(),
        None
    );
    file.remove().unwrap();
    assert_eq!(file.load(), None);
    file.remove().unwrap();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn it_is_due_once_a_second() {
    let home = tempfile::tempdir().unwrap();
    let mut file = ResumeFile::new(home.path(), &key(&[]));
    for (now_ms, expected) in [(0, true), (999, false), (1_000, true), (1_500, false)] {
        let now = Duration::from_millis(now_ms);
        assert_eq!(file.is_due(now), expected, "{now_ms}");
        if expected {
            file.save(REACHED, now).unwrap();
        }
    }
}

#[test]
fn a_file_that_makes_no_sense_says_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = ResumeFile::new(home.path(), &key(&[]));
    let texts = [
        "",
        "{",
        "{\"version\":2,\"trades\":1,\"rejected\":0}",
        "{\"version\":1,\"trades\":1,\"rejected\":2}",
        "{\"version\":1,\"trades\":-1,\"rejected\":0}",
    ];
    for text in texts {
        std::fs::write(home.path().join(key(&[]).name()), text).unwrap();
        assert_eq!(file.load(), None, "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let mut file = ResumeFile::new(&home.path().join("file/folder"), &key(&[]));
    assert!(file.save(REACHED, Duration::ZERO).is_err());
}

#[test]
fn the_folder_is_where_state_belongs() {
    let of = |state: Option<&str>, home: Option<&str>| {
        folder(state.map(Into::into), home.map(Into::into))
    };
    let at = |path: &str| Some(Path::new(path).to_owned());
    assert_eq!(of(Some("/s"), Some("/h")), at("/s/candlewick/replay"));
    assert_eq!(
        of(None, Some("/h")),
        at("/h/.local/state/candlewick/replay")
    );
    assert_eq!(
        of(Some("relative"), Some("/h")),
        at("/h/.local/state/candlewick/replay")
    );
    assert_eq!(of(None, None), None);
}
