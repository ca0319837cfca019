//! Requests that are retried until the server serves them.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clock::RetryPolicy;
use market::{TieOrder, Venue};
use tokio_util::sync::CancellationToken;

use crate::chunk::TradesRequest;
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::progress::StatusPrinter;
use crate::thread_timer::ThreadTimer;
use client::{ListDuplicatesRequest, RestClient, RestError};
use schemas::api::{DuplicatePageJson, SubmissionResponseJson};

/// What to do if the venue is declared with other id rules.
const OTHER_ID_RULES_HINT: &str =
    "say so with --id-scheme and --id-scope, or send the tapes as another --venue";
/// What to do if the server does not accept a request of this size.
const TOO_LARGE_HINT: &str = "a smaller --batch would fit";

/// The upper bound of the first backoff.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The upper bound of every backoff.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A single failure is often a connection that was idle for too long; the second one in a row is
/// reported as an outage.
const FAILURES_OF_AN_OUTAGE: u32 = 2;

/// Sends requests to one log, and retries them while the server does not answer.
pub(crate) struct ServerConnection<'a> {
    server: RestClient,
    log_id: String,
    id_scheme_and_scope: IdSchemeAndScope,
    settings: RetrySettings<'a>,
    /// The declared venues, with the order of trades of equal event time.
    declared_venues: Mutex<HashMap<Venue, TieOrder>>,
}

/// How long requests are retried, and where outages are reported.
#[derive(Clone, Copy)]
pub(crate) struct RetrySettings<'a> {
    /// How long the server may be unavailable.
    pub(crate) give_up: Duration,
    /// Where an outage is reported, once.
    pub(crate) messages: &'a StatusPrinter,
    /// Cancelled if the run ends early.
    pub(crate) stop: &'a CancellationToken,
}

impl<'a> ServerConnection<'a> {
    /// Requests the identity of the server's log.
    ///
    /// # Errors
    /// If the server does not answer for too long, or is not a Candlewick.
    pub(crate) fn connect(
        server: RestClient,
        id_scheme_and_scope: IdSchemeAndScope,
        settings: RetrySettings<'a>,
        timer: &ThreadTimer,
    ) -> anyhow::Result<Self> {
        let version = settings.call_until_served(&server, timer, |_| server.get_version())?;
        let log_id = version.log_id;
        Ok(Self {
            server,
            log_id,
            id_scheme_and_scope,
            settings,
            declared_venues: Mutex::default(),
        })
    }

    /// Returns the identity of the log.
    pub(crate) fn log_id(&self) -> &str {
        &self.log_id
    }

    /// Sends trades of a declared venue until each is acknowledged or rejected.
    ///
    /// # Errors
    /// If the server rejects the request as a whole, is unavailable for too long, or has another
    /// log than before.
    pub(crate) fn send_trades_batch(
        &self,
        request: &TradesRequest,
        timer: &ThreadTimer,
    ) -> anyhow::Result<SubmissionResponseJson> {
        let answer = self.retry_while_same_log(timer, || {
            let sent = self.server.send_trades_batch(&request.body);
            sent.map_err(|error| add_hint(error, 413, TOO_LARGE_HINT))
        })?;
        let mut rejected = answer.rejected.iter();
        let in_bounds = rejected.all(|rejection| rejection.index < request.origins.len());
        let answered = answer.accepted.saturating_add(answer.rejected_total);
        ensure!(
            in_bounds && answered == request.origins.len() as u64,
            "the answer of {} is for {answered} trades, but {} were sent",
            self.server.base_url(),
            request.origins.len(),
        );
        Ok(answer)
    }

    /// Returns one page of the later deliveries of trades.
    ///
    /// # Errors
    /// If the server rejects the request or is unavailable for too long.
    pub(crate) fn list_duplicates(
        &self,
        request: &ListDuplicatesRequest<'_>,
        timer: &ThreadTimer,
    ) -> anyhow::Result<DuplicatePageJson> {
        self.retry_while_same_log(timer, || self.server.list_duplicates(request))
    }

    /// Declares a venue once. Returns the order of its trades of equal event time.
    ///
    /// # Errors
    /// If the venue is declared with other id rules, or the server is unavailable for too long.
    pub(crate) fn declare_venue(
        &self,
        venue: &Venue,
        timer: &ThreadTimer,
    ) -> anyhow::Result<TieOrder> {
        // Locked during the call: no other thread sends trades of a venue before it is declared.
        let mut declared = self
            .declared_venues
            .lock()
            .expect("no holder of this lock panics");
        if let Some(ties) = declared.get(venue) {
            return Ok(*ties);
        }
        let settings = self
            .retry_while_same_log(timer, || {
                let (scheme, scope) = (
                    self.id_scheme_and_scope.scheme,
                    self.id_scheme_and_scope.scope,
                );
                let declared = self.server.declare_venue(venue, scheme, scope);
                declared.map_err(|error| add_hint(error, 409, OTHER_ID_RULES_HINT))
            })
            .with_context(|| format!("cannot declare the venue {venue}"))?;
        // The careful order, should a later server have others.
        let ties = settings.ties.parse().unwrap_or(TieOrder::Log);
        declared.insert(venue.clone(), ties);
        Ok(ties)
    }

    /// Retries `call`, unless the server has another log after an outage: that log does not hold
    /// what was acknowledged before.
    fn retry_while_same_log<T>(
        &self,
        timer: &ThreadTimer,
        call: impl Fn() -> Result<T, RestError>,
    ) -> anyhow::Result<T> {
        self.settings
            .call_until_served(&self.server, timer, |is_retry| {
                if is_retry {
                    let log_id = self.server.get_version()?.log_id;
                    if log_id != self.log_id {
                        let before = &self.log_id;
                        return Err(RestError::permanent_without_status(format!(
                            "it has another log now ({log_id}, before {before}); run the replay again to send everything to it"
                        )));
                    }
                }
                call()
            })
    }
}

impl RetrySettings<'_> {
    /// Retries `call` while it fails with transient errors. Its argument is whether it failed
    /// before.
    fn call_until_served<T>(
        &self,
        server: &RestClient,
        timer: &ThreadTimer,
        call: impl Fn(bool) -> Result<T, RestError>,
    ) -> anyhow::Result<T> {
        let policy = RetryPolicy::new(FIRST_BACKOFF, LONGEST_BACKOFF).give_up_after(self.give_up);
        let failures = Cell::new(0);
        let begin = timer.now();
        let should_retry = |error: &RestError| {
            failures.set(failures.get() + 1);
            let RestError::Transient(reason) = error else {
                return false;
            };
            if failures.get() == FAILURES_OF_AN_OUTAGE {
                self.messages
                    .report_unavailable(server.base_url(), reason, self.give_up);
            }
            true
        };
        let outcome = timer.retry(&policy, self.stop, should_retry, || {
            call(failures.get() > 0)
        });
        match outcome {
            Ok(Some(answer)) => {
                self.messages.report_available(server.base_url());
                Ok(answer)
            }
            Ok(None) => bail!("stopped"),
            Err(RestError::Permanent { reason, .. }) => bail!("{}: {reason}", server.base_url()),
            Err(RestError::Transient(reason)) => {
                let waited = timer.now().saturating_sub(begin);
                bail!(
                    "{} has not been available for {waited:.0?}: {reason}",
                    server.base_url()
                );
            }
        }
    }
}

/// Adds a hint to the reason of a permanent error if the response had the given status.
fn add_hint(error: RestError, hint_status: u16, hint: &str) -> RestError {
    match error {
        RestError::Permanent {
            status: Some(status),
            reason,
        } if status == hint_status => RestError::Permanent {
            status: Some(status),
            reason: format!("{reason}; {hint}"),
        },
        _ => error,
    }
}
