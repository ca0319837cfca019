//! How the text of a setting becomes a value.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// A type that a setting may have.
pub trait SettingValue: Sized {
    /// What is accepted, to complete the sentence "expected …".
    const ACCEPTS: &'static str;

    /// Whether the text must stay out of error messages.
    const SECRET: bool = false;

    /// Reads the text of a flag, a variable or a value in the file.
    ///
    /// # Errors
    /// What is wrong with the text, or an empty text if [`ACCEPTS`](SettingValue::ACCEPTS) says
    /// enough.
    fn parse(text: &str) -> Result<Self, String>;

    /// Returns the text that help shows if this value is the default of a setting. Unless the value
    /// is a secret, [`parse`](SettingValue::parse) reads the text as this value.
    fn to_help_text(&self) -> String;
}

macro_rules! settings_by_from_str {
    ($($type:ty: $accepts:literal,)*) => {$(
        impl SettingValue for $type {
            const ACCEPTS: &'static str = $accepts;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| String::new())
            }

            fn to_help_text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

settings_by_from_str! {
    bool: "true or false",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number from 0 to 18446744073709551615",
    usize: "a whole number, 0 or more",
    i64: "a whole number",
    NonZeroU16: "a whole number from 1 to 65535",
    NonZeroU32: "a whole number from 1 to 4294967295",
    NonZeroU64: "a whole number from 1 to 18446744073709551615",
    NonZeroUsize: "a whole number, 1 or more",
    IpAddr: "an IP address such as 127.0.0.1",
    SocketAddr: "an IP address and a port such as 127.0.0.1:8080",
}

impl SettingValue for String {
    const ACCEPTS: &'static str = "a text that is not empty";

    fn parse(text: &str) -> Result<Self, String> {
        require_non_empty(text).map(str::to_owned)
    }

    fn to_help_text(&self) -> String {
        self.clone()
    }
}

impl SettingValue for PathBuf {
    const ACCEPTS: &'static str = "a path";

    fn parse(text: &str) -> Result<Self, String> {
        require_non_empty(text).map(Self::from)
    }

    fn to_help_text(&self) -> String {
        self.display().to_string()
    }
}

/// A list is separated by commas; in the file it may also be an array.
impl<T: SettingValue> SettingValue for Vec<T> {
    const ACCEPTS: &'static str = "a list separated by commas";
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let item = |text| T::parse(text).map_err(|_| format!("{text:?} is not {}", T::ACCEPTS));
        items.map(item).collect()
    }

    fn to_help_text(&self) -> String {
        let items: Vec<_> = self.iter().map(T::to_help_text).collect();
        items.join(",")
    }
}

/// The units of durations in milliseconds, the largest first.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl SettingValue for Duration {
    const ACCEPTS: &'static str = "a duration such as 250ms, 30s, 5m, 12h or 7d";

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.find(|character: char| !character.is_ascii_digit());
        let (count, unit) = text.split_at(digits.ok_or("the unit is missing")?);
        let count: u64 = count.parse().map_err(|_| String::new())?;
        let known = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
        let (_, unit_ms) = known.ok_or_else(|| format!("{unit:?} is not a unit"))?;
        count
            .checked_mul(*unit_ms)
            .map(Self::from_millis)
            .ok_or_else(|| "too long".to_owned())
    }

    fn to_help_text(&self) -> String {
        let total_ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let fits = |unit_ms: u64| total_ms >= unit_ms && total_ms.is_multiple_of(unit_ms);
        let largest = DURATION_UNITS.iter().find(|(_, unit_ms)| fits(*unit_ms));
        let (unit, unit_ms) = largest.unwrap_or(&("ms", 1));
        format!("{}{unit}", total_ms / unit_ms)
    }
}

/// A text that neither error messages nor `Debug` nor help show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(not shown)")
    }
}

impl SettingValue for Secret {
    const ACCEPTS: &'static str = String::ACCEPTS;
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        String::parse(text).map(Self)
    }

    fn to_help_text(&self) -> String {
        "(not shown)".to_owned()
    }
}

fn require_non_empty(text: &str) -> Result<&str, String> {
    match text.is_empty() {
        true => Err(String::new()),
        false => Ok(text),
    }
}
