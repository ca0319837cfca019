//! A user and a password that were changed since a client was made.

use super::Security;
use super::complaint::Complaints;
use super::native::{self, Client};

/// Gives a client that the brokers have refused the user and the password as they are now. It
/// goes on connecting, and uses them from then on.
pub(super) fn renew(security: &Security, client: &impl Client, complaints: &Complaints) {
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
