//! Which channels of a connection have changed.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use super::channel_name::ChannelName;

/// The channels of one connection that have changed since it last took them.
#[derive(Debug, Default)]
pub struct ConnectionChangedChannels {
    changed: Mutex<Vec<ChannelName>>,
    notify: Notify,
}

impl ConnectionChangedChannels {
    /// Waits until a channel has changed.
    pub async fn wait_for_change(&self) {
        self.notify.notified().await;
    }

    /// Removes and returns the channels that have changed.
    pub fn take_changed(&self) -> Vec<ChannelName> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changed)
    }

    /// Adds a channel that has changed and wakes the connection.
    pub(super) fn add_changed(&self, name: &ChannelName) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if !changed.contains(name) {
            changed.push(name.clone());
        }
        drop(changed);
        self.notify.notify_one();
    }
}
