//! `POST /api/v1/trades`.

mod body;
mod compact;
mod element;
mod fields;
mod intake;
mod json;
mod media;
mod msgpack;
mod submission;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use clock::Clock;
use eventlog::Log;
use schemas::api::{RejectedSubmissionJson, SubmissionJson};
use store::{BarReader, TickStore};
use tokio::task::spawn_blocking;

pub(crate) use self::body::read_body;
pub(crate) use self::fields::{VALUE_NAMES, read_values, scope_of};
pub(crate) use self::intake::Intake;
use self::media::Media;
pub(crate) use self::media::idempotency_key;
pub(crate) use self::submission::Fault;
use self::submission::Submission;
use crate::json_response::json_response;
use crate::params::Params;
use crate::problem::problem_response;
use crate::{ApiState, ErrorCode, Problem};

/// Bodies beyond this are read beside the threads that answer requests.
const INLINE_BYTES: usize = 64 * 1024;

/// Takes trades; answers once the log holds all that are not listed as rejected.
pub(crate) async fn post<L, B, T, C>(
    State(state): State<ApiState<L, B, T, C>>,
    request: Request,
) -> Result<Response, Problem>
where
    L: Log,
    B: BarReader,
    T: TickStore,
    C: Clock,
{
    Params::read(request.uri(), &[])?;
    let media = Media::of(request.headers())?;
    let sender = idempotency_key(request.headers())?;
    let mut room = state.intake().room();
    let body = read_body(request, &mut room, &state.clock).await?;
    let mut submission = read(media, body, sender).await?;
    for (code, count) in &submission.faults {
        state.producer.metrics().rejected(code, *count);
    }
    let trades = std::mem::take(&mut submission.trades);
    let appended = state.producer.append(trades).await?;
    submission.reject(&appended.rejected);
    Ok(answer(appended.accepted, submission))
}

async fn read(media: Media, body: Bytes, sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    if body.len() <= INLINE_BYTES {
        return media.read(&body, sender);
    }
    spawn_blocking(move || media.read(&body, sender))
        .await
        .map_err(|error| Problem::internal(&error))?
}

fn answer(accepted: usize, submission: Submission) -> Response {
    let (rejected_total, rejected) = (submission.rejected_total, submission.rejected);
    if accepted > 0 || rejected.is_empty() {
        let outcome = SubmissionJson {
            accepted: accepted as u64,
            rejected_total,
            rejected,
        };
        return json_response(StatusCode::OK, &outcome);
    }
    let code = ErrorCode::TradesRejected;
    let problem = Problem::new(code, "every trade was rejected; the list says why");
    let all = RejectedSubmissionJson {
        problem: problem.into_json(),
        rejected_total,
        rejected,
    };
    problem_response(code, &all)
}
