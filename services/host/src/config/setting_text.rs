//! The text of a setting and where it was found.

use std::fmt;
use std::path::PathBuf;

use super::names::flag_name;

/// The text of a setting and the layer it came from.
#[derive(Clone, Debug)]
pub(super) struct SourcedSettingText {
    pub(super) source: SettingSource,
    pub(super) text: String,
    /// Whether the text must stay out of error messages.
    pub(super) is_secret: bool,
}

/// The layer that a setting came from, with the name that the setting has there.
#[derive(Clone, Debug)]
pub(super) enum SettingSource {
    Flag(String),
    Variable(String),
    ConfigFile(PathBuf, String),
    Default(String),
}

impl SourcedSettingText {
    /// Returns the text of a default value, for a setting that neither the command line, nor the
    /// environment, nor the file gives. Error messages do not show this text.
    pub(super) fn placeholder_for_default(key: &str) -> Self {
        Self {
            source: SettingSource::Default(key.to_owned()),
            text: String::new(),
            is_secret: true,
        }
    }
}

impl SettingSource {
    /// Returns the flag of a setting as a source.
    pub(super) fn from_flag(key: &str) -> Self {
        Self::Flag(flag_name(key))
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => formatter.write_str(name),
            Self::ConfigFile(path, key) => write!(formatter, "{key} in {}", path.display()),
            Self::Default(key) => write!(formatter, "{key} (by default)"),
        }
    }
}
