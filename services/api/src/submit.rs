//! `POST /api/v1/trades`.

mod compact;
mod element;
mod fields;
mod idempotency_key;
mod json;
mod media_type;
mod msgpack;
mod submission;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use backend::Backend;
use bytes::Bytes;
use eventlog::Log;
use schemas::api::{AppendedOffsetsJson, RejectedSubmissionProblemJson, SubmissionResponseJson};
use tokio::task::spawn_blocking;

pub(crate) use self::fields::{VALUE_NAMES, parse_scope, parse_trade_values};
pub(crate) use self::idempotency_key::IdempotencyKey;
use self::media_type::MediaType;
pub(crate) use self::submission::ElementFault;
use self::submission::TradeSubmission;
use crate::body::read_body;
use crate::json_response::json_response;
use crate::params::QueryParams;
use crate::problem::problem_response;
use crate::problem::{ErrorCode, Problem};
use crate::state::ApiState;

/// The largest body that is parsed on the threads that serve requests; larger ones are parsed on
/// the blocking threads.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// Appends trades. Responds once the log holds all trades that are not listed as rejected.
pub(crate) async fn post_trades<B: Backend>(
    State(state): State<ApiState<B>>,
    request: Request,
) -> Result<Response, Problem> {
    QueryParams::read(request.uri(), &[])?;
    let media_type = MediaType::from_headers(request.headers())?;
    let key = IdempotencyKey::from_headers(request.headers())?;
    let mut permit = state.body_budget().empty_permit();
    let body = read_body(request, &mut permit, &state.clock).await?;
    let mut submission = parse_trades_body(media_type, body, key).await?;
    for (code, count) in &submission.fault_counts {
        state.producer.metrics().count_rejected(code, *count);
    }
    let trades = std::mem::take(&mut submission.trades);
    let appended = state.producer.append(trades).await?;
    submission.add_rejected(&appended.rejected);
    let epoch = state.log.epoch();
    let offsets = appended.appended.into_iter();
    let offsets = offsets.map(|(partition, offsets)| AppendedOffsetsJson {
        partition,
        epoch,
        first_offset: offsets.start,
        end_offset: offsets.end,
    });
    Ok(submission_response(
        appended.accepted,
        submission,
        offsets.collect(),
    ))
}

async fn parse_trades_body(
    media_type: MediaType,
    body: Bytes,
    key: Option<IdempotencyKey>,
) -> Result<TradeSubmission, Problem> {
    let is_small = body.len() <= MAX_INLINE_BYTES;
    let parse = move || {
        let sender_key = key.map(|key| key.digest_with_body(&body));
        media_type.read(&body, sender_key)
    };
    if is_small {
        return parse();
    }
    spawn_blocking(parse)
        .await
        .map_err(|error| Problem::log_internal_error(&error))?
}

fn submission_response(
    accepted: usize,
    submission: TradeSubmission,
    appended: Vec<AppendedOffsetsJson>,
) -> Response {
    let (rejected_total, rejected) = (submission.rejected_total, submission.rejected);
    if accepted > 0 || rejected.is_empty() {
        let outcome = SubmissionResponseJson {
            accepted: accepted as u64,
            rejected_total,
            rejected,
            appended,
        };
        return json_response(StatusCode::OK, &outcome);
    }
    let code = ErrorCode::TradesRejected;
    let problem = Problem::new(code, "every trade was rejected; the list says why");
    let all = RejectedSubmissionProblemJson {
        problem: problem.into_json(),
        rejected_total,
        rejected,
    };
    problem_response(code, &all)
}
