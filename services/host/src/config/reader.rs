//! Reading settings from all layers.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use super::environment::read_candlewick_variables;
use super::error::{ConfigError, ConfigErrors};
use super::file::{self, ConfigFile};
use super::names::{flag_name, variable_name};
use super::setting::SettingValue;
use super::setting_text::{SettingSource, SourcedSettingText};

/// Reads settings from flags, variables and a file, and collects what is wrong with them.
///
/// Read every setting, then call [`finish`](ErrorCollectingConfigReader::finish): only if it
/// succeeds are the settings that were read good.
#[derive(Debug, Default)]
#[must_use = "unknown keys and bad values come to light in `finish`"]
pub struct ErrorCollectingConfigReader {
    environment: BTreeMap<String, String>,
    file: Option<ConfigFile>,
    /// The settings that were read, with their text if a layer has them.
    read: BTreeMap<String, Option<SourcedSettingText>>,
    /// The texts of the defaults of settings that were read, by key.
    defaults: BTreeMap<String, String>,
    ignored_sections: Vec<String>,
    errors: Vec<ConfigError>,
}

impl ErrorCollectingConfigReader {
    /// Loads the environment of the process and, if there is one, the file.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, or a variable is not UTF-8.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let (environment, mut errors) = read_candlewick_variables();
        let file = match file.map(ConfigFile::read).transpose() {
            Ok(file) => file,
            Err(error) => {
                errors.push(error);
                None
            }
        };
        match errors.is_empty() {
            true => Ok(Self {
                environment,
                file,
                ..Self::default()
            }),
            false => Err(ConfigErrors(errors)),
        }
    }

    /// Returns the setting, or `default` if no layer has it. A bad value is collected.
    pub fn read_or<T: SettingValue>(&mut self, key: &str, flag: Option<String>, default: T) -> T {
        self.defaults.insert(key.to_owned(), default.to_help_text());
        self.read_optional(key, flag).unwrap_or(default)
    }

    /// Returns the setting. If no layer has it, collects an error and returns `None`, as for a
    /// bad value.
    pub fn read_required<T: SettingValue>(&mut self, key: &str, flag: Option<String>) -> Option<T> {
        let value = self.read_optional(key, flag);
        let is_absent = self.read.get(key).is_some_and(Option::is_none);
        if is_absent && !self.errors.iter().any(|error| error.key() == key) {
            self.errors
                .push(ConfigError::missing_setting(key, T::ACCEPTS));
        }
        value
    }

    /// Returns the setting; `None` if no layer has it, or if its value is bad, which is an error of
    /// [`finish`](ErrorCollectingConfigReader::finish).
    pub fn read_optional<T: SettingValue>(&mut self, key: &str, flag: Option<String>) -> Option<T> {
        let found = self.find_text_and_mark_known(key, flag, T::ACCEPTS, T::SECRET)?;
        let parsed = T::parse(&found.text);
        self.value_or_collect_error(key, &found, T::ACCEPTS, parsed)
    }

    /// Like [`read_or`](ErrorCollectingConfigReader::read_or), for a type that is not a
    /// [`SettingValue`]: `expected` completes the sentence "expected …".
    pub fn parse_or<T: Display, E: Display>(
        &mut self,
        key: &str,
        flag: Option<String>,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        default: T,
    ) -> T {
        self.defaults.insert(key.to_owned(), default.to_string());
        self.parse_optional(key, flag, expected, parse)
            .unwrap_or(default)
    }

    /// Like [`read_optional`](ErrorCollectingConfigReader::read_optional), for a type that is not a
    /// [`SettingValue`]: `expected` completes the sentence "expected …".
    pub fn parse_optional<T, E: Display>(
        &mut self,
        key: &str,
        flag: Option<String>,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let found = self.find_text_and_mark_known(key, flag, expected, false)?;
        let parsed = parse(&found.text).map_err(|error| error.to_string());
        self.value_or_collect_error(key, &found, expected, parsed)
    }

    /// Collects an error for a setting that was read but does not fit the other settings.
    /// `expected` completes the sentence "expected …".
    pub fn reject(&mut self, key: &str, expected: &str) {
        let found = self.read.get(key).cloned().flatten();
        let found = found.unwrap_or_else(|| SourcedSettingText::placeholder_for_default(key));
        self.errors
            .push(ConfigError::invalid_value(key, &found, expected, ""));
    }

    /// Ignores a section of the file: it belongs to other roles.
    pub fn ignore_section(&mut self, section: &str) {
        self.ignored_sections.push(section.to_owned());
    }

    /// Returns the flags of the settings that were read with a default, and the texts of these
    /// defaults.
    pub fn defaults_by_flag(&self) -> impl Iterator<Item = (String, &str)> {
        let defaults = self.defaults.iter();
        defaults.map(|(key, text)| (flag_name(key), text.as_str()))
    }

    /// Checks that everything that was read is good and that everything in the file was read.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the keys.
    pub fn finish(mut self) -> Result<(), ConfigErrors> {
        self.collect_unknown_keys();
        self.errors
            .sort_by(|left, right| left.key().cmp(right.key()));
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors(self.errors)),
        }
    }

    /// Like [`finish`](ErrorCollectingConfigReader::finish), and returns what was built from the
    /// settings: `None` stands for a [required](ErrorCollectingConfigReader::read_required) setting
    /// that is missing.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the keys.
    ///
    /// # Panics
    /// If `built` is `None` although no required setting is missing.
    pub fn finish_with<T>(self, built: Option<T>) -> Result<T, ConfigErrors> {
        self.finish()?;
        Ok(built.expect(
            "`read_required` gives None only after an error is collected, which `finish` returns",
        ))
    }

    /// Collects an error for each key of the file that no setting claims.
    fn collect_unknown_keys(&mut self) {
        let Some(file) = &self.file else {
            return;
        };
        let claims = |owner: &str, key: &str| key == owner || key.starts_with(&format!("{owner}."));
        for key in file::leaf_keys(&file.table) {
            let mut owners = self.read.keys().chain(&self.ignored_sections);
            if !owners.any(|owner| claims(owner, &key)) {
                let error = ConfigError::unknown_key(&key, &file.path, self.read.keys());
                self.errors.push(error);
            }
        }
    }

    /// Returns the text of the first layer that has the key, and records that the key is known.
    fn find_text_and_mark_known(
        &mut self,
        key: &str,
        flag: Option<String>,
        expected: &str,
        is_secret: bool,
    ) -> Option<SourcedSettingText> {
        let variable = variable_name(key);
        let set = self
            .environment
            .get(&variable)
            .filter(|text| !text.is_empty());
        let found = if let Some(text) = flag {
            Some((SettingSource::from_flag(key), text))
        } else if let Some(text) = set {
            Some((SettingSource::Variable(variable), text.clone()))
        } else {
            self.find_text_in_file(key, expected)
        };
        let found = found.map(|(source, text)| SourcedSettingText {
            source,
            text,
            is_secret,
        });
        self.read.insert(key.to_owned(), found.clone());
        found
    }

    fn find_text_in_file(&mut self, key: &str, expected: &str) -> Option<(SettingSource, String)> {
        let file = self.file.as_ref()?;
        let value = file::find_value(&file.table, key)?;
        let source = SettingSource::ConfigFile(file.path.clone(), key.to_owned());
        match file::value_to_text(value) {
            Ok(text) => Some((source, text)),
            Err(kind) => {
                self.errors
                    .push(ConfigError::not_a_plain_value(key, &source, kind, expected));
                None
            }
        }
    }

    /// Returns the parsed value, or collects why it could not be parsed.
    fn value_or_collect_error<T>(
        &mut self,
        key: &str,
        found: &SourcedSettingText,
        expected: &str,
        parsed: Result<T, String>,
    ) -> Option<T> {
        let invalid = |cause: String| ConfigError::invalid_value(key, found, expected, &cause);
        parsed
            .map_err(|cause| self.errors.push(invalid(cause)))
            .ok()
    }
}

#[cfg(test)]
mod tests;
