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
use eventlog::Log;
use host::Clock;
use market::Reject;
use serde::Serialize;
use store::{BarReader, TickStore};
use tokio::task::spawn_blocking;

pub(crate) use self::body::read_body;
pub(crate) use self::intake::Intake;
use self::media::Media;
use self::submission::{Rejection, Submission};
use crate::answer::json;
use crate::params::Params;
use crate::problem::problem_response;
use crate::{ApiState, ErrorCode, Problem};

/// Bodies beyond this are read beside the threads that answer requests.
const INLINE_BYTES: usize = 64 * 1024;

/// What became of the trades of a request.
#[derive(Serialize)]
struct Outcome<'a> {
    accepted: usize,
    rejected: &'a [Rejection],
}

/// A problem that lists why no trade was accepted.
#[derive(Serialize)]
struct AllRejected<'a> {
    #[serde(flatten)]
    problem: Problem,
    rejected: &'a [Rejection],
}

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
    let sender = media::idempotency_key(request.headers())?;
    let _room = state.intake().room(request.headers()).await;
    let body = read_body(request).await?;
    let mut submission = read(media, body, sender).await?;
    for rejection in &submission.rejected {
        state.producer.metrics().rejected(rejection.code);
    }
    let trades = std::mem::take(&mut submission.trades);
    let appended = state.producer.append(trades).await?;
    submission.reject(&appended.rejected);
    Ok(answer(appended.accepted, &submission.rejected))
}

async fn read(media: Media, body: Bytes, sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    if body.len() <= INLINE_BYTES {
        return media.read(&body, sender);
    }
    spawn_blocking(move || media.read(&body, sender))
        .await
        .map_err(|error| Problem::internal(&error))?
}

fn answer(accepted: usize, rejected: &[Rejection]) -> Response {
    if accepted > 0 || rejected.is_empty() {
        return json(StatusCode::OK, &Outcome { accepted, rejected });
    }
    let code = ErrorCode::TradesRejected;
    let problem = Problem::new(code, "every trade was rejected; the list says why");
    problem_response(code, &AllRejected { problem, rejected })
}

impl Submission {
    /// Adds what the producer has refused, by the places of the trades that it was given.
    fn reject(&mut self, refused: &[(usize, Reject)]) {
        for (place, reject) in refused {
            self.rejected.push(Rejection {
                index: self.indexes[*place],
                field: reject.field().to_owned(),
                code: reject.code(),
                message: reject.explanation().to_owned(),
            });
        }
        self.rejected.sort_by_key(|rejection| rejection.index);
    }
}
