//! The consumer group whose members share the partitions.

use clap::Args;
use host::ErrorCollectingConfigReader;

/// The flags of a member of a consumer group. The role that contains them adds the default of
/// `--group` to the help.
#[derive(Debug, Default, Args)]
pub struct ConsumerGroupArgs {
    /// The consumer group that shares the partitions
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// A name of this process that survives a restart, such as that of a pod of a stateful set:
    /// if it is restarted within the 6 s of the session, it gets its partitions back at once. No
    /// two processes of a group may have the same name. Without it, membership is dynamic
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
}

/// The consumer group and the identity of the member.
#[derive(Debug, Clone)]
pub struct ConsumerGroupSettings {
    /// The name of the consumer group.
    pub group: String,
    /// The static id of the member, if its membership is static.
    pub instance: Option<String>,
}

impl ConsumerGroupArgs {
    /// Reads the settings of the group; errors are collected in `reader`.
    pub fn read(
        self,
        reader: &mut ErrorCollectingConfigReader,
        default_group: &str,
    ) -> ConsumerGroupSettings {
        ConsumerGroupSettings {
            group: reader.read_or("group", self.group, default_group.to_owned()),
            instance: reader.read_optional("instance", self.instance),
        }
    }
}
