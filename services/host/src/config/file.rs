//! The TOML file: keys are dotted paths, and values are read as the text that a flag would have.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ConfigError;

/// A TOML file that was read.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    pub(super) table: Table,
}

impl ConfigFile {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.to_owned();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) => return Err(ConfigError::Unreadable { file, cause }),
        };
        let table = text
            .parse()
            .map_err(|cause| ConfigError::not_toml(path, &text, &cause))?;
        Ok(Self { path: file, table })
    }
}

/// Returns the value at a dotted path.
pub(super) fn find_value<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => find_value(table.get(section)?.as_table()?, rest),
    }
}

/// Returns the dotted paths of the values that are not tables.
pub(super) fn leaf_keys(table: &Table) -> Vec<String> {
    let below = |(name, value): (&String, &Value)| match value {
        Value::Table(inner) => leaf_keys(inner)
            .into_iter()
            .map(|leaf| format!("{name}.{leaf}"))
            .collect(),
        _ => vec![name.clone()],
    };
    table.iter().flat_map(below).collect()
}

/// Returns the text that a flag would have for this value. An array is its items joined by commas.
///
/// # Errors
/// For a value that no flag can have: what kind of value it is.
pub(super) fn value_to_text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Ok(value.to_string())
        }
        Value::Array(items) => {
            let texts = items
                .iter()
                .map(array_item_to_text)
                .collect::<Result<Vec<_>, _>>()?;
            Ok(texts.join(","))
        }
        Value::Table(_) => Err("a section"),
    }
}

fn array_item_to_text(item: &Value) -> Result<String, &'static str> {
    match item {
        Value::Array(_) | Value::Table(_) => Err("an array of arrays or sections"),
        Value::String(text) if text.contains(',') => Err("an array with a comma in an item"),
        _ => value_to_text(item),
    }
}
