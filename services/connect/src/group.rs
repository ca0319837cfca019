//! The consumer group whose members share the partitions.

use clap::Args;
use host::Layers;

/// The flags of a member of a consumer group.
#[derive(Debug, Default, Args)]
pub struct GroupArgs {
    /// The consumer group that shares the partitions [default: candlewick- and the role]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// A name of this process that outlives it, such as the pod's of a stateful set: started
    /// again within the session's 6 s, it gets its partitions back at once. No two processes of
    /// a group may have the same [default: none]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
}

/// What was set.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// The name of the consumer group.
    pub group: String,
    /// The member's static id, where membership is static.
    pub instance: Option<String>,
}

impl GroupArgs {
    /// Reads the section `[group]`; errors are collected in `layers`.
    pub fn read(self, layers: &mut Layers, default: &str) -> GroupSettings {
        GroupSettings {
            group: layers.take("group", self.group, default.to_owned()),
            instance: layers.optional("instance", self.instance),
        }
    }
}
