//! The media type of a body.

use axum::http::HeaderMap;
use schemas::TradesBatch;

use super::compact::read_compact_trades;
use super::json::{read_json_trades, read_ndjson_trades};
use super::msgpack::read_msgpack_trades;
use super::submission::TradeSubmission;
use crate::headers::single_header;
use crate::problem::{ErrorCode, Problem};

const CONTENT_ENCODING: &str = "Content-Encoding";
const CONTENT_TYPE: &str = "Content-Type";

/// The media types in which trades may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// One object, or an array of them.
    Json,
    /// One object per line.
    NdJson,
    /// One map, or an array of them.
    MessagePack,
    /// A [`TradesBatch`].
    Compact,
}

impl MediaType {
    const ALL: [Self; 4] = [Self::Json, Self::NdJson, Self::MessagePack, Self::Compact];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::MessagePack => "application/msgpack",
            Self::Compact => TradesBatch::CONTENT_TYPE,
        }
    }

    /// Returns the media type that the headers name.
    ///
    /// # Errors
    /// A [`Problem`] if trades cannot be sent in it, if the body is compressed, or if a header is
    /// given twice.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        if let Some(encoding) = single_header(headers, CONTENT_ENCODING)?
            && encoding != "identity"
        {
            let detail = "compressed bodies are not read";
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail)
                .with_field(CONTENT_ENCODING)
                .with_accepted("identity"));
        }
        let given = single_header(headers, CONTENT_TYPE)?;
        let given = given.and_then(|given| given.to_str().ok()).unwrap_or("");
        let essence = given.split(';').next().unwrap_or("").trim();
        let media_type = Self::ALL
            .into_iter()
            .find(|media_type| media_type.name().eq_ignore_ascii_case(essence));
        media_type.ok_or_else(|| {
            let shown: String = essence.chars().take(64).collect();
            let detail = match shown.as_str() {
                "" => "the content type is missing".to_owned(),
                shown => format!("{shown:?} is not a content type of trades"),
            };
            Problem::new(ErrorCode::UnsupportedMediaType, detail)
                .with_field(CONTENT_TYPE)
                .with_accepted(Self::ALL.map(Self::name).join(", "))
        })
    }

    /// Reads a body of this media type.
    ///
    /// # Errors
    /// A [`Problem`] if the body as a whole cannot be read.
    pub(crate) fn read(
        self,
        body: &[u8],
        sender_key: Option<[u8; 16]>,
    ) -> Result<TradeSubmission, Problem> {
        match self {
            Self::Json => read_json_trades(body, sender_key),
            Self::NdJson => Ok(read_ndjson_trades(body, sender_key)),
            Self::MessagePack => read_msgpack_trades(body, sender_key),
            Self::Compact => read_compact_trades(body, sender_key),
        }
    }
}
