//! The contract that every store fulfils: the functions of [`bars`], [`ids`], [`state`],
//! [`amendments`], [`texts`], [`topics`], [`ticks`], [`lookups`] and [`model`] take any
//! [`BarStore`] or [`TickStore`] that is empty. [`sqlite`] tests what is specific to files,
//! [`timescale`] and [`clickhouse`] what is specific to a server.
//!
//! [`BarStore`]: candlewick_store::BarStore
//! [`TickStore`]: candlewick_store::TickStore
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod amendments;
mod bars;
mod clickhouse;
mod fixtures;
mod ids;
mod lookups;
mod model;
mod sqlite;
mod state;
mod texts;
mod ticks;
mod timescale;
mod topics;

/// Defines the tests of a contract, each of which runs against a store that an expression opens.
macro_rules! contract {
    ($name:ident, $open:expr, $($module:ident :: { $($test:ident),+ $(,)? }),+ $(,)?) => {
        mod $name {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let (_kept, store) = $open.await;
                    crate::$module::$test(&store).await;
                }
            )+)+
        }
    };
}

/// Defines the tests of the contract of bar stores.
macro_rules! bars_contract {
    ($name:ident, $open:expr) => {
        contract!(
            $name,
            $open,
            bars::{
                written_rows_are_read_back,
                rows_are_replaced,
                a_bar_may_close_and_open_again,
                ranges_are_cut_at_either_end,
                many_bars_by_key,
                old_bars_expire,
            },
            ids::{
                ranges_are_inserted_and_removed,
                great_numbers_keep_their_order,
                segments_are_written_and_removed,
                the_digest_key_stays,
                range_sets_come_in_pages,
                old_ids_expire_but_not_those_of_no_bucket,
            },
            state::{
                a_partition_begins_at_its_epoch,
                a_transaction_is_committed_once,
                a_conflict_writes_nothing,
                checking_a_commit_writes_nothing,
                one_of_two_workers_commits_each_transaction,
                partitions_commit_side_by_side,
                a_snapshot_is_consistent,
                symbols_come_in_pages,
                a_venue_needs_every_partition,
                excluded_ranges_that_overlap,
                excluded_ranges_in_runs_of_offsets,
            },
            amendments::{
                marks_are_inserted_replaced_and_removed,
                a_conflict_marks_nothing,
                pending_amendments_are_loaded_and_expire,
                verdicts_of_amendments_outlive_those_of_trades,
            },
            texts::{
                legal_texts_come_back_from_a_bar_store,
                hostile_texts_do_no_harm_to_a_bar_store,
                the_last_of_repeated_rows_counts,
            },
            topics::{
                the_first_generation_has_epoch_1,
                a_new_generation_of_trades_moves_every_partition,
                a_new_generation_records_where_the_one_before_ended,
                a_new_generation_begins_with_the_latest_settings,
                other_topics_move_nothing,
                an_older_generation_is_superseded,
                concurrent_registrations_agree,
                a_worker_of_an_old_generation_loses,
                a_stale_epoch_begins_at_the_current_one,
                a_topic_with_other_partitions_or_of_another_log_is_refused,
            },
        );
    };
}

bars_contract!(sqlite_bars, crate::sqlite::bar_store());
bars_contract!(timescale_bars, crate::timescale::bar_store());

contract!(
    sqlite_ticks,
    crate::sqlite::tick_store(),
    ticks::{
        written_rows_are_read_back,
        repeats_and_overlaps_are_read_once,
        reads_are_cut_by_event_time,
        positions_come_in_order,
        a_large_block_comes_back_whole,
        a_position_never_goes_back,
        old_blocks_expire,
        amendments_outlive_trades,
        a_tick_that_is_no_trade_is_corrupt,
        every_value_comes_back,
        amendments_come_back_whole,
    },
    lookups::{
        ticks_are_found_by_what_identifies_their_trades,
        a_lookup_returns_one_delivery_of_each_trade,
        rejected_deliveries_are_not_the_first,
        first_deliveries_are_found_wherever_they_are,
    },
    texts::{legal_texts_come_back_from_a_tick_store},
);

contract!(
    clickhouse_ticks,
    crate::clickhouse::tick_store(),
    ticks::{
        written_rows_are_read_back,
        repeats_and_overlaps_are_read_once,
        reads_are_cut_by_event_time,
        positions_come_in_order,
        a_large_block_comes_back_whole,
        a_position_never_goes_back,
        a_tick_that_is_no_trade_is_corrupt,
        every_value_comes_back,
        amendments_come_back_whole,
    },
    lookups::{
        ticks_are_found_by_what_identifies_their_trades,
        a_lookup_returns_one_delivery_of_each_trade,
        rejected_deliveries_are_not_the_first,
        first_deliveries_are_found_wherever_they_are,
    },
    texts::{legal_texts_come_back_from_a_tick_store},
);
