//! Bodies of a bounded size.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use clock::{Clock, timeout};
use futures_util::StreamExt;

use super::intake::Room;
use crate::{ErrorCode, Problem};

/// The largest body that is read.
pub(crate) const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How much of a body that is too large is passed over, so that a client that sends all before
/// it listens gets to hear why.
const PASSED_LIMIT_BYTES: usize = 4 * BODY_LIMIT_BYTES;

/// The longest silence within a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is reserved at once; the rest as it comes, since a length alone costs its sender nothing.
const FIRST_BYTES: usize = 64 * 1024;

/// Reads a body whole; takes room for it as it comes.
pub(crate) async fn read_body<C: Clock>(
    request: Request,
    room: &mut Room<'_>,
    clock: &C,
) -> Result<Bytes, Problem> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > PASSED_LIMIT_BYTES) {
        return Err(too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut body = BytesMut::with_capacity(length.unwrap_or(0).min(FIRST_BYTES));
    let mut seen_bytes = 0;
    while let Some(chunk) = timeout(clock, IDLE_TIMEOUT, chunks.next())
        .await
        .map_err(|_| silent())?
    {
        let chunk = chunk.map_err(|error| {
            let detail = format!("the body ended early: {error}");
            Problem::new(ErrorCode::InvalidBody, detail)
        })?;
        seen_bytes += chunk.len();
        if seen_bytes > PASSED_LIMIT_BYTES {
            break;
        }
        if seen_bytes <= BODY_LIMIT_BYTES {
            room.hold(seen_bytes).await;
            body.extend_from_slice(&chunk);
        } else {
            body = BytesMut::new();
            room.leave();
        }
    }
    match seen_bytes <= BODY_LIMIT_BYTES {
        true => Ok(body.freeze()),
        false => Err(too_large()),
    }
}

fn silent() -> Problem {
    let seconds = IDLE_TIMEOUT.as_secs();
    let detail = format!("nothing more of the body came for {seconds} s");
    Problem::new(ErrorCode::BodyTimeout, detail)
}

fn too_large() -> Problem {
    let mebibytes = BODY_LIMIT_BYTES / (1024 * 1024);
    Problem::new(
        ErrorCode::BodyTooLarge,
        format!("the body is larger than {mebibytes} MiB; send it in parts"),
    )
    .accepted(format!("at most {BODY_LIMIT_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use clock::SystemClock;
    use futures_util::stream;

    use super::super::Intake;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up_and_those_that_wait_go_on() {
        let intake = Intake::new();
        let silent = async |length: usize| {
            let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"["))]);
            let body = Body::from_stream(first.chain(stream::pending()));
            let request = Request::builder().header(CONTENT_LENGTH, length);
            let request = request.body(body).unwrap();
            read_body(request, &mut intake.room(), &SystemClock).await
        };
        let others = futures_util::future::join_all([(); 5].map(|()| silent(BODY_LIMIT_BYTES)));
        let began_ns = SystemClock.monotonic_ns();
        let good = async {
            let body = Body::from(vec![b' '; BODY_LIMIT_BYTES]);
            let body = read_body(Request::new(body), &mut intake.room(), &SystemClock).await;
            assert_eq!(body.unwrap().len(), BODY_LIMIT_BYTES);
            assert_eq!(SystemClock.monotonic_ns(), began_ns, "it has not waited");
        };
        let (given_up, ()) = tokio::join!(others, good);
        for problem in given_up {
            assert_eq!(problem.unwrap_err().code(), ErrorCode::BodyTimeout);
        }
        let waited_ns = SystemClock.monotonic_ns() - began_ns;
        assert_eq!(waited_ns / 1_000_000_000, IDLE_TIMEOUT.as_secs());
    }
}
