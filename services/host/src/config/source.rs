//! The names a setting has in each layer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::error::ConfigError;

const PREFIX: &str = "CANDLEWICK_";

/// The layer a value came from, by the name the setting has there.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Flag(String),
    Variable(String),
    File(PathBuf, String),
    Default(String),
}

impl Source {
    pub(super) fn flag(key: &str) -> Self {
        Self::Flag(flag_name(key))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => formatter.write_str(name),
            Self::File(path, key) => write!(formatter, "{key} in {}", path.display()),
            Self::Default(key) => write!(formatter, "{key} (by default)"),
        }
    }
}

/// `kafka.fetch_bytes` is `--kafka-fetch-bytes`.
pub(super) fn flag_name(key: &str) -> String {
    format!("--{}", key.replace(['.', '_'], "-"))
}

/// `kafka.fetch_bytes` is `CANDLEWICK_KAFKA_FETCH_BYTES`.
pub(super) fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace(['.', '-'], "_").to_uppercase())
}

/// The process's variables that are ours, and an error for each that is not text.
pub(super) fn environment() -> (BTreeMap<String, String>, Vec<ConfigError>) {
    let mut variables = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        match value.into_string() {
            Ok(value) => drop(variables.insert(name.to_owned(), value)),
            Err(_) => errors.push(ConfigError::NotUnicode {
                variable: name.to_owned(),
            }),
        }
    }
    (variables, errors)
}
