//! What a running client needs from time to time.

use crate::config::{KafkaConfig, KafkaSecurity};
use crate::connection_error::LastConnectionError;
use crate::metrics;
use crate::native::{self, NativeClient};

/// Reloads the password of a client if the brokers refused it, and restores its brokers if it knows
/// none. `client_name` names the client in the log. Call it every few seconds, on a thread that may
/// block for a moment.
pub(crate) fn repair_client_connection(
    config: &KafkaConfig,
    client_name: &str,
    client: &impl NativeClient,
    last_connection_error: &LastConnectionError,
) {
    reload_credentials_if_refused(&config.security, client, last_connection_error);
    if last_connection_error.read_and_reset_no_broker_flag() {
        restore_brokers(&config.brokers, client_name, client);
    }
}

/// Gives the current user and password to a client that the brokers have refused. The client keeps
/// connecting, and uses them for its next connections.
fn reload_credentials_if_refused(
    security: &KafkaSecurity,
    client: &impl NativeClient,
    last_connection_error: &LastConnectionError,
) {
    if !last_connection_error.is_authentication_refused() {
        return;
    }
    let reloaded = match security.read_credentials_if_needed() {
        Ok(Some((user, password))) => native::set_credentials(client, &user, &password),
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "cannot reload the password of Kafka");
            return;
        }
    };
    if let Err(error) = reloaded {
        tracing::warn!(%error, "cannot set the reloaded password of Kafka");
    }
}

/// Adds the configured brokers to a client that no longer knows any broker.
///
/// librdkafka drops each broker that a metadata response does not name, which may be all of them: a
/// single broker that was frozen for longer than its session names no broker until the controller
/// has registered it again. librdkafka then starts again from the configured brokers, unless the
/// rest of the same response cancels that, which depends on which of two threads is faster. After
/// that it sends no request any more
/// ([librdkafka 5301](https://github.com/confluentinc/librdkafka/issues/5301)).
fn restore_brokers(brokers: &str, client_name: &str, client: &impl NativeClient) {
    tracing::warn!(
        client = client_name,
        brokers,
        "the client knows no broker any more; adding the configured ones"
    );
    native::add_brokers(client, brokers);
    metrics::count_broker_restoration();
}

#[cfg(test)]
mod tests;
