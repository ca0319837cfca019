//! The role around the core: it fetches, loads, announces and commits, in that order.

mod announce;
mod archiver_query;
mod background;
mod calls;
mod commit;
mod commit_state;
mod committer;
mod config;
mod fetch;
mod id_memory_budget;
mod lag;
mod load;
mod own_records;
mod readiness;
mod refolds;
mod refused_commit;
mod role;
mod run;
mod schedule;
mod session;
mod session_end;
mod ticks;

pub use config::WorkerConfig;
pub use id_memory_budget::IdMemoryBudget;
pub use role::{PartitionWorker, WorkerStores, WorkerTopics};
