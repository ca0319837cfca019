//! What a running client needs done for it from time to time.

use super::KafkaConfig;
use super::complaint::Complaints;
use super::config::Security;
use super::metrics;
use super::native::{self, Client};

/// Does what is needed for a client, which is for what `name` says; call it every few seconds, on
/// a thread that may block for a moment.
pub(crate) fn keep(
    config: &KafkaConfig,
    name: &str,
    client: &impl Client,
    complaints: &Complaints,
) {
    renew_credentials(&config.security, client, complaints);
    if complaints.take_stranded() {
        bootstrap_again(&config.brokers, name, client);
    }
}

/// Gives a client that the brokers have refused the user and the password as they are now. It
/// goes on connecting, and uses them from then on.
fn renew_credentials(security: &Security, client: &impl Client, complaints: &Complaints) {
    if !complaints.is_refused() {
        return;
    }
    let renewed = match security.credentials() {
        Ok(Some((user, password))) => native::set_credentials(client, &user, &password),
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the password of Kafka cannot be read anew");
            return;
        }
    };
    if let Err(error) = renewed {
        tracing::warn!(%error, "the password of Kafka cannot be set anew");
    }
}

/// Gives a client that knows no broker any more those that it began with.
///
/// librdkafka drops each broker that an answer to its question for metadata does not name, and
/// that may be all of them: a lone broker that was frozen for longer than its session names nobody
/// until the controller has taken it back. It then begins anew by itself, unless the rest of the
/// same answer calls that off, which depends on which of two threads is faster; after that it asks
/// nobody, for ever ([librdkafka 5301](https://github.com/confluentinc/librdkafka/issues/5301)).
fn bootstrap_again(brokers: &str, name: &str, client: &impl Client) {
    tracing::warn!(
        client = name,
        brokers,
        "no broker is known any more; beginning anew"
    );
    native::add_brokers(client, brokers);
    metrics::bootstrapped_again();
}

#[cfg(test)]
mod tests;
