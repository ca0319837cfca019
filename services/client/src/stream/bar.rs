//! A bar as the API sends it.

use market::Position;
use serde_json::{Map, Value};

use super::StreamError;

/// A bar, or the changed fields of one, as the API sends it: a JSON object with at least `start`
/// and `through`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    start: String,
    through: Position,
    fields: Map<String, Value>,
}

impl Bar {
    /// Reads a bar from its JSON.
    ///
    /// # Errors
    /// If it is not an object, or has no `start` or `through`.
    pub fn from_json(json: Value) -> Result<Self, StreamError> {
        let Value::Object(fields) = json else {
            return Err(StreamError::Malformed("a bar that is not an object"));
        };
        let start = fields.get("start").and_then(Value::as_str);
        let start = start.ok_or(StreamError::Malformed("a bar without start"))?;
        let through = fields.get("through").and_then(|through| {
            Some(Position {
                epoch: through["epoch"].as_u64()?,
                offset: through["offset"].as_u64()?,
            })
        });
        Ok(Self {
            start: start.to_owned(),
            through: through.ok_or(StreamError::Malformed("a bar without through"))?,
            fields,
        })
    }

    /// Returns the start of the bar's window, as the API writes it.
    #[must_use]
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Returns the position of the last record that changed the bar. Of two states of a bar, the
    /// one with the greater position is newer.
    #[must_use]
    pub const fn through(&self) -> Position {
        self.through
    }

    /// Returns whether cancels have emptied the window. A client keeps such a bar, so that an older
    /// state cannot come back, and does not show it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.get("trades").is_some_and(|trades| *trades == 0)
    }

    /// Returns the fields of the JSON object.
    #[must_use]
    pub const fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Overwrites the fields that `delta` has.
    pub(super) fn apply_delta(&mut self, delta: Self) {
        self.through = delta.through;
        self.fields.extend(delta.fields);
    }

    pub(super) fn remove_field(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }
}
