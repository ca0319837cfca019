//! Configuration in layers: flags over environment over a TOML file over defaults, all errors at once.
//!
//! A setting has one key, from which its other names follow. `kafka.fetch_bytes` is
//! `--kafka-fetch-bytes`, `CANDLEWICK_KAFKA_FETCH_BYTES`, and `fetch_bytes` in the file's `[kafka]`.
//! A variable that is set but empty counts as unset. Variables that no setting claims are ignored,
//! since Kubernetes adds its own for a service whose name starts with `candlewick`; keys of the file
//! that no setting claims are errors.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use toml::Table;

use self::error::{ConfigError, unknown_key};
use self::source::{Source, variable_name};

mod error;
mod file;
mod nearest;
mod setting;
mod source;
#[cfg(test)]
mod tests;

pub use self::error::{ConfigErrors, EXIT_USAGE};
pub use self::setting::{Secret, Setting};

/// Where settings are taken from, and what was found wrong so far.
///
/// Take every setting, then [`finish`](Layers::finish): only then is what was taken known to be good.
#[derive(Debug)]
#[must_use = "unknown keys and bad values come to light in `finish`"]
pub struct Layers {
    environment: BTreeMap<String, String>,
    file: Option<file::File>,
    taken: BTreeMap<String, Option<Found>>,
    foreign: Vec<String>,
    errors: Vec<ConfigError>,
}

/// The text of a setting and the layer it came from.
#[derive(Clone, Debug)]
struct Found {
    source: Source,
    text: String,
    secret: bool,
}

impl Layers {
    /// Reads the process's environment and, if there is one, the file.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, or a variable is not UTF-8.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let (environment, mut errors) = source::environment();
        let file = match file.map(file::File::read).transpose() {
            Ok(file) => file,
            Err(error) => {
                errors.push(error);
                None
            }
        };
        match errors.is_empty() {
            true => Ok(Self::from_parts(environment, file)),
            false => Err(ConfigErrors(errors)),
        }
    }

    fn from_parts(environment: BTreeMap<String, String>, file: Option<file::File>) -> Self {
        let (taken, foreign, errors) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self {
            environment,
            file,
            taken,
            foreign,
            errors,
        }
    }

    /// The setting, or `default` where no layer has it. A bad value is noted for `finish`.
    pub fn take<T: Setting>(&mut self, key: &str, flag: Option<String>, default: T) -> T {
        self.optional(key, flag).unwrap_or(default)
    }

    /// The setting; that no layer has it is noted for `finish`, as a bad value is.
    pub fn require<T: Setting>(&mut self, key: &str, flag: Option<String>) -> Option<T> {
        let value = self.optional(key, flag);
        let absent = self.taken.get(key).is_some_and(Option::is_none);
        if absent && !self.errors.iter().any(|error| error.key() == key) {
            self.errors.push(ConfigError::missing(key, T::ACCEPTS));
        }
        value
    }

    /// The setting, where some layer has it. A bad value is noted for `finish`.
    pub fn optional<T: Setting>(&mut self, key: &str, flag: Option<String>) -> Option<T> {
        let found = self.find(key, flag, T::ACCEPTS, T::SECRET)?;
        let parsed = T::parse(&found.text);
        self.check(key, &found, T::ACCEPTS, parsed)
    }

    /// As [`optional`](Layers::optional), for a type of another crate: `accepts` says what `parse`
    /// takes, to complete the sentence "expected …".
    pub fn parse_with<T, E: Display>(
        &mut self,
        key: &str,
        flag: Option<String>,
        accepts: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let found = self.find(key, flag, accepts, false)?;
        let parsed = parse(&found.text).map_err(|error| error.to_string());
        self.check(key, &found, accepts, parsed)
    }

    /// Notes that a setting already taken does not fit the others; `accepts` as in `parse_with`.
    pub fn reject(&mut self, key: &str, accepts: &str) {
        let found = self.taken.get(key).cloned().flatten();
        let found = found.unwrap_or_else(|| Found::default_of(key));
        self.errors
            .push(ConfigError::invalid(key, &found, accepts, ""));
    }

    /// Leaves this section of the file to the roles whose it is.
    pub fn ignore_section(&mut self, section: &str) {
        self.foreign.push(section.to_owned());
    }

    /// Whether everything taken was good and everything in the file was taken.
    ///
    /// # Errors
    /// Everything that was found wrong, in the order of the keys.
    pub fn finish(mut self) -> Result<(), ConfigErrors> {
        let table = self
            .file
            .as_ref()
            .map_or_else(Table::new, |file| file.table.clone());
        for key in file::leaves(&table) {
            let known = |owner: &str| key == owner || key.starts_with(&format!("{owner}."));
            let claimed = self
                .taken
                .keys()
                .chain(&self.foreign)
                .any(|owner| known(owner));
            if let (false, Some(file)) = (claimed, &self.file) {
                self.errors
                    .push(unknown_key(&key, &file.path, self.taken.keys()));
            }
        }
        self.errors
            .sort_by(|left, right| left.key().cmp(right.key()));
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors(self.errors)),
        }
    }

    /// As [`finish`](Layers::finish), giving what was built from the settings: `None` if one that is
    /// [required](Layers::require) is not there.
    ///
    /// # Errors
    /// As `finish`.
    ///
    /// # Panics
    /// If `built` is `None` though every required setting was there.
    pub fn finish_with<T>(self, built: Option<T>) -> Result<T, ConfigErrors> {
        self.finish()?;
        Ok(built.expect("`require` gives None only after noting an error, which `finish` returns"))
    }

    /// The first layer that has the key, which is thereby known.
    fn find(
        &mut self,
        key: &str,
        flag: Option<String>,
        accepts: &str,
        secret: bool,
    ) -> Option<Found> {
        let variable = variable_name(key);
        let set = self
            .environment
            .get(&variable)
            .filter(|text| !text.is_empty());
        let found = if let Some(text) = flag {
            Some((Source::flag(key), text))
        } else if let Some(text) = set {
            Some((Source::Variable(variable), text.clone()))
        } else {
            self.find_in_file(key, accepts)
        };
        let found = found.map(|(source, text)| Found {
            source,
            text,
            secret,
        });
        self.taken.insert(key.to_owned(), found.clone());
        found
    }

    fn find_in_file(&mut self, key: &str, accepts: &str) -> Option<(Source, String)> {
        let file = self.file.as_ref()?;
        let value = file::look_up(&file.table, key)?;
        let source = Source::File(file.path.clone(), key.to_owned());
        match file::text_of(value) {
            Ok(text) => Some((source, text)),
            Err(kind) => {
                self.errors
                    .push(ConfigError::wrong_shape(key, &source, kind, accepts));
                None
            }
        }
    }

    fn check<T>(
        &mut self,
        key: &str,
        found: &Found,
        accepts: &str,
        parsed: Result<T, String>,
    ) -> Option<T> {
        let note = |cause: String| ConfigError::invalid(key, found, accepts, &cause);
        parsed.map_err(|cause| self.errors.push(note(cause))).ok()
    }
}

impl Found {
    fn default_of(key: &str) -> Self {
        let source = Source::Default(key.to_owned());
        Self {
            source,
            text: String::new(),
            secret: true,
        }
    }
}
