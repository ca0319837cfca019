//! Reading bodies of a bounded size.

use std::time::Duration;

use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use clock::{Clock, timeout};
use futures_util::StreamExt;

use crate::body_budget::{BodyPermit, MAX_BODY_BYTES, SMALL_BODY_BYTES};
use crate::problem::{ErrorCode, Problem};

/// How much of a body that is too large is received and discarded, so that a client that sends all
/// of it before it reads the response receives the reason.
const MAX_DISCARDED_BYTES: usize = 4 * MAX_BODY_BYTES;

/// How long a client may send nothing in the middle of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is allocated before it has arrived: a false `Content-Length` costs a client
/// nothing.
const MAX_INITIAL_BYTES: usize = SMALL_BODY_BYTES;

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
    // Not more than it says arrives: hyper ends the body there.
    let is_small = length.is_some_and(|length| length <= SMALL_BODY_BYTES);
    let mut body = BytesMut::new();
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
            permit.grow_to(received_bytes, is_small).await;
            if body.is_empty() {
                body.reserve(length.unwrap_or(0).min(MAX_INITIAL_BYTES));
            }
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

    /// Returns a request whose body arrives in parts of 1 MiB, one each second.
    fn slow_request() -> Request {
        let parts = MAX_BODY_BYTES / (1024 * 1024);
        let part = |_| async {
            SystemClock.sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024 * 1024]))
        };
        let body = Body::from_stream(stream::iter(0..parts).then(part));
        let request = Request::builder().header(CONTENT_LENGTH, MAX_BODY_BYTES);
        request.body(body).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_body_does_not_wait_for_large_ones_that_arrive_slowly() {
        let budget = BodyBudget::new();
        let read_slow_body = async || {
            let mut permit = budget.empty_permit();
            let body = read_body(slow_request(), &mut permit, &SystemClock).await;
            assert_eq!(body.unwrap().len(), MAX_BODY_BYTES);
        };
        let slow_bodies = futures_util::future::join_all([(); 8].map(|()| read_slow_body()));
        let begin_ns = SystemClock.monotonic_ns();
        let read_small_bodies = async {
            for second in 1..30 {
                SystemClock.sleep(Duration::from_secs(1)).await;
                let request = Request::builder().header(CONTENT_LENGTH, 100);
                let request = request.body(Body::from(vec![b' '; 100])).unwrap();
                let mut permit = budget.empty_permit();
                let body = read_body(request, &mut permit, &SystemClock).await;
                assert_eq!(body.unwrap().len(), 100);
                let waited_ns = SystemClock.monotonic_ns() - begin_ns;
                assert_eq!(waited_ns / 1_000_000_000, second, "it has waited");
            }
        };
        tokio::join!(slow_bodies, read_small_bodies);
    }

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
