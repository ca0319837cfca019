//! `candlewick dead-letters`: shows the records that were not counted, and sends them again.
//!
//! | module | holds |
//! |---|---|
//! | `arguments`, `filter` | the command line |
//! | `dead_letters` | runs one action |
//! | `log_source` | opens the topics of a data folder or of Kafka |
//! | `location`, `topic_record` | what one record of the topic `dead-letters` is |
//! | `topic_reader`, `foreign_records` | reads the whole topic; warns of other records in it |
//! | `list`, `list_table` | the action `list` |
//! | `show` | the action `show` |
//! | `selection`, `resend` | the action `replay` |

mod arguments;
mod dead_letters;
mod filter;
mod foreign_records;
mod list;
mod list_table;
mod location;
mod log_source;
mod resend;
mod selection;
mod show;
#[cfg(test)]
mod test_topic;
mod topic_reader;
mod topic_record;

pub use arguments::DeadLettersArgs;
pub use dead_letters::run;
