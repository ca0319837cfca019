//! Reading bodies of a bounded size.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use clock::{Clock, timeout};
use futures_util::StreamExt;

use crate::body_budget::{BodyPermit, MAX_BODY_BYTES};
use crate::problem::{ErrorCode, Problem};

/// How much of a body that is too large is received and discarded, so that a client that sends all
/// of it before it reads the response receives the reason.
const MAX_DISCARDED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// How long a client may send nothing in the middle of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is allocated before anything has arrived: a false `Content-Length` costs a client
/// nothing.
const MAX_INITIAL_BYTES: usize = 64 * 1024;

/// Reads a whole body. The permit grows with it.
///
/// # Errors
/// A [`Problem`] if the body is too large, ends early or stops arriving.
pub(crate) async fn read_body<C: Clock>(
    request: Request,
    permit: &mut BodyPermit<'_>,
    clock: &C,
) -> Result<Bytes, Problem> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_DISCARDED_BYTES) {
        return Err(too_large_problem());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut body = BytesMut::with_capacity(length.unwrap_or(0).min(MAX_INITIAL_BYTES));
    let mut received_bytes = 0;
    while let Some(chunk) = timeout(clock, IDLE_TIMEOUT, chunks.next())
        .await
        .map_err(|_| idle_timeout_problem())?
    {
        let chunk = chunk.map_err(|error| {
            let detail = format!("the body ended early: {error}");
            Problem::new(ErrorCode::InvalidBody, detail)
        })?;
        received_bytes += chunk.len();
        if received_bytes > MAX_DISCARDED_BYTES {
            break;
        }
        if received_bytes <= MAX_BODY_BYTES {
            permit.grow_to(received_bytes).await;
            body.extend_from_slice(&chunk);
        } else {
            body = BytesMut::new();
            permit.release();
        }
    }
    match received_bytes <= MAX_BODY_BYTES {
        true => Ok(body.freeze()),
        false => Err(too_large_problem()),
    }
}

fn idle_timeout_problem() -> Problem {
    let seconds = IDLE_TIMEOUT.as_secs();
    let detail = format!("nothing more of the body came for {seconds} s");
    Problem::new(ErrorCode::BodyTimeout, detail)
}

fn too_large_problem() -> Problem {
    let mebibytes = MAX_BODY_BYTES / (1024 * 1024);
    Problem::new(
        ErrorCode::BodyTooLarge,
        format!("the body is larger than {mebibytes} MiB; send it in parts"),
    )
    .with_accepted(format!("at most {MAX_BODY_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use clock::SystemClock;
    use futures_util::stream;

    use super::*;
    use crate::body_budget::BodyBudget;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_arriving_times_out_and_does_not_delay_others() {
        let budget = BodyBudget::new();
        let read_idle_body = async |length: usize| {
            let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"["))]);
            let body = Body::from_stream(first.chain(stream::pending()));
            let request = Request::builder().header(CONTENT_LENGTH, length);
            let request = request.body(body).unwrap();
            read_body(request, &mut budget.empty_permit(), &SystemClock).await
        };
        let idle_bodies =
            futures_util::future::join_all([(); 5].map(|()| read_idle_body(MAX_BODY_BYTES)));
        let begin_ns = SystemClock.monotonic_ns();
        let read_whole_body = async {
            let request = Request::new(Body::from(vec![b' '; MAX_BODY_BYTES]));
            let body = read_body(request, &mut budget.empty_permit(), &SystemClock).await;
            assert_eq!(body.unwrap().len(), MAX_BODY_BYTES);
            assert_eq!(SystemClock.monotonic_ns(), begin_ns, "it has not waited");
        };
        let (timed_out, ()) = tokio::join!(idle_bodies, read_whole_body);
        for problem in timed_out {
            assert_eq!(problem.unwrap_err().code(), ErrorCode::BodyTimeout);
        }
        let waited_ns = SystemClock.monotonic_ns() - begin_ns;
        assert_eq!(waited_ns / 1_000_000_000, IDLE_TIMEOUT.as_secs());
    }
}
