use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::config::Secret;

fn reader_with(environment: &[(&str, &str)], file: &str) -> ErrorCollectingConfigReader {
    let environment = environment
        .iter()
        .map(|(name, text)| ((*name).into(), (*text).into()));
    let file = ConfigFile {
        path: "candlewick.toml".into(),
        table: file.parse().unwrap(),
    };
    ErrorCollectingConfigReader {
        environment: environment.collect(),
        file: Some(file),
        ..ErrorCollectingConfigReader::default()
    }
}

fn flag(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
    let variables = [("CANDLEWICK_API_PORT", "2"), ("CANDLEWICK_API_EMPTY", "")];
    let file = "api = { port = 3, empty = 4 }";
    let mut config = reader_with(&variables, file);
    assert_eq!(config.read_or("api.port", flag("1"), 5_u16), 1);
    assert_eq!(config.read_or("api.port", None, 5_u16), 2);
    assert_eq!(config.read_or("api.empty", None, 5_u16), 4);
    assert_eq!(config.read_or("api.absent", None, 5_u16), 5);
    config.finish().unwrap();
    assert_eq!(reader_with(&[], file).read_or("api.port", None, 5_u16), 3);
}

#[test]
fn every_error_is_reported_at_once_with_its_place_its_value_and_what_is_accepted() {
    let file = "brokrs = 1\n[api]\nworkers = 0\nlinger = [[1]]\n[aggregator]\nx = 1";
    let mut config = reader_with(&[("CANDLEWICK_LINGER", "5 s")], file);
    config.read_or::<SocketAddr>("api.listen", flag("here"), ([127, 0, 0, 1], 80).into());
    config.read_or("linger", None, Duration::from_secs(1));
    config.read_or("api.workers", None, NonZeroU32::MIN);
    assert_eq!(config.read_required::<Vec<String>>("brokers", None), None);
    assert_eq!(config.read_required::<u32>("api.linger", None), None);
    config.ignore_section("aggregator");
    let errors = config.finish().unwrap_err();
    assert_eq!(errors.exit_code(), 64);
    let expected = [
        "6 configuration errors:",
        "api.linger in candlewick.toml: an array of arrays or sections: expected a whole number from 0 to 4294967295",
        "--api-listen: \"here\": expected an IP address and a port such as 127.0.0.1:8080",
        "api.workers in candlewick.toml: \"0\": expected a whole number from 1 to 4294967295",
        "brokers: missing: expected a list separated by commas, from --brokers or CANDLEWICK_BROKERS",
        "brokrs in candlewick.toml: unknown setting: did you mean brokers?",
        "CANDLEWICK_LINGER: \"5 s\": expected a duration such as 250ms, 30s, 5m, 12h or 7d (\" s\" is not a unit)",
    ];
    assert_eq!(errors.to_string(), expected.join("\n  "));
}

#[test]
fn a_secret_is_never_shown() {
    let variables = [("CANDLEWICK_PASSWORD", "hunter2")];
    let mut config = reader_with(&variables, "");
    let password: Secret = config.read_required("password", None).unwrap();
    assert_eq!(password.expose(), "hunter2");
    assert!(!format!("{password:?}").contains("hunter2"));
    config.reject("password", "another one");
    let text = config.finish().unwrap_err().to_string();
    assert!(
        text.contains("CANDLEWICK_PASSWORD") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn settings_that_do_not_fit_together_are_reported_where_they_were_set() {
    let mut config = reader_with(&[], "lateness = '5m'");
    config.read_or("lateness", None, Duration::ZERO);
    config.read_or("window", None, Duration::ZERO);
    config.reject("lateness", "at most the horizon");
    config.reject("window", "more than zero");
    let text = config.finish().unwrap_err().to_string();
    assert!(text.contains("lateness in candlewick.toml: \"5m\": expected at most the horizon"));
    assert!(
        text.contains("window (by default): expected more than zero"),
        "{text}"
    );
}

#[test]
fn a_type_that_is_no_setting_is_parsed_by_a_function() {
    let mut config = reader_with(&[], "side = 'up'");
    let side = config.parse_optional("side", flag("b"), "one character", str::parse::<char>);
    assert_eq!(side, Some('b'));
    assert_eq!(
        config.parse_optional("side", None, "one character", str::parse::<char>),
        None
    );
    assert!(
        config
            .finish()
            .unwrap_err()
            .to_string()
            .contains("\"up\": expected one character")
    );
}

#[test]
fn lists_are_commas_or_arrays() {
    let mut config = reader_with(&[], "ports = [1, 2]\nbad = ['a,b']");
    assert_eq!(config.read_or("ports", None, Vec::<u16>::new()), [1, 2]);
    assert_eq!(
        config.read_or("ports", flag("3, 4"), Vec::<u16>::new()),
        [3, 4]
    );
    config.read_or("bad", None, Vec::<String>::new());
    assert_eq!(config.finish().unwrap_err().count(), 1);
}

#[test]
fn durations_need_a_unit_and_do_not_overflow() {
    assert_eq!(Duration::parse("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(Duration::parse("7d"), Ok(Duration::from_secs(7 * 86_400)));
    for bad in ["5", "s", "-1s", "1.5s", "1w", "18446744073709551615d"] {
        assert!(Duration::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_file_that_is_absent_or_not_toml_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("candlewick.toml");
    assert!(
        ErrorCollectingConfigReader::load(Some(&path))
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    std::fs::write(&path, "b = 1\na = ").unwrap();
    assert!(
        ErrorCollectingConfigReader::load(Some(&path))
            .unwrap_err()
            .to_string()
            .contains("not TOML: line 2: ")
    );
    std::fs::write(&path, "a = 1").unwrap();
    assert_eq!(
        ErrorCollectingConfigReader::load(Some(&path))
            .unwrap()
            .read_or("a", None, 2_u16),
        1
    );
}

#[test]
fn the_text_of_a_default_is_read_as_the_same_value() {
    fn check<T: SettingValue + PartialEq + std::fmt::Debug>(value: T, text: &str) {
        assert_eq!(value.to_help_text(), text);
        assert_eq!(T::parse(text), Ok(value));
    }
    check(Duration::from_millis(1_500), "1500ms");
    check(Duration::from_secs(90), "90s");
    check(Duration::from_secs(3_600), "1h");
    check(Duration::from_secs(7 * 86_400), "7d");
    check(vec![1_u16, 2], "1,2");
    check(SocketAddr::from(([127, 0, 0, 1], 80)), "127.0.0.1:80");
    check(std::path::PathBuf::from("data"), "data");
}

#[test]
fn defaults_are_known_by_their_flags_whatever_the_layers_say() {
    let mut config = reader_with(&[("CANDLEWICK_API_PORT", "2")], "");
    config.read_or("api.port", None, 5_u16);
    config.read_optional::<u16>("api.other", None);
    config.parse_or("side", None, "one character", str::parse::<char>, 'b');
    let defaults: Vec<_> = config.defaults_by_flag().collect();
    let expected = [("--api-port", "5"), ("--side", "b")];
    assert_eq!(
        defaults,
        expected.map(|(flag, text)| (flag.to_owned(), text))
    );
}
