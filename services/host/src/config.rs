//! Configuration in layers: flags over environment over a TOML file over defaults, all errors at
//! once.
//!
//! A setting has one key, from which its other names follow. `kafka.fetch_bytes` is
//! `--kafka-fetch-bytes`, `CANDLEWICK_KAFKA_FETCH_BYTES`, and `fetch_bytes` in the file's
//! `[kafka]`. A variable that is set but empty counts as unset. Variables that no setting claims
//! are ignored, since Kubernetes adds its own for a service whose name starts with `candlewick`;
//! keys of the file that no setting claims are errors.

mod environment;
mod error;
mod file;
mod names;
mod nearest;
mod reader;
mod setting;
mod setting_text;

pub use self::error::{ConfigErrors, EXIT_USAGE};
pub use self::reader::ErrorCollectingConfigReader;
pub use self::setting::{Secret, SettingValue};
