//! Requests that are sent until they are served.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clock::{Backoff, RetryPolicy};
use market::Venue;

use crate::chunk::Request;
use crate::pace::Timer;
use crate::progress::Notices;
use crate::source::Numbering;
use client::{RestClient, RestError};
use schemas::api::SubmissionJson;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// One failure is often a connection that was idle for too long; the next is an outage.
const FAILURES_OF_AN_OUTAGE: u32 = 2;

/// Sends requests to one log, again and again while it does not answer.
pub(crate) struct Link<'a> {
    server: RestClient,
    log_id: String,
    numbering: Numbering,
    patience: Patience<'a>,
    declared: Mutex<HashSet<Venue>>,
}

/// How long to try, and who is told.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    /// How long a server may not answer.
    pub(crate) give_up: Duration,
    /// Where an outage is told, once.
    pub(crate) notices: &'a Notices,
    /// Set when the run ends early.
    pub(crate) stop: &'a AtomicBool,
}

/// A time in which the server did not answer.
struct Outage {
    begin: Duration,
    failures: u32,
    backoff: Backoff,
}

impl<'a> Link<'a> {
    /// Asks the server which log it holds.
    ///
    /// # Errors
    /// Where it did not answer for too long, or is no Candlewick.
    pub(crate) fn connect(
        server: RestClient,
        numbering: Numbering,
        patience: Patience<'a>,
        timer: &Timer,
    ) -> anyhow::Result<Self> {
        let log_id = patience
            .persist(&server, timer, |_| server.version())?
            .log_id;
        Ok(Self {
            server,
            log_id,
            numbering,
            patience,
            declared: Mutex::default(),
        })
    }

    /// The identity of the log.
    pub(crate) fn log_id(&self) -> &str {
        &self.log_id
    }

    /// Sends a batch until its trades are acknowledged or refused; declares its venue first.
    ///
    /// # Errors
    /// Where that will not be, or takes too long, or another log answers.
    pub(crate) fn send(&self, request: &Request, timer: &Timer) -> anyhow::Result<SubmissionJson> {
        self.declare(&request.venue, timer)?;
        let answer = self.persist(timer, || self.server.send_trades(&request.body))?;
        let mut rejected = answer.rejected.iter();
        let in_bounds = rejected.all(|one| one.index < request.origins.len());
        let told = answer.accepted.saturating_add(answer.rejected_total);
        ensure!(
            in_bounds && told == request.origins.len() as u64,
            "{} tells of {told} trades and {} were sent",
            self.server.base_url(),
            request.origins.len(),
        );
        Ok(answer)
    }

    fn declare(&self, venue: &Venue, timer: &Timer) -> anyhow::Result<()> {
        // Held while it is asked: nobody sends trades of a venue before it is declared.
        let mut declared = self
            .declared
            .lock()
            .expect("no holder of the venues panics");
        if declared.contains(venue) {
            return Ok(());
        }
        self.persist(timer, || {
            let (scheme, scope) = (self.numbering.scheme, self.numbering.scope);
            self.server.declare_venue(venue, scheme, scope)
        })
        .with_context(|| format!("cannot declare the venue {venue}"))?;
        declared.insert(venue.clone());
        Ok(())
    }

    /// Tries again, unless another log answers after an outage: what was acknowledged is then
    /// not in it.
    fn persist<T>(
        &self,
        timer: &Timer,
        ask: impl Fn() -> Result<T, RestError>,
    ) -> anyhow::Result<T> {
        self.patience.persist(&self.server, timer, |is_again| {
            if is_again {
                let log_id = self.server.version()?.log_id;
                if log_id != self.log_id {
                    let before = &self.log_id;
                    return Err(RestError::Permanent(format!(
                        "another log answers there now ({log_id}, before {before}); run the replay again to send everything to it"
                    )));
                }
            }
            ask()
        })
    }
}

impl Patience<'_> {
    /// Asks until there is an answer; `ask` is told whether it was asked before.
    fn persist<T>(
        &self,
        server: &RestClient,
        timer: &Timer,
        ask: impl Fn(bool) -> Result<T, RestError>,
    ) -> anyhow::Result<T> {
        let mut outage: Option<Outage> = None;
        loop {
            let reason = match ask(outage.is_some()) {
                Ok(answer) => {
                    self.notices.is_back(server.base_url());
                    return Ok(answer);
                }
                Err(RestError::Permanent(reason)) => bail!("{}: {reason}", server.base_url()),
                Err(RestError::Transient(reason)) => reason,
            };
            let outage = outage.get_or_insert_with(|| Outage {
                begin: timer.now(),
                failures: 0,
                backoff: RetryPolicy::new(FIRST_WAIT, LONGEST_WAIT).backoff(),
            });
            outage.failures += 1;
            if outage.failures == FAILURES_OF_AN_OUTAGE {
                self.notices
                    .is_away(server.base_url(), &reason, self.give_up);
            }
            let waited = timer.now().saturating_sub(outage.begin);
            if waited >= self.give_up {
                bail!(
                    "{} has not been available for {waited:.0?}: {reason}",
                    server.base_url()
                );
            }
            timer.wait(outage.backoff.next_delay(), self.stop);
            if self.stop.load(Ordering::Relaxed) {
                bail!("stopped");
            }
        }
    }
}
