//! Bodies of a bounded size.

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::{ErrorCode, Problem};

/// The largest body that is read.
pub(crate) const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How much of a body that is too large is passed over, so that a client that sends all before
/// it listens gets to hear why.
const PASSED_LIMIT_BYTES: usize = 4 * BODY_LIMIT_BYTES;

/// Reads a body whole.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > PASSED_LIMIT_BYTES) {
        return Err(too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut body = BytesMut::with_capacity(length.unwrap_or(0).min(BODY_LIMIT_BYTES));
    let mut seen_bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            let detail = format!("the body ended early: {error}");
            Problem::new(ErrorCode::InvalidBody, detail)
        })?;
        seen_bytes += chunk.len();
        if seen_bytes > PASSED_LIMIT_BYTES {
            break;
        }
        if seen_bytes <= BODY_LIMIT_BYTES {
            body.extend_from_slice(&chunk);
        }
    }
    match seen_bytes <= BODY_LIMIT_BYTES {
        true => Ok(body.freeze()),
        false => Err(too_large()),
    }
}

fn too_large() -> Problem {
    let mebibytes = BODY_LIMIT_BYTES / (1024 * 1024);
    Problem::new(
        ErrorCode::BodyTooLarge,
        format!("the body is larger than {mebibytes} MiB; send it in parts"),
    )
    .accepted(format!("at most {BODY_LIMIT_BYTES} bytes"))
}
