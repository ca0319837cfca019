//! The environment of the process.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::names::VARIABLE_PREFIX;

/// Returns the variables of this process that may be settings, and an error for each that is not
/// UTF-8.
pub(super) fn read_candlewick_variables() -> (BTreeMap<String, String>, Vec<ConfigError>) {
    let mut variables = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name
            .to_str()
            .filter(|name| name.starts_with(VARIABLE_PREFIX))
        else {
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
