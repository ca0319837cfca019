//! Answers in JSON.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// The elements.
    pub(crate) data: Vec<T>,
    /// Where to read on; nothing at the end.
    pub(crate) next_cursor: Option<String>,
}

/// A value as an answer in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("an answer is plain data");
    let mut response = (status, body).into_response();
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}
