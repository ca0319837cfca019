//! Requests over REST.

mod error;
mod list_duplicates_request;
mod operations;
mod response;

use std::time::Duration;

use schemas::api::PageJson;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Request, Uri};

pub use ureq::http::Method;

pub use self::error::RestError;
pub use self::list_duplicates_request::ListDuplicatesRequest;
pub use self::response::RestResponse;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the server itself allows a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A blocking client of one process. Clones share its connections.
#[derive(Debug, Clone)]
pub struct RestClient {
    agent: Agent,
    base_url: String,
}

impl RestClient {
    /// Returns a client of the process at `base_url`, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// If `base_url` is not a URL with scheme `http` or `https` and a host.
    pub fn new(base_url: &str) -> Result<Self, String> {
        Self::with_timeout(base_url, REQUEST_TIMEOUT)
    }

    /// Like [`RestClient::new`], with a limit on how long a request may take as a whole.
    ///
    /// # Errors
    /// As [`RestClient::new`].
    pub fn with_timeout(base_url: &str, request_timeout: Duration) -> Result<Self, String> {
        let invalid = || format!("{base_url:?} is not a URL such as http://127.0.0.1:8080");
        let uri: Uri = base_url.parse().map_err(|_| invalid())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().filter(|_| is_http).ok_or_else(invalid)?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT.min(request_timeout)))
            .timeout_global(Some(request_timeout))
            .user_agent(concat!("candlewick/", env!("CARGO_PKG_VERSION")));
        if matches!(host, "localhost" | "[::1]") || host.starts_with("127.") {
            // A proxy cannot reach this machine's own addresses.
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Returns the URL of the process, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Sends a GET request for `path`, which starts with a slash and may contain a query.
    ///
    /// # Errors
    /// If no complete response arrives. A response of any status is `Ok`.
    pub fn get(&self, path: &str) -> Result<RestResponse, RestError> {
        self.send(&Method::GET, path, &[], None)
    }

    /// Sends a PUT request with a body of JSON.
    ///
    /// # Errors
    /// If no complete response arrives. A response of any status is `Ok`.
    pub fn put_json(&self, path: &str, body: &str) -> Result<RestResponse, RestError> {
        let headers = [("content-type", "application/json")];
        self.send(&Method::PUT, path, &headers, Some(body.as_bytes()))
    }

    /// Sends a POST request with a body of JSON.
    ///
    /// # Errors
    /// If no complete response arrives. A response of any status is `Ok`.
    pub fn post_json(&self, path: &str, body: &str) -> Result<RestResponse, RestError> {
        let headers = [("content-type", "application/json")];
        self.send(&Method::POST, path, &headers, Some(body.as_bytes()))
    }

    /// Sends a request and waits for its response.
    ///
    /// # Errors
    /// If no complete response arrives. A response of any status is `Ok`.
    pub fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<RestResponse, RestError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let invalid =
            |error: ureq::http::Error| RestError::permanent_without_status(error.to_string());
        let sent = match body {
            Some(body) => self.agent.run(request.body(body).map_err(invalid)?),
            None => self.agent.run(request.body(()).map_err(invalid)?),
        };
        RestResponse::read(sent)
    }

    /// Reads every element of a paged list, following `next_cursor` to its end.
    ///
    /// # Errors
    /// [`RestError`], which says whether the same request may succeed later.
    pub fn get_all_pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, RestError> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut elements = Vec::new();
        let mut page_path = path.to_owned();
        loop {
            let response = self.get(&page_path)?;
            if response.status != 200 {
                return Err(response.to_error());
            }
            let page: PageJson<T> = response.json()?;
            elements.extend(page.data);
            match page.next_cursor {
                Some(cursor) => page_path = format!("{path}{separator}cursor={cursor}"),
                None => return Ok(elements),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RestClient;

    #[test]
    fn a_url_has_the_scheme_http_and_a_host() {
        for url in [
            "http://127.0.0.1:8080",
            "https://candles.example/base/",
            "http://[::1]:1",
        ] {
            assert!(RestClient::new(url).is_ok(), "{url}");
        }
        for url in ["127.0.0.1:8080", "localhost", "ftp://host", "http://", ""] {
            assert!(RestClient::new(url).is_err(), "{url}");
        }
        let client = RestClient::new("http://host/").unwrap();
        assert_eq!(client.base_url(), "http://host");
    }
}
