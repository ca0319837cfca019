//! `candlewick replay`: sends tapes, which are files of recorded trades, to a running process.
//!
//! A reader thread merges the tapes by event time, and parses and encodes trades ahead of the
//! senders. Sender threads post the encoded trades. The first thread counts what the log has
//! acknowledged, shows the progress and saves how far the run got.
//!
//! | module | holds |
//! |---|---|
//! | `arguments` | the command line |
//! | `replay` | a whole run, from the command line to the report |
//! | `tape`, `open_tapes` | the files, known by their content; which ids their trades have |
//! | `unpack`, `lines`, `cells`, `values` | from the bytes of a file to the values of one line |
//! | `format`, `binance`, `plain`, `parsed_trade_line` | the formats of lines |
//! | `line_identity` | what identifies the trades of tapes without ids |
//! | `tape_reader`, `merged_tapes`, `instruments` | the trades of one tape and of all tapes |
//! | `chunk`, `reader_thread`, `sender_threads`, `pipeline` | the threads and what they pass on |
//! | `server_connection`, `speed`, `thread_timer` | requests that are retried, and waiting |
//! | `send_counts`, `resume_point`, `resume_file` | how far the log has acknowledged the tapes |
//! | `conflicts` | which trades contradict an earlier delivery, once they are folded |
//! | `problems`, `progress`, `report`, `conflict_lines` | what the user sees |

mod arguments;
mod binance;
mod cells;
mod chunk;
mod chunk_order;
mod conflict_lines;
mod conflicts;
mod format;
mod id_scheme_and_scope;
mod instruments;
mod line_identity;
mod lines;
mod merged_tapes;
mod open_tapes;
mod parsed_trade_line;
mod pipeline;
mod plain;
mod problems;
mod progress;
mod reader_thread;
mod replay;
mod report;
mod resume_file;
mod resume_point;
mod send_counts;
mod sender_threads;
mod server_connection;
mod speed;
mod tape;
mod tape_reader;
#[cfg(test)]
mod tests;
mod thread_timer;
mod unpack;
mod values;

pub use arguments::ReplayArgs;
pub use replay::run;
