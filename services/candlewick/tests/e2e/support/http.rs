//! A client of REST.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// A client of one process.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Answer {
    /// The body of an answer that must be of that status.
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let parsed = serde_json::from_str(&self.text);
        parsed.unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a problem, which names what is wrong as RFC 9457 has it.
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.json(status);
        assert_eq!(self.kind, "application/problem+json", "{}", self.text);
        assert_eq!(problem["status"], status, "{}", self.text);
        let is_named = |member: &str| {
            problem[member]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        };
        assert!(
            ["type", "title", "detail"].into_iter().all(is_named),
            "{}",
            self.text
        );
        problem
    }
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            base: base.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let answer = self.agent.get(format!("{}{path}", self.base)).call();
        read(path, answer)
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        let request = self.agent.put(format!("{}{path}", self.base));
        let answer = request
            .header("content-type", "application/json")
            .send(body);
        read(path, answer)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        let answer = self.agent.delete(format!("{}{path}", self.base)).call();
        read(path, answer)
    }

    /// Sends a body of trades.
    pub(crate) fn post(&self, kind: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let path = "/api/v1/trades";
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(path, request.header("content-type", kind).send(body))
    }

    /// Sends a body of trades; nothing where the process is gone.
    pub(crate) fn try_post(&self, kind: &str, body: &[u8]) -> Option<Answer> {
        let path = "/api/v1/trades";
        let request = self.agent.post(format!("{}{path}", self.base));
        let answer = request.header("content-type", kind).send(body).ok()?;
        let is_whole = |answer: &Answer| !answer.text.is_empty();
        Some(read(path, Ok(answer))).filter(is_whole)
    }

    /// Sends trades in JSON, which must all be accepted.
    pub(crate) fn send(&self, trades: &[Value]) {
        let body = serde_json::to_vec(trades).unwrap();
        let answer = self.post("application/json", &body, &[]).json(200);
        assert_eq!(answer["accepted"], trades.len(), "{answer}");
    }

    /// Declares a venue.
    pub(crate) fn declare(&self, venue: &str, settings: &Value) {
        let path = format!("/api/v1/venues/{venue}/settings");
        self.put(&path, &settings.to_string()).json(200);
    }

    /// Every element of a list, page by page.
    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let (mut elements, mut cursor) = (Vec::new(), None);
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let page = match cursor {
                Some(cursor) => self.get(&format!("{path}{joint}cursor={cursor}")),
                None => self.get(path),
            };
            let mut page = page.json(200);
            let data = page["data"].as_array_mut().unwrap();
            elements.append(data);
            match page["next_cursor"].take() {
                Value::Null => return elements,
                next => cursor = Some(next.as_str().unwrap().to_owned()),
            }
        }
    }

    /// Every metric, summed over its labels.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200);
        let mut metrics = BTreeMap::new();
        for line in answer.text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let name = name.split('{').next().unwrap();
            *metrics.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap();
        }
        metrics
    }
}

fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
    let kind = answer.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok());
    Answer {
        status: answer.status().as_u16(),
        kind: kind.unwrap_or_default().to_owned(),
        text: {
            let mut body = answer.into_body();
            let bytes = body.with_config().limit(256 << 20).read_to_vec().unwrap();
            String::from_utf8(bytes).unwrap()
        },
    }
}
