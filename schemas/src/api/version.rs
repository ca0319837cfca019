//! `GET /api/v1/version`.

use serde::{Deserialize, Serialize};

/// The version of the server and the log behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionJson {
    /// The version of the binary.
    pub version: String,
    /// The identity of the log: different for each data folder and each cluster.
    pub log_id: String,
    /// The generation of the topic `trades`.
    pub epoch: u64,
    /// The number of partitions of each topic.
    pub partitions: u32,
}
