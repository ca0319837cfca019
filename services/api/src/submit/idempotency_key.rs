//! The header Idempotency-Key: a request that is sent again with the same key and the same body is
//! the same request.

use axum::http::HeaderMap;

use crate::headers::single_header;
use crate::problem::Problem;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest Idempotency-Key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The value of a request's Idempotency-Key.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(Vec<u8>);

impl IdempotencyKey {
    /// Returns the key of a request; `None` if it has none.
    ///
    /// # Errors
    /// A [`Problem`] if it is not 1 to 255 visible ASCII characters, or is given twice.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(key) = single_header(headers, IDEMPOTENCY_KEY)? else {
            return Ok(None);
        };
        let is_visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
        if key.is_empty() || key.len() > MAX_KEY_BYTES || !is_visible {
            return Err(Problem::invalid_parameter(
                IDEMPOTENCY_KEY,
                "the key is empty, too long or not visible ASCII",
                format!("1 to {MAX_KEY_BYTES} visible ASCII characters"),
            ));
        }
        Ok(Some(Self(key.as_bytes().to_vec())))
    }

    /// Returns a digest of the key and the body. The body is part of it so that two senders that
    /// use the same key, such as a counter that begins at 1, do not lose each other's trades.
    pub(crate) fn digest_with_body(&self, body: &[u8]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.0.len() as u64).to_le_bytes());
        hasher.update(&self.0);
        hasher.update(body);
        let mut digest = [0; 16];
        hasher.finalize_xof().fill(&mut digest);
        digest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_digest_differs_if_the_key_or_the_body_differs() {
        let digest = |key: &str, body: &str| {
            IdempotencyKey(key.as_bytes().to_vec()).digest_with_body(body.as_bytes())
        };
        let pairs = [
            ("1", "[a]"),
            ("1", "[b]"),
            ("2", "[a]"),
            ("1[", "a]"),
            ("1", ""),
        ];
        let digests: HashSet<_> = pairs.iter().map(|(key, body)| digest(key, body)).collect();
        assert_eq!(digests.len(), pairs.len());
        assert_eq!(digest("1", "[a]"), digest("1", "[a]"));
    }
}
