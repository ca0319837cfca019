//! Which database the topic `trades` is folded into: the brokers keep that, so that a second
//! deployment with a database of its own is refused.
//!
//! The opposite, topics that are not those of the database, is refused by the database when an
//! aggregator registers them (decision 17).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clock::{Clock, SystemClock};
use eventlog::LogError;
use kafka::{KafkaTopic, TopicBinding};
use store::TimescaleBarStore;

use super::servers::{GuardedBars, ServerConnector};

/// The component that reports to which database the topic belongs.
const COMPONENT: &str = "topic-database";
/// The time between two looks at the binding.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The time between two times that the binding is written again, so that the brokers keep it.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(3_600);

/// A database, as the brokers keep it: its identifier, a space, and its name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DatabaseIdentity(String);

/// Why a topic is not bound to this database.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "the topic is folded into another database, {bound}, and this one is {own}: another \
         deployment uses this topic, or a setting names the wrong one; if this database is to take \
         over, stop the other aggregators and run `candlewick topics bind`"
    )]
    OtherDatabase {
        /// What the brokers keep.
        bound: String,
        /// This database.
        own: String,
    },
    #[error(
        "the topic was folded into another database and is now bound to none, as after it was \
         deleted and created again: a process that was refused does not bind it to {own}; restart \
         this process if that is meant, or run `candlewick topics bind`"
    )]
    RefusedBefore {
        /// This database.
        own: String,
    },
}

/// Whether this process was refused, because the topic was bound to another database.
///
/// Such a process waits, and its attempts go on. Should the binding vanish meanwhile, with the
/// topic itself, it must not be the first to bind the new topic.
#[derive(Debug, Default)]
pub(super) struct BindingRefusal(AtomicBool);

impl BindingRefusal {
    /// Checks what the topic is bound to, and remembers a refusal.
    fn check_and_remember_refusal(
        &self,
        own: &DatabaseIdentity,
        bound: Option<&str>,
    ) -> Result<(), BindError> {
        match bound {
            Some(bound) => own.check_same_database(bound).inspect_err(|_| {
                self.0.store(true, Ordering::Relaxed);
            }),
            None if self.0.load(Ordering::Relaxed) => {
                Err(BindError::RefusedBefore { own: own.0.clone() })
            }
            None => Ok(()),
        }
    }
}

impl DatabaseIdentity {
    /// Returns the database of a store; `None` if its identifier cannot be read.
    fn of_store(store: &TimescaleBarStore) -> Option<Self> {
        Some(Self(format!("{} {}", store.id()?, store.label())))
    }

    fn is_same_database(&self, text: &str) -> bool {
        let id = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        id(&self.0) == id(text)
    }

    /// Returns an error if `bound` is another database.
    fn check_same_database(&self, bound: &str) -> Result<(), BindError> {
        if self.is_same_database(bound) {
            return Ok(());
        }
        Err(BindError::OtherDatabase {
            bound: bound.to_owned(),
            own: self.0.clone(),
        })
    }
}

/// Checks that the topic is not bound to another database. Binds nothing: the database may have to
/// refuse the topic. `refusal` is that of earlier checks.
pub(super) async fn check_not_bound_elsewhere(
    topic: &KafkaTopic,
    bars: &GuardedBars,
    refusal: &BindingRefusal,
) -> Result<(), BindError> {
    let Some(own) = DatabaseIdentity::of_store(bars.unguarded()) else {
        return Ok(());
    };
    let binding = topic.open_binding()?;
    let bound = binding.read().await;
    kafka::drop_clients(binding, &SystemClock).await;
    refusal.check_and_remember_refusal(&own, bound?.as_deref())
}

/// The binding of `trades` to the database of this process.
pub(super) struct TradesTopicBinding {
    binding: TopicBinding,
    own: DatabaseIdentity,
    topic_name: String,
    refusal: BindingRefusal,
}

impl TradesTopicBinding {
    /// Binds the topic to the database if it is not bound, and waits while it is bound to another.
    /// Returns `None` if the process is stopped first. The inner `None` means that the identifier
    /// of the database cannot be read, so nothing is bound.
    pub(super) async fn bind_if_database_identifiable(
        connector: &ServerConnector,
        topic: &KafkaTopic,
        bars: &GuardedBars,
    ) -> anyhow::Result<Option<Option<Self>>> {
        let component = connector.register_component(COMPONENT);
        let Some(own) = DatabaseIdentity::of_store(bars.unguarded()) else {
            component.degraded(
                "the user may not execute pg_control_system(): whether another database is filled \
                 from this topic is not checked",
            );
            return Ok(Some(None));
        };
        let database = Self {
            binding: topic.open_binding()?,
            own,
            topic_name: topic.name().to_owned(),
            refusal: BindingRefusal::default(),
        };
        let attempt = || database.bind_or_check();
        let bound = connector
            .wait_for_server(&component, |_| false, attempt)
            .await?;
        Ok(bound.map(|()| Some(database)))
    }

    async fn bind_or_check(&self) -> Result<(), BindError> {
        let bound = self.binding.read().await?;
        self.refusal
            .check_and_remember_refusal(&self.own, bound.as_deref())?;
        if bound.is_some() {
            return Ok(());
        }
        self.binding.write(&self.own.0).await?;
        // Two aggregators may have bound it at once: the last one has.
        let bound = self.binding.read().await?.unwrap_or_default();
        self.refusal
            .check_and_remember_refusal(&self.own, Some(&bound))
    }

    /// Waits until the topic is bound to another database, and returns why this process has to end.
    /// Meanwhile it renews the binding.
    pub(super) async fn renew_binding_until_bound_elsewhere(&self) -> LogError {
        let mut renewed_ns = SystemClock.monotonic_ns();
        loop {
            SystemClock.sleep(CHECK_INTERVAL).await;
            // Whether the brokers answer is reported elsewhere.
            let Ok(bound) = self.binding.read().await else {
                continue;
            };
            if let Some(Err(error)) = bound
                .as_ref()
                .map(|bound| self.own.check_same_database(bound))
            {
                return LogError::Refused {
                    topic: self.topic_name.clone(),
                    reason: error.to_string(),
                };
            }
            let now_ns = SystemClock.monotonic_ns();
            let is_due =
                Duration::from_nanos(now_ns.saturating_sub(renewed_ns)) >= RENEWAL_INTERVAL;
            if (bound.is_none() || is_due) && self.binding.write(&self.own.0).await.is_ok() {
                renewed_ns = now_ns;
            }
        }
    }
}

/// Binds a topic to a database, in place of an earlier one. Returns what it was bound to.
///
/// # Errors
/// If the brokers do not answer, or the identifier of the database cannot be read.
pub(crate) async fn rebind_topic(
    topic: &KafkaTopic,
    store: &TimescaleBarStore,
) -> anyhow::Result<Option<String>> {
    let Some(own) = DatabaseIdentity::of_store(store) else {
        anyhow::bail!("the user of the database may not execute pg_control_system()");
    };
    let binding = topic.open_binding()?;
    let before = binding.read().await?;
    binding.write(&own.0).await?;
    kafka::drop_clients(binding, &SystemClock).await;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_refusal_only_an_operator_binds_the_topic() {
        let own = DatabaseIdentity("7/1/public bars in staging at db:5432".to_owned());
        let refusal = BindingRefusal::default();
        refusal.check_and_remember_refusal(&own, None).unwrap();
        refusal
            .check_and_remember_refusal(&own, Some(&own.0))
            .unwrap();
        let other = Some("8/1/public bars in production at db2:5432");
        refusal.check_and_remember_refusal(&own, other).unwrap_err();
        // The topic was recreated, which removes its binding.
        let error = refusal.check_and_remember_refusal(&own, None).unwrap_err();
        assert!(matches!(error, BindError::RefusedBefore { .. }), "{error}");
        // An operator has bound it to this database.
        refusal
            .check_and_remember_refusal(&own, Some(&own.0))
            .unwrap();
    }

    #[test]
    fn a_database_is_known_by_its_identifier_and_named_with_its_address() {
        let own = DatabaseIdentity("7/16384/public bars in candlewick at db:5432".to_owned());
        own.check_same_database("7/16384/public bars in candlewick at 10.0.0.7:5432")
            .unwrap();
        let error = own
            .check_same_database("8/16384/public bars in staging at db2:5432")
            .unwrap_err();
        let text = error.to_string();
        for part in [
            "bars in staging at db2:5432",
            "db:5432",
            "candlewick topics bind",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
