//! The REST API of one process.

use std::time::Duration;

use market::{IdScheme, IdScope, Symbol, Venue};
use schemas::TradesBatch;
use serde::Deserialize;
use serde_json::json;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Above what the server itself allows a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// An answer may list every trade of a batch.
const ANSWER_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// Why a request was not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The same request may be served later.
    #[error("{0}")]
    Transient(String),
    /// It will not be, however often it is sent.
    #[error("{0}")]
    Permanent(String),
}

/// What became of the trades of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// How many the log holds now.
    #[serde(default)]
    pub accepted: u64,
    /// The first of the others, ascending.
    pub rejected: Vec<Rejection>,
    /// How many of the others there are, listed or not.
    #[serde(default)]
    rejected_total: u64,
}

impl Answer {
    /// How many trades were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        // Of a server that lists them all there may be no total.
        self.rejected_total.max(self.rejected.len() as u64)
    }
}

/// Why a trade was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rejection {
    /// Its place in the request.
    pub index: usize,
    /// What was wrong and what would be right.
    pub message: String,
}

/// What a repair marks.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Repaired {
    /// How many records the log has taken.
    pub records: u64,
    /// How many minutes they mark.
    pub minutes: u64,
    /// How many minutes are too old to change.
    pub beyond_horizon: u64,
}

impl Repaired {
    /// Adds what another request has marked.
    pub const fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.minutes += other.minutes;
        self.beyond_horizon += other.beyond_horizon;
    }
}

#[derive(Deserialize)]
struct Version {
    log_id: String,
}

/// What a problem tells, as RFC 9457 has it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
}

/// A client of one process; its connections are kept.
#[derive(Debug, Clone)]
pub struct Server {
    agent: Agent,
    base: String,
}

impl Server {
    /// A client of the process at `base`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// Where `base` is no URL of HTTP.
    pub fn new(base: &str) -> Result<Self, String> {
        let wrong = || format!("{base:?} is not a URL such as http://127.0.0.1:8080");
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().filter(|_| is_http).ok_or_else(wrong)?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("candlewick/", env!("CARGO_PKG_VERSION")));
        if matches!(host, "localhost" | "[::1]") || host.starts_with("127.") {
            // No proxy can reach this machine's own addresses.
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The identity of its log.
    ///
    /// # Errors
    /// [`ServerError`], which says whether the same request may be served later.
    pub fn log_id(&self) -> Result<String, ServerError> {
        let answer = self.agent.get(self.url("/api/v1/version")).call();
        let (status, body) = read(answer)?;
        if status != 200 {
            return Err(refused(status, &body));
        }
        let version: Version = parse(&body)?;
        Ok(version.log_id)
    }

    /// Declares how a venue numbers its trades; its other settings stay as they are.
    ///
    /// # Errors
    /// [`ServerError`], which says whether the same request may be served later.
    pub fn declare(
        &self,
        venue: &Venue,
        scheme: IdScheme,
        scope: IdScope,
    ) -> Result<(), ServerError> {
        let url = self.url(&format!("/api/v1/venues/{venue}/settings"));
        let settings = json!({
            "id_scheme": scheme.name(),
            "id_scope": scope.name(),
        });
        let answer = self
            .agent
            .put(url)
            .header("content-type", "application/json")
            .send(settings.to_string());
        match read(answer)? {
            (200 | 201 | 204, _) => Ok(()),
            (409, body) => {
                let said = refused(409, &body);
                let hint =
                    "say so with --id-scheme and --id-scope, or send the tapes as another --venue";
                Err(ServerError::Permanent(format!("{said}; {hint}")))
            }
            (status, body) => Err(refused(status, &body)),
        }
    }

    /// Asks for minutes to be folded anew.
    ///
    /// # Errors
    /// [`ServerError`], which says whether the same request may be served later.
    pub fn repair(
        &self,
        venue: &Venue,
        symbol: &Symbol,
        start: &str,
        end: &str,
    ) -> Result<Repaired, ServerError> {
        let range = json!({
            "venue": venue.as_str(),
            "symbol": symbol.as_str(),
            "start": start,
            "end": end,
        });
        let answer = self
            .agent
            .post(self.url("/api/v1/repairs"))
            .header("content-type", "application/json")
            .send(range.to_string());
        match read(answer)? {
            (202, body) => parse(&body),
            (status, body) => Err(refused(status, &body)),
        }
    }

    /// Sends a [`TradesBatch`]; answered once the log holds it.
    ///
    /// # Errors
    /// [`ServerError`], which says whether the same request may be served later.
    pub fn send(&self, batch: &[u8]) -> Result<Answer, ServerError> {
        let answer = self
            .agent
            .post(self.url("/api/v1/trades"))
            .header("content-type", TradesBatch::CONTENT_TYPE)
            .send(batch);
        match read(answer)? {
            (200, body) => parse(&body),
            // All of them were refused: a problem that lists why.
            (422, body) => parse(&body).map_err(|_| refused(422, &body)),
            (413, body) => {
                let said = refused(413, &body);
                Err(ServerError::Permanent(format!(
                    "{said}; a smaller --batch would fit"
                )))
            }
            (status, body) => Err(refused(status, &body)),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

fn read(answer: Result<Response<Body>, Error>) -> Result<(u16, Vec<u8>), ServerError> {
    let mut answer = answer.map_err(|error| unreached(&error))?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_LIMIT_BYTES)
        .read_to_vec()
        .map_err(|error| unreached(&error))?;
    Ok((answer.status().as_u16(), body))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ServerError> {
    serde_json::from_slice(body).map_err(|error| {
        let reason = format!("the answer is not that of a candlewick process: {error}");
        ServerError::Permanent(reason)
    })
}

/// The request did not get there, or its answer did not get back.
fn unreached(error: &Error) -> ServerError {
    let is_transient = matches!(
        error,
        Error::Io(_)
            | Error::Timeout(_)
            | Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Protocol(_)
            | Error::BodyStalled
    );
    match is_transient {
        true => ServerError::Transient(error.to_string()),
        false => ServerError::Permanent(error.to_string()),
    }
}

/// The server answered otherwise than it was asked to.
fn refused(status: u16, body: &[u8]) -> ServerError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let said = match (problem.detail.as_str(), problem.title.as_str()) {
        ("", "") => format!("it answered with status {status}"),
        ("", title) => format!("{title} (status {status})"),
        (detail, _) => format!("{detail} (status {status})"),
    };
    match status {
        408 | 425 | 429 | 500.. => ServerError::Transient(said),
        _ => ServerError::Permanent(said),
    }
}

#[cfg(test)]
mod tests {
    use super::{Server, ServerError, refused};

    #[test]
    fn a_url_is_of_http_and_has_a_host() {
        for url in [
            "http://127.0.0.1:8080",
            "https://candles.example/base/",
            "http://[::1]:1",
        ] {
            assert!(Server::new(url).is_ok(), "{url}");
        }
        for url in ["127.0.0.1:8080", "localhost", "ftp://host", "http://", ""] {
            assert!(Server::new(url).is_err(), "{url}");
        }
        assert_eq!(Server::new("http://host/").unwrap().base(), "http://host");
    }

    #[test]
    fn busy_is_tried_again_and_wrong_is_not() {
        let body = br#"{"type":"x","title":"Busy","status":503,"detail":"the log is busy"}"#;
        let busy = ServerError::Transient("the log is busy (status 503)".to_owned());
        assert_eq!(refused(503, body), busy);
        let wrong = ServerError::Permanent("it answered with status 404".to_owned());
        assert_eq!(refused(404, b"<html>"), wrong);
    }
}
