//! `candlewick verify`: checks every stored bar against the stored ticks.
//!
//! A snapshot holds bars, progress and verdicts of one moment, and the ticks up to there. The
//! checker goes through it symbol by symbol and day by day: it refolds the ticks one by one, with
//! [`market::Bar::merge`] alone and into every interval separately, and compares. It shares no code
//! with the aggregator.
//!
//! | module | holds |
//! |---|---|
//! | `arguments` | the command line |
//! | `verify` | a whole run, from the command line to the exit status |
//! | `snapshot`, `partitions` | bars of one moment, and ticks that reach as far |
//! | `standstill` | finds partitions that nobody folds |
//! | `symbol_checker` | goes through symbols and days |
//! | `stored_bars`, `tick_slices`, `verdict_pages` | read bars, ticks and verdicts in pieces |
//! | `day_fold` | refolds the ticks of a day |
//! | `day_comparison`, `named_bar_values`, `retention` | compare the bars of a day |
//! | `progress`, `report` | what the user sees |

mod arguments;
mod day_comparison;
mod day_fold;
mod named_bar_values;
mod partitions;
mod pending_duplicates;
mod progress;
mod report;
mod retention;
mod snapshot;
mod standstill;
mod stored_bars;
mod symbol_checker;
#[cfg(test)]
mod tests;
mod tick_slices;
mod verdict_pages;
mod verify;

pub use arguments::VerifyArgs;
pub use verify::run;
