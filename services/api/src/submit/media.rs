//! What form a body has, and who sent it, by the headers.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use schemas::TradesBatch;

use super::submission::Submission;
use super::{compact, json, msgpack};
use crate::{ErrorCode, Problem};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_LIMIT: usize = 255;

/// The forms in which trades are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// One object, or an array of them.
    Json,
    /// One object a line.
    NdJson,
    /// One map, or an array of them.
    MessagePack,
    /// A [`TradesBatch`].
    Compact,
}

impl Media {
    const ALL: [Self; 4] = [Self::Json, Self::NdJson, Self::MessagePack, Self::Compact];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::MessagePack => "application/msgpack",
            Self::Compact => TradesBatch::CONTENT_TYPE,
        }
    }

    /// The form that the headers name.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(encoding) = headers.get(CONTENT_ENCODING)
            && encoding != "identity"
        {
            let detail = "compressed bodies are not read";
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail)
                .field("Content-Encoding")
                .accepted("identity"));
        }
        let given = headers.get(CONTENT_TYPE);
        let given = given.and_then(|given| given.to_str().ok()).unwrap_or("");
        let essence = given.split(';').next().unwrap_or("").trim();
        let found = Self::ALL
            .into_iter()
            .find(|media| media.name().eq_ignore_ascii_case(essence));
        found.ok_or_else(|| {
            let shown: String = essence.chars().take(64).collect();
            let detail = match shown.as_str() {
                "" => "the content type is missing".to_owned(),
                shown => format!("{shown:?} is not a content type of trades"),
            };
            Problem::new(ErrorCode::UnsupportedMediaType, detail)
                .field("Content-Type")
                .accepted(Self::ALL.map(Self::name).join(", "))
        })
    }

    /// Reads a body of this form.
    pub(crate) fn read(self, body: &[u8], sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
        match self {
            Self::Json => json::read(body, sender),
            Self::NdJson => Ok(json::read_lines(body, sender)),
            Self::MessagePack => msgpack::read(body, sender),
            Self::Compact => compact::read(body, sender),
        }
    }
}

/// A digest of the request's Idempotency-Key, where it has one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Problem> {
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let is_visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
    if key.is_empty() || key.len() > KEY_LIMIT || !is_visible {
        return Err(Problem::parameter(
            "Idempotency-Key",
            "the key is empty, too long or not visible ASCII",
            format!("1 to {KEY_LIMIT} visible ASCII characters"),
        ));
    }
    let digest = blake3::hash(key.as_bytes());
    let (half, _) = digest
        .as_bytes()
        .split_first_chunk()
        .expect("a digest has 32 bytes");
    Ok(Some(*half))
}
