//! Errors as [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The body of an error response, of the content type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemJson {
    /// [`ProblemJson::TYPE_PREFIX`] followed by the error code.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// A short summary, the same for every occurrence of the code.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What happened in this case, for people.
    pub detail: String,
    /// The parameter, header or member at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What would have been accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// The code of the broken rule, as lists of rejected trades name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
}

impl ProblemJson {
    /// What every `type` begins with.
    pub const TYPE_PREFIX: &str = "urn:candlewick:problem:";

    /// Returns the error code: the `type` without its prefix.
    #[must_use]
    pub fn code(&self) -> &str {
        let code = self.type_uri.strip_prefix(Self::TYPE_PREFIX);
        code.unwrap_or(&self.type_uri)
    }
}
