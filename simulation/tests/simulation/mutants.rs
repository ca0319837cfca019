//! Rules that are broken on purpose: the simulation has to detect each.

use crate::mutant::Mutant;
use crate::run_seed_caught;

/// The number of seeds within which a mutant has to be caught.
const SEEDS: u64 = 2_000;

fn assert_caught(mutant: Mutant) {
    assert_caught_first_from(mutant, 0);
}

/// Begins with a seed that is near one known to catch the mutant, since few do.
fn assert_caught_first_from(mutant: Mutant, first: u64) {
    for seed in (first..SEEDS).chain(0..first) {
        if let Err(wrong) = run_seed_caught(seed, Some(mutant)) {
            println!("{mutant:?} was caught by seed {seed}: {wrong}");
            return;
        }
    }
    panic!("{mutant:?} survived {SEEDS} seeds");
}

#[test]
fn a_store_without_compare_and_set_is_caught() {
    assert_caught(Mutant::NoCompareAndSet);
}

#[test]
fn a_position_that_moves_before_the_state_is_caught() {
    assert_caught(Mutant::PositionBeforeState);
}

#[test]
fn watermarks_left_out_of_the_transaction_are_caught() {
    assert_caught(Mutant::WatermarksLost);
}

#[test]
fn closes_by_the_wall_clock_are_caught() {
    assert_caught(Mutant::ClosesByWallClock);
}

#[test]
fn a_delta_to_a_connection_that_does_not_hold_prev_is_caught() {
    assert_caught(Mutant::DeltaWithoutPrev);
}

#[test]
fn an_announcement_that_is_acknowledged_before_it_is_durable_is_caught() {
    assert_caught(Mutant::AckBeforeDurable);
}

#[test]
fn trades_of_a_marked_minute_left_out_of_the_transaction_are_caught() {
    assert_caught(Mutant::MarkedMinuteTradesLost);
}

#[test]
fn amendments_that_came_first_left_out_of_the_transaction_are_caught() {
    assert_caught(Mutant::PendingAmendmentsLost);
}

#[test]
fn a_commit_of_unknown_outcome_taken_for_a_success_is_caught() {
    assert_caught(Mutant::CommitLost);
}

#[test]
fn a_left_out_record_whose_announced_states_stay_is_caught() {
    assert_caught(Mutant::LeftOutNotFollowed);
}

#[test]
fn segments_of_ids_that_are_empty_after_they_left_memory_are_caught() {
    assert_caught(Mutant::EvictedIdsForgotten);
}

#[test]
fn a_loser_that_never_comes_back_is_caught() {
    assert_caught(Mutant::LosingWorkerNotRestarted);
}

#[test]
fn a_gap_that_is_skipped_is_caught() {
    assert_caught(Mutant::GapSkipped);
}

#[test]
fn an_archiver_that_forgets_the_append_time_before_its_position_is_caught() {
    assert_caught(Mutant::AppendTimeLost);
}

#[test]
fn amendments_that_expire_with_trades_are_caught() {
    assert_caught(Mutant::AmendmentsExpireWithTrades);
}

#[test]
fn verdicts_of_amendments_that_expire_with_those_of_trades_are_caught() {
    assert_caught(Mutant::AmendmentVerdictsExpireWithTrades);
}

#[test]
fn ticks_beyond_the_end_of_their_epoch_that_count_are_caught() {
    assert_caught(Mutant::TicksBeyondEpochEndCount);
}

#[test]
fn a_pod_that_keeps_states_beyond_the_end_of_their_epoch_is_caught() {
    assert_caught(Mutant::PodKeepsStatesBeyondEpochEnd);
}

#[test]
fn a_client_that_keeps_states_beyond_the_end_of_their_epoch_is_caught() {
    assert_caught(Mutant::ClientKeepsStatesBeyondEpochEnd);
}

#[test]
fn copies_of_settings_that_undo_later_ones_are_caught() {
    assert_caught(Mutant::OlderSettingsApplied);
}

#[test]
fn settings_that_differ_between_partitions_when_an_epoch_begins_are_caught() {
    assert_caught(Mutant::SettingsDifferInNextEpoch);
}

#[test]
fn settings_that_their_writer_did_not_copy_and_the_owner_does_not_either_are_caught() {
    assert_caught(Mutant::SettingsNotCopied);
}

#[test]
fn a_position_in_updates_that_is_read_anew_at_each_commit_is_caught() {
    assert_caught(Mutant::UpdatesPositionReadAnew);
}

#[test]
fn a_pod_that_missed_updates_and_trusts_the_first_answer_is_caught() {
    assert_caught_first_from(Mutant::MissedUpdatesTrusted, 1_100);
}
