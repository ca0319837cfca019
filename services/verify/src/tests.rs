//! Whole runs over data folders that the real roles have filled, whole and damaged.

mod filled_folder;
mod trades;

use market::{DAY_NS, HOUR_NS, Interval, MINUTE_NS, Position, Trade, format_time};
use store::{
    BarKey, BarReader, BarStore, ExcludedRange, TickBlock, TickRecord, TickStore, TickVerdict,
};

use self::filled_folder::{FilledFolder, SkippedRole};
use self::trades::{DAY_START_NS, PARTITIONS, append_cancel, numbered_trade, parse_instrument};
use crate::report::VerifyReport;

/// Returns the lines of a report that are differences.
fn difference_lines(report: &VerifyReport) -> Vec<String> {
    let text = report.to_string();
    let lines = text.lines().filter(|line| line.contains(": stored "));
    lines.map(str::to_owned).collect()
}

/// Asserts that a report has lines that begin like `expected`, and differences of that instrument
/// only.
fn assert_differences(report: &VerifyReport, expected: &[&str]) {
    let lines = difference_lines(report);
    for expected in expected {
        assert!(
            lines.iter().any(|line| line.starts_with(expected)),
            "{expected} is not among {lines:#?}"
        );
    }
    let instrument = expected[0].split(' ').next().unwrap();
    assert!(
        lines.iter().all(|line| line.starts_with(instrument)),
        "{lines:#?}"
    );
    assert!(!report.has_no_differences());
}

/// Returns whether a trade is identified by more than its position in the log.
const fn has_identity(trade: &Trade) -> bool {
    trade.id.is_some() || trade.sender.is_some()
}

fn bar_line(instrument: &str, interval: Interval, time_ns: i64, field: &str) -> String {
    let start = format_time(interval.window_containing(time_ns).start_ns);
    format!("{instrument} {interval} {start} {field}: ")
}

#[tokio::test(flavor = "multi_thread")]
async fn correctly_folded_bars_are_equal() {
    let filled = FilledFolder::new().await;
    let report = filled.verify(&[]).await.unwrap();
    let text = report.to_string();
    assert!(report.is_success(), "{text}");
    assert_eq!(report.symbols, 6);
    assert!(
        report.trades > 5_000 && report.ticks > report.trades,
        "{text}"
    );
    assert!(report.compared.iter().all(|count| *count >= 12), "{text}");
    assert_eq!((report.not_provable, report.undecided), (0, 0));
    for line in [
        "  excluded: duplicate",
        "  excluded: price_not_positive",
        "1d bars compared",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(
        text.ends_with("Every bar is what its trades say.\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_symbol_and_range_can_be_verified_alone() {
    let filled = FilledFolder::new().await;
    let start = format_time(DAY_START_NS + HOUR_NS + 1);
    let end = format_time(DAY_START_NS + 5 * HOUR_NS);
    let arguments = [
        "--venue", "exact", "--symbol", "A", "--start", &start, "--end", &end,
    ];
    let report = filled.verify(&arguments).await.unwrap();
    assert!(report.has_no_differences());
    let expected = [239, 47, 15, 7, 3, 0, 0];
    let compared: Vec<_> = report.compared.into_iter().zip(expected).collect();
    assert!(
        compared
            .iter()
            .all(|(found, most)| found <= most && (*found > 0) == (*most > 0)),
        "{compared:?}"
    );
    assert_eq!(report.symbols, 1);
    let error = filled.verify(&["--symbol", "NONE"]).await.unwrap_err();
    assert!(error.to_string().contains("no such symbol"), "{error}");
    let error = filled.verify(&["--data", "/nowhere"]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot be read as a data folder"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_changed_value_of_a_bar_is_reported() {
    let filled = FilledFolder::new().await;
    let time_ns = DAY_START_NS + 2 * HOUR_NS;
    filled
        .overwrite_bars(&parse_instrument("exact:A"), |transaction, stored| {
            let mut row = stored(Interval::M15, time_ns);
            row.bar.high = "99999".parse().unwrap();
            row.bar.trades += 1;
            row.revision += 50_000;
            row.closed = false;
            row.through = Position {
                epoch: 1,
                offset: 1,
            };
            transaction.push(row);
        })
        .await;
    let report = filled.verify(&[]).await.unwrap();
    let fields = ["high", "trades", "closed", "revision", "through"];
    let lines = fields.map(|field| bar_line("exact:A", Interval::M15, time_ns, field));
    assert_differences(&report, &lines.each_ref().map(String::as_str));
    assert_eq!(report.difference_count, 5, "{report}");
    let later_range = ["--start", "2024-03-05T12:00:00Z"];
    assert!(
        filled
            .verify(&later_range)
            .await
            .unwrap()
            .has_no_differences()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_without_trades_and_trades_without_a_bar_are_reported() {
    let filled = FilledFolder::new().await;
    let empty_ns = DAY_START_NS + 40 * HOUR_NS;
    filled
        .overwrite_bars(&parse_instrument("ranges:A"), |transaction, stored| {
            let mut row = stored(Interval::M1, DAY_START_NS);
            row.window = Interval::M1.window_containing(empty_ns);
            transaction.push(row);
        })
        .await;
    let report = filled.verify(&[]).await.unwrap();
    let line = bar_line("ranges:A", Interval::M1, empty_ns, "bar");
    assert_differences(&report, &[&format!("{line}stored")]);

    let folder = filled.open_folder().await;
    while folder
        .bars
        .delete_expired_batch(i64::MAX, 0, 0)
        .await
        .unwrap()
        > 0
    {}
    folder.close();
    let report = filled.verify(&["--venue", "exact"]).await.unwrap();
    let line = bar_line("exact:A", Interval::M1, DAY_START_NS, "bar");
    assert_differences(&report, &[&format!("{line}stored none, refolded")]);
    assert!(report.to_string().contains("more differences"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_whose_trades_were_all_cancelled_are_equal() {
    let filled = FilledFolder::new().await;
    let subject = parse_instrument("exact:A");
    let folder = filled.open_folder().await;
    let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
    let window_start_ns =
        |tick: &store::Tick| Interval::M5.window_containing(tick.trade.time_ns).start_ns;
    // It has no trades in its first minute, so it begins before the shorter bars within it.
    let window = ticks
        .iter()
        .map(window_start_ns)
        .find(|start_ns| {
            let mut within = ticks
                .iter()
                .filter(|tick| window_start_ns(tick) == *start_ns);
            within.all(|tick| tick.trade.time_ns >= start_ns + MINUTE_NS)
        })
        .map(|start_ns| Interval::M5.window_containing(start_ns))
        .unwrap();
    for tick in ticks
        .iter()
        .filter(|tick| window.contains(tick.trade.time_ns))
    {
        append_cancel(&folder.trades, &subject, &tick.trade).await;
    }
    let running = filled.start_roles(&folder);
    let partition = schemas::partition_of(subject.key().as_bytes(), PARTITIONS);
    filled
        .wait_until_processed(&folder, SkippedRole::None)
        .await;
    filled.wait_until_refolded(&folder, partition).await;
    running.stop().await;
    let key = BarKey {
        instrument: subject,
        window,
    };
    let stored = folder.bars.bars(&[key]).await.unwrap().pop().flatten();
    assert_eq!(stored.unwrap().bar.trades, 0);
    folder.close();
    drop(folder);
    let report = filled.verify(&[]).await.unwrap();
    assert!(report.has_no_differences(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_ticks_are_reported() {
    let filled = FilledFolder::new().await;
    let folder = filled.open_folder().await;
    // Deletes the ticks of the first of the two rounds.
    assert!(
        folder
            .ticks
            .delete_expired_block_batch(filled.between_rounds_ns, filled.between_rounds_ns)
            .await
            .unwrap()
            > 0
    );
    folder.close();
    let report = filled.verify(&["--venue", "daily"]).await.unwrap();
    let line = bar_line("daily:A", Interval::M1, DAY_START_NS, "bar");
    assert_differences(&report, &[&format!("{line}stored 2 trades, refolded none")]);
    assert!(report.difference_count > 300, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrongly_excluded_trade_is_reported() {
    let filled = FilledFolder::new().await;
    let subject = parse_instrument("ranges:A");
    let folder = filled.open_folder().await;
    let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
    let partition = schemas::partition_of(subject.key().as_bytes(), PARTITIONS);
    let rejected = folder
        .bars
        .excluded_ranges(partition, 1, 0, u64::MAX)
        .await
        .unwrap();
    let good = ticks
        .iter()
        .find(|tick| store::find_verdict(tick.position, &rejected).is_none())
        .unwrap();
    let offset = good.position.offset;
    let wrong = ExcludedRange {
        epoch: 1,
        first_offset: offset,
        end_offset: offset + 1,
        verdict: TickVerdict::Duplicate,
        append_time_ns: good.append_time_ns,
    };
    folder.close();
    filled
        .commit_transaction(partition, |transaction| {
            transaction.excluded_ranges.push(wrong);
        })
        .await;
    let report = filled.verify(&[]).await.unwrap();
    let time = format_time(good.trade.time_ns);
    let tick = format!("ranges:A tick {time} at 1/{offset} identity: stored excluded");
    let bar = bar_line("ranges:A", Interval::H4, good.trade.time_ns, "trades");
    assert_differences(&report, &[&tick, &bar]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_at_two_offsets_is_reported() {
    let filled = FilledFolder::new().await;
    for name in ["exact:A", "houses:A", "daily:A", "bare:A"] {
        let subject = parse_instrument(name);
        let folder = filled.open_folder().await;
        let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
        let mut identified = ticks[100..].iter().filter(|tick| has_identity(&tick.trade));
        let tick = identified.next().unwrap();
        let mut value = Vec::new();
        schemas::TradesTopicRecord::encode_trade(&tick.trade, &mut value);
        // No tick is at offset 0: a declaration is.
        let block = TickBlock {
            hour_ns: Interval::H1.window_containing(tick.trade.time_ns).start_ns,
            partition: schemas::partition_of(name.as_bytes(), PARTITIONS),
            epoch: 1,
            ticks: vec![TickRecord {
                offset: 0,
                append_time_ns: tick.append_time_ns,
                time_ns: tick.trade.time_ns,
                value: value.into(),
            }],
            instrument: subject,
        };
        folder.ticks.insert(&[block]).await.unwrap();
        folder.close();
        let report = filled
            .verify(&["--venue", name.split(':').next().unwrap()])
            .await
            .unwrap();
        let line = format!("{name} tick {} at ", format_time(tick.trade.time_ns));
        assert_differences(&report, &[&line]);
        let named = difference_lines(&report);
        assert!(
            named[0].ends_with(
                "identity: stored counted twice, refolded once: it was delivered before"
            ),
            "{named:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_ticks_of_a_killed_process_are_archived() {
    let filled = FilledFolder::with_skipped_role(SkippedRole::Archiver).await;
    let held = filled.open_folder().await;
    let error = filled.verify(&["--wait", "50ms"]).await.unwrap_err();
    assert!(
        error.to_string().contains("records behind the bars"),
        "{error}"
    );
    held.close();
    drop(held);
    let report = filled.verify(&[]).await.unwrap();
    assert!(
        report.has_no_differences() && report.trades > 5_000,
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_beyond_the_bars_are_undecided() {
    let filled = FilledFolder::with_skipped_role(SkippedRole::Aggregator).await;
    let report = filled.verify(&[]).await.unwrap();
    assert!(
        report.has_no_differences() && report.undecided > 1_000,
        "{report}"
    );
    assert!(report.trades > 1_000, "{report}");
    // No process folds them: what is behind is named, and the run is no success.
    assert!(!report.is_success(), "{report}");
    let text = report.to_string();
    for partition in 0..PARTITIONS {
        let line = format!("partition {partition} of trades stands still before offset ");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("candlewick standalone"), "{text}");
    // While a process has the folder open, it folds them.
    let folder = filled.open_folder().await;
    let report = filled.verify(&[]).await.unwrap();
    assert!(report.is_success(), "{report}");
    folder.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_which_nothing_is_folded_is_named() {
    let filled = FilledFolder::with_loaded_partitions(&[0, 1]).await;
    let report = filled.verify(&[]).await.unwrap();
    assert!(report.is_success(), "{report}");
    let folder = filled.open_folder().await;
    let trades = (0..5).map(|number| ("exact", numbered_trade("exact", number)));
    filled.send(&folder, trades.collect()).await;
    folder.close();
    drop(folder);
    let report = filled.verify(&[]).await.unwrap();
    assert!(!report.is_success(), "{report}");
    let text = report.to_string();
    assert!(
        text.starts_with("partition 0 of trades stands still before offset 0: the log holds "),
        "{text}"
    );
    assert!(
        text.ends_with("No symbol is stored yet: nothing was compared.\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_older_than_their_ticks_are_not_provable() {
    let filled = FilledFolder::filled_in_the_past(8 * DAY_NS).await;
    let report = filled.verify(&[]).await.unwrap();
    assert!(
        report.has_no_differences() && report.not_provable == 0,
        "{report}"
    );

    let folder = filled.open_folder().await;
    while folder
        .ticks
        .delete_expired_block_batch(filled.between_rounds_ns, filled.between_rounds_ns)
        .await
        .unwrap()
        > 0
    {}
    folder.close();
    let report = filled.verify(&[]).await.unwrap();
    assert!(
        report.has_no_differences() && report.not_provable > 1_000,
        "{report}"
    );
    assert!(
        report
            .to_string()
            .ends_with("whose ticks are still there is what its trades say.\n")
    );

    // A bar that is older than its ticks is still compared with its shorter bars.
    let time_ns = DAY_START_NS + 2 * HOUR_NS;
    filled
        .overwrite_bars(&parse_instrument("exact:A"), |transaction, stored| {
            let mut row = stored(Interval::H1, time_ns);
            row.bar.volume = "0.125".parse().unwrap();
            transaction.push(row);
        })
        .await;
    let report = filled.verify(&[]).await.unwrap();
    let line = bar_line("exact:A", Interval::H1, time_ns, "volume");
    assert_differences(&report, &[&line]);
    assert!(difference_lines(&report)[0].contains("stored 0.125, its 30m bars have "));
    assert_eq!(report.difference_count, 1, "{report}");
}

/// The first delivery may be of the same slice of ticks or of another day, and may have an id or
/// the identity of its sender. The bars are right all the same.
#[tokio::test(flavor = "multi_thread")]
async fn duplicates_that_differ_from_the_first_delivery_are_counted() {
    let filled = FilledFolder::new().await;
    let before = filled.verify(&[]).await.unwrap();
    assert_eq!(
        (before.conflicts, before.not_comparable),
        (0, 0),
        "{before}"
    );
    let folder = filled.open_folder().await;
    let mut sent = Vec::new();
    for venue in ["ranges", "exact", "bare"] {
        let first = numbered_trade(venue, 10);
        let mut later = first.clone();
        later.price = "77777".parse().unwrap();
        sent.extend([(venue, first), (venue, later)]);
    }
    let mut of_another_day = numbered_trade("ranges", 20);
    of_another_day.time_ns += 3 * DAY_NS;
    sent.push(("ranges", of_another_day));
    filled.send(&folder, sent).await;
    let running = filled.start_roles(&folder);
    filled
        .wait_until_processed(&folder, SkippedRole::None)
        .await;
    running.stop().await;
    folder.close();
    drop(folder);
    let report = filled.verify(&[]).await.unwrap();
    assert!(report.has_no_differences(), "{report}");
    assert_eq!(
        (report.conflicts, report.not_comparable),
        (4, 0),
        "{report}"
    );
    assert_eq!(report.trades, before.trades);
    let text = report.to_string();
    assert!(text.contains("    conflicts"), "{text}");
    assert!(
        text.contains("\n4 duplicates conflict with the first delivery"),
        "{text}"
    );
    // The first delivery of an id that belongs to no time may lie outside of the range.
    let later_day = format_time(DAY_START_NS + 3 * DAY_NS);
    let report = filled.verify(&["--start", &later_day]).await.unwrap();
    assert_eq!(
        (report.conflicts, report.not_comparable),
        (1, 0),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_can_be_verified() {
    let filled = FilledFolder::new().await;
    let folder = filled.open_folder().await;
    let running = filled.start_roles(&folder);
    for round in 2..6 {
        let (_, report) = tokio::join!(
            filled.send_round(&folder, round),
            filled.verify(&["--wait", "30s"])
        );
        let report = report.unwrap();
        assert!(report.has_no_differences(), "{report}");
    }
    running.stop().await;
    folder.close();
    assert!(filled.verify(&[]).await.unwrap().has_no_differences());
}

#[test]
fn the_command_line_is_checked() {
    let parse = |arguments: &[&str]| filled_folder::parse_arguments("data", arguments);
    assert!(parse(&["--start", "today"]).is_err());
    assert!(parse(&["--venue", "a:b"]).is_err());
    let reversed = [
        "--start",
        "2024-01-02T00:00:00Z",
        "--end",
        "2024-01-01T00:00:00Z",
    ];
    let parsed = parse(&reversed).unwrap();
    assert!(parsed.check_combinations().is_err());
    assert_eq!(
        crate::run(parsed).unwrap(),
        std::process::ExitCode::from(host::EXIT_USAGE)
    );
    let start = format_time(MINUTE_NS);
    assert!(
        parse(&["--start", &start])
            .unwrap()
            .check_combinations()
            .is_ok()
    );
}

#[tokio::test]
async fn a_partition_that_was_never_folded_is_an_error() {
    let filled = FilledFolder::with_loaded_partitions(&[0]).await;
    let error = filled.verify(&[]).await.unwrap_err().to_string();
    let expected =
        "partition 1 of the log's 2 was never folded: start an aggregator, and try again";
    assert_eq!(error, expected);
    let all = FilledFolder::with_loaded_partitions(&[0, 1]).await;
    assert!(all.verify(&[]).await.unwrap().has_no_differences());
}
