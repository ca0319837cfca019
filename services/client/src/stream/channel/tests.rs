use schemas::api::{BarChangeKind, BarJson, PositionJson, StreamMessage};
use serde_json::{Value, json};

use super::ChannelState;
use crate::stream::error::StreamProtocolError;
use crate::stream::position::StreamPosition;

const START: &str = "1970-01-01T00:00:00Z";

fn bar(offset: u64, close: &str) -> BarJson {
    let mut bar = BarJson::flat(0, 60_000_000_000, "1", false);
    bar.close = close.to_owned();
    bar.trades = offset;
    bar.filled = false;
    bar.through = serde_json::from_value(json!({"epoch": 1, "offset": offset})).unwrap();
    bar
}

/// The bar, as a message of changes sends it whole.
fn whole(kind: &str, bar: &BarJson) -> Value {
    let mut value = serde_json::to_value(bar).unwrap();
    value["kind"] = kind.into();
    value
}

fn delta(offset: u64, close: &str) -> Value {
    json!({"kind": "delta", "start": START, "close": close,
        "through": {"epoch": 1, "offset": offset}})
}

/// The state of the bar of `channel` after a delta of that close and offset.
fn changed(offset: u64, close: &str) -> BarJson {
    let mut changed = bar(5, close);
    changed.through = bar(offset, close).through;
    changed
}

fn snapshot(epoch: u64, seq: i64, recovered: Option<bool>, bars: &[BarJson]) -> StreamMessage {
    StreamMessage::Snapshot {
        channel: String::new(),
        epoch,
        seq,
        generation: 1,
        recovered,
        epoch_ends: Vec::new(),
        bars: bars.to_owned(),
    }
}

const fn position(epoch: u64, seq: i64) -> StreamPosition {
    StreamPosition {
        epoch,
        generation: 1,
        seq,
    }
}

fn changes(prev: i64, seq: i64, bars: &[Value]) -> StreamMessage {
    let message = json!({"type": "bars", "channel": "", "prev": prev, "seq": seq, "bars": bars});
    serde_json::from_value(message).unwrap()
}

/// A channel with the snapshot of epoch 7 and seq 10, which holds one bar, and its history read.
fn channel() -> ChannelState {
    let mut channel = channel_without_history();
    read_history(&mut channel, Vec::new());
    channel
}

fn channel_without_history() -> ChannelState {
    let mut channel = ChannelState::default();
    let first = snapshot(7, 10, None, &[bar(5, "2")]);
    channel.apply_message(first).unwrap();
    channel
}

fn read_history(channel: &mut ChannelState, bars: Vec<BarJson>) {
    let request = channel.history_request().unwrap();
    channel.apply_history(request, bars);
}

fn newest(channel: &ChannelState) -> Vec<BarJson> {
    channel.newest_state_of_each_bar().cloned().collect()
}

#[test]
fn a_delta_changes_fields_of_the_bar_that_the_stream_sent() {
    let mut channel = channel();
    let applied = channel
        .apply_message(changes(10, 12, &[delta(6, "3")]))
        .unwrap();
    let change = &applied.changes[0];
    assert_eq!(change.kind, Some(BarChangeKind::Delta));
    assert_eq!(change.bar, changed(6, "3"));
    assert_eq!(change.previous_through, bar(5, "2").through);
    assert_eq!(newest(&channel), [changed(6, "3")]);
    assert_eq!(channel.position(), Some(position(7, 12)));
}

#[test]
fn whole_bars_replace_what_is_held() {
    let mut channel = channel();
    for (prev, offset, name, kind) in [
        (10, 6, "bar", BarChangeKind::Bar),
        (11, 7, "close", BarChangeKind::Close),
        (12, 8, "correction", BarChangeKind::Correction),
    ] {
        let sent = bar(offset, name);
        let message = changes(prev, prev + 1, &[whole(name, &sent)]);
        let applied = channel.apply_message(message).unwrap();
        assert_eq!(applied.changes[0].kind, Some(kind));
        assert_eq!(newest(&channel), [sent]);
    }
}

#[test]
fn the_state_with_the_greatest_through_wins_whichever_way_it_came() {
    let mut channel = channel_without_history();
    read_history(&mut channel, vec![bar(9, "rest")]);
    // The stream is behind REST, and its deltas do not touch what REST returned.
    channel
        .apply_message(changes(10, 11, &[delta(6, "stream")]))
        .unwrap();
    assert_eq!(newest(&channel), [bar(9, "rest")]);
    channel
        .apply_message(changes(11, 12, &[delta(10, "newer")]))
        .unwrap();
    assert_eq!(newest(&channel), [changed(10, "newer")]);
    channel
        .apply_message(changes(12, 13, &[whole("bar", &bar(8, "old"))]))
        .unwrap();
    assert_eq!(newest(&channel), [changed(10, "newer")]);
}

#[test]
fn a_lost_message_is_noticed_and_the_client_resumes_from_what_it_holds() {
    let mut channel = channel();
    let lost = channel.apply_message(changes(11, 12, &[delta(7, "3")]));
    let (prev, held) = (11, 10);
    assert_eq!(
        lost.unwrap_err(),
        StreamProtocolError::PrevIsNotHeld { prev, held }
    );
    let held = position(7, 10);
    assert_eq!(channel.position(), Some(held));
    assert_eq!(newest(&channel), [bar(5, "2")]);
}

#[test]
fn a_sequence_number_that_does_not_advance_is_an_error() {
    let mut channel = channel();
    let repeated = channel.apply_message(changes(10, 10, &[]));
    let expected = StreamProtocolError::SeqDoesNotAdvance { seq: 10, held: 10 };
    assert_eq!(repeated.unwrap_err(), expected);
}

#[test]
fn changes_before_a_snapshot_are_an_error() {
    let mut channel = ChannelState::default();
    let early = channel.apply_message(changes(-1, 0, &[]));
    assert_eq!(early.unwrap_err(), StreamProtocolError::BeforeSnapshot);
}

#[test]
fn a_recovered_snapshot_keeps_the_stream_bars_and_reads_no_history() {
    let mut channel = channel();
    let resumed = snapshot(7, 12, Some(true), &[]);
    let applied = channel.apply_message(resumed).unwrap();
    assert_eq!(applied.recovered, Some(true));
    assert_eq!(channel.history_request(), None);
    channel
        .apply_message(changes(12, 13, &[delta(6, "3")]))
        .unwrap();
}

#[test]
fn a_snapshot_that_did_not_recover_drops_the_stream_bars_and_reads_history() {
    let mut channel = channel();
    let restarted = snapshot(8, 0, Some(false), &[]);
    let applied = channel.apply_message(restarted).unwrap();
    assert_eq!(applied.recovered, Some(false));
    assert!(channel.history_request().is_some());
    assert_eq!(newest(&channel), [bar(5, "2")], "what is shown stays");
    let stale = channel.apply_message(changes(0, 1, &[delta(6, "3")]));
    let expected = StreamProtocolError::DeltaOfUnknownBar(START.to_owned());
    assert_eq!(stale.unwrap_err(), expected);
    assert_eq!(channel.position(), None, "only a new snapshot helps");
}

#[test]
fn a_recovery_of_another_epoch_or_of_the_past_is_an_error() {
    for (epoch, seq) in [(8, 12), (7, 9)] {
        let mut channel = channel();
        let elsewhere = channel.apply_message(snapshot(epoch, seq, Some(true), &[]));
        let sent = position(epoch, seq);
        let held = Some(position(7, 10));
        let expected = StreamProtocolError::RecoveredElsewhere { sent, held };
        assert_eq!(elsewhere.unwrap_err(), expected);
    }
}

#[test]
fn an_emptied_bar_is_kept_so_that_an_older_state_cannot_come_back() {
    let mut channel = channel_without_history();
    let mut emptied = bar(6, "0");
    emptied.trades = 0;
    let message = changes(10, 11, &[whole("correction", &emptied)]);
    channel.apply_message(message).unwrap();
    read_history(&mut channel, vec![bar(5, "2")]);
    assert_eq!(newest(&channel), [emptied]);
}

#[test]
fn a_whole_bar_that_lacks_members_is_an_error() {
    let mut channel = channel();
    let mut incomplete = whole("close", &bar(6, "3"));
    incomplete.as_object_mut().unwrap().remove("high");
    let applied = channel.apply_message(changes(10, 11, &[incomplete]));
    let expected = StreamProtocolError::IncompleteBar(START.to_owned());
    assert_eq!(applied.unwrap_err(), expected);
}

/// A snapshot that names the end of the epoch 1.
fn snapshot_with_end(recovered: Option<bool>, end_offset: u64, sent: &[BarJson]) -> StreamMessage {
    let mut message = snapshot(7, 20, recovered, sent);
    let StreamMessage::Snapshot { epoch_ends, .. } = &mut message else {
        unreachable!("it is a snapshot");
    };
    epoch_ends.push(PositionJson {
        epoch: 1,
        offset: end_offset,
    });
    message
}

#[test]
fn a_state_beyond_the_end_of_its_epoch_is_dropped_and_the_bars_are_read_again() {
    for recovered in [Some(false), Some(true)] {
        let mut channel = channel();
        channel
            .apply_message(changes(10, 12, &[delta(8, "3")]))
            .unwrap();
        // The state with the offset 8 was announced, and never stored.
        channel
            .apply_message(snapshot_with_end(recovered, 8, &[]))
            .unwrap();
        assert_eq!(newest(&channel), []);
        read_history(&mut channel, vec![bar(5, "2")]);
        assert_eq!(newest(&channel), [bar(5, "2")]);
    }
    let mut channel = channel();
    let counts = snapshot_with_end(Some(true), 6, &[]);
    channel.apply_message(counts).unwrap();
    assert_eq!(newest(&channel), [bar(5, "2")]);
    assert_eq!(channel.history_request(), None);
}

#[test]
fn a_state_beyond_a_known_end_is_not_taken_from_a_pod_that_does_not_know_it() {
    let mut channel = channel();
    channel
        .apply_message(snapshot_with_end(Some(false), 6, &[]))
        .unwrap();
    // The response of such a pod lacks the state that counts, so another one is needed.
    read_history(&mut channel, vec![bar(6, "9")]);
    assert_eq!(newest(&channel), [bar(5, "2")]);
    read_history(&mut channel, vec![bar(5, "2")]);
    assert_eq!(channel.history_request(), None);
    let late = snapshot(8, 1, Some(false), &[bar(7, "9")]);
    channel.apply_message(late).unwrap();
    assert_eq!(newest(&channel), [bar(5, "2")]);
}

#[test]
fn nothing_of_a_retired_generation_of_the_venue_is_kept() {
    let mut channel = channel();
    let of_first = channel.apply_message(snapshot(7, 11, Some(false), &[bar(6, "3")]));
    of_first.unwrap();
    let request_for_first = channel.history_request().unwrap();
    let mut of_second = snapshot(7, 3, Some(false), &[]);
    if let StreamMessage::Snapshot { generation, .. } = &mut of_second {
        *generation = 2;
    }
    channel.apply_message(of_second).unwrap();
    assert_eq!(channel.newest_state_of_each_bar().count(), 0);
    assert_eq!(channel.position().unwrap().generation, 2);
    // The response to an earlier request is of the first generation.
    channel.apply_history(request_for_first, vec![bar(6, "3")]);
    assert_eq!(channel.newest_state_of_each_bar().count(), 0);
    let request = channel.history_request().unwrap();
    assert_eq!(request.generation, 2);
    channel.apply_history(request, vec![bar(1, "4")]);
    assert_eq!(channel.newest_state_of_each_bar().count(), 1);
    // A pod that does not know yet of the retirement cannot continue from it.
    let of_first = snapshot(7, 12, Some(true), &[]);
    assert!(channel.apply_message(of_first).is_err());
}
