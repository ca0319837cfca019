//! What feeds the live stream of a process.

use api::{BarUpdatesFollower, Hub};
use backend::Backend;
use host::Health;
use ingest::KnownSettings;

/// Builds the followers of a process, which feed its hub, one for each partition.
pub(crate) struct FollowerFactory<B: Backend> {
    pub(crate) updates: B::Updates,
    pub(crate) bars: B::Bars,
    pub(crate) clock: B::Clock,
    pub(crate) hub: Hub,
    pub(crate) settings: KnownSettings,
    pub(crate) health: Health,
}

impl<B: Backend> FollowerFactory<B> {
    /// Builds the follower of a partition and registers its component `hub-<partition>`.
    pub(crate) fn build(&self, partition: u32) -> BarUpdatesFollower<B> {
        BarUpdatesFollower {
            partition,
            updates: self.updates.clone(),
            bars: self.bars.clone(),
            clock: self.clock.clone(),
            hub: self.hub.clone(),
            settings: self.settings.clone(),
            health: self.health.register(&format!("hub-{partition}")),
        }
    }
}
