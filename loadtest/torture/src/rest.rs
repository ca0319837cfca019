//! REST, asked from a thread that may block.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use ureq::Agent;

/// How long a request may take: longer than a pod needs, shorter than one that is frozen.
const PATIENCE: Duration = Duration::from_secs(6);

/// A client of every pod.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    agent: Agent,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("no JSON: {}", self.text))
    }
}

impl Rest {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
        }
    }

    /// # Errors
    /// Where no whole answer comes.
    pub(crate) async fn get(&self, url: String) -> anyhow::Result<Answer> {
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || read(agent.get(url).call()));
        asked.await?
    }

    /// # Errors
    /// Where no whole answer comes.
    pub(crate) async fn put(&self, url: String, body: String) -> anyhow::Result<Answer> {
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let request = agent.put(url).header("content-type", "application/json");
            read(request.send(body))
        });
        asked.await?
    }

    /// Sends an edit, or without a body a cancel, that is known by the key.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub(crate) async fn amend(
        &self,
        url: String,
        key: String,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let sent = match body {
                Some(body) => agent
                    .put(url)
                    .header("content-type", "application/json")
                    .header("idempotency-key", key)
                    .send(body),
                None => agent.delete(url).header("idempotency-key", key).call(),
            };
            read(sent)
        });
        asked.await?
    }

    /// Sends trades, each known by the key and its place in the body.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub(crate) async fn post(
        &self,
        url: String,
        key: String,
        body: String,
    ) -> anyhow::Result<Answer> {
        let agent = self.agent.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let request = agent.post(url).header("content-type", "application/json");
            read(request.header("idempotency-key", key).send(body))
        });
        asked.await?
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Answer> {
    let mut answer = answer?;
    Ok(Answer {
        status: answer.status().as_u16(),
        text: answer
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string()?,
    })
}
