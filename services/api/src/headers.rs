//! Headers of requests that are given at most once.

use axum::http::{HeaderMap, HeaderValue};

use crate::problem::Problem;

/// Returns the value of the header `name`, as people write it; `None` if the request has none.
///
/// # Errors
/// A [`Problem`] if the header is given twice: each reader might take another of the values.
pub(crate) fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => {
            let detail = format!("the header {name} is given twice");
            Err(Problem::invalid_parameter(name, detail, "one value"))
        }
    }
}
