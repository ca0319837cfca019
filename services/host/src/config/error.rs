//! What can be wrong with a configuration, worded for the person who wrote it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::names::{flag_name, variable_name};
use super::nearest::find_nearest_name;
use super::setting_text::{SettingSource, SourcedSettingText};

/// The exit code for a bad command line or configuration: `EX_USAGE` of `sysexits.h`.
pub const EXIT_USAGE: u8 = 64;

/// All errors found in a configuration. Displayed as a heading with their count, followed by one
/// line per error.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl ConfigErrors {
    /// Returns the number of errors, which is at least one.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the code to exit with: [`EXIT_USAGE`].
    pub fn exit_code(&self) -> u8 {
        EXIT_USAGE
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let noun = if count == 1 { "error" } else { "errors" };
        write!(formatter, "{count} configuration {noun}:")?;
        self.0
            .iter()
            .try_for_each(|error| write!(formatter, "\n  {error}"))
    }
}

/// One error of a configuration. `key` is the key of the setting.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    #[error("{source_name}: {value}expected {expected}{cause}")]
    Invalid {
        key: String,
        source_name: String,
        value: String,
        expected: String,
        cause: String,
    },
    #[error(
        "{key}: missing: expected {expected}, from {} or {}",
        flag_name(key),
        variable_name(key)
    )]
    Missing { key: String, expected: String },
    #[error("{key} in {}: unknown setting{hint}", file.display())]
    Unknown {
        key: String,
        file: PathBuf,
        hint: String,
    },
    #[error("{variable}: not UTF-8")]
    NotUnicode { variable: String },
    #[error("{}: cannot be read: {cause}", file.display())]
    Unreadable {
        file: PathBuf,
        cause: std::io::Error,
    },
    #[error("{}: not TOML: line {line}: {cause}", file.display())]
    NotToml {
        file: PathBuf,
        line: usize,
        cause: String,
    },
}

impl ConfigError {
    /// Returns the error of a value that is not accepted; `cause` says why, or is empty.
    pub(super) fn invalid_value(
        key: &str,
        found: &SourcedSettingText,
        expected: &str,
        cause: &str,
    ) -> Self {
        let value = match (&found.source, found.is_secret) {
            (SettingSource::Default(_), _) => String::new(),
            (_, true) => "the value (not shown): ".to_owned(),
            (_, false) => format!("{:?}: ", found.text),
        };
        let cause = if cause.is_empty() || found.is_secret {
            String::new()
        } else {
            format!(" ({cause})")
        };
        let (key, expected, source_name) = (
            key.to_owned(),
            expected.to_owned(),
            found.source.to_string(),
        );
        Self::Invalid {
            key,
            source_name,
            value,
            expected,
            cause,
        }
    }

    /// Returns the error of a file that holds a `found_kind`, such as a table, where a value is
    /// expected.
    pub(super) fn not_a_plain_value(
        key: &str,
        source: &SettingSource,
        found_kind: &str,
        expected: &str,
    ) -> Self {
        Self::Invalid {
            key: key.to_owned(),
            source_name: source.to_string(),
            value: format!("{found_kind}: "),
            expected: expected.to_owned(),
            cause: String::new(),
        }
    }

    /// Returns the error of a file that is not TOML, without the excerpt of the file that the
    /// message of the parser has: it could hold a secret.
    pub(super) fn not_toml(file: &Path, text: &str, cause: &toml::de::Error) -> Self {
        let before = cause
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Self::NotToml {
            file: file.to_owned(),
            line,
            cause: cause.message().to_owned(),
        }
    }

    /// Returns the error of a key of the file that no setting claims, with the known key that it
    /// was probably meant to be.
    pub(super) fn unknown_key<'a>(
        key: &str,
        file: &Path,
        known: impl Iterator<Item = &'a String>,
    ) -> Self {
        let nearest = find_nearest_name(key, known.map(String::as_str));
        let hint = nearest.map_or_else(String::new, |near| format!(": did you mean {near}?"));
        Self::Unknown {
            key: key.to_owned(),
            file: file.to_owned(),
            hint,
        }
    }

    pub(super) fn missing_setting(key: &str, expected: &str) -> Self {
        Self::Missing {
            key: key.to_owned(),
            expected: expected.to_owned(),
        }
    }

    /// Returns the key of the setting, or the name of the variable; empty if the file is at fault.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Invalid { key, .. } | Self::Missing { key, .. } | Self::Unknown { key, .. } => {
                key
            }
            Self::NotUnicode { variable } => variable,
            Self::Unreadable { .. } | Self::NotToml { .. } => "",
        }
    }
}
