//! Whole runs over data folders that the real roles have filled, whole and damaged.

mod trades;
mod world;

use market::{DAY_NS, HOUR_NS, Interval, MINUTE_NS, Position, Trade, format_time};
use store::{
    BarKey, BarReader, BarStore, ExcludedRange, TickBlock, TickRecord, TickStore, Verdict,
};

use self::trades::{DAY_START_NS, append_cancel};
use self::world::{Behind, World, instrument};
use super::report::Report;

/// The lines of a report that name differences.
fn differences(report: &Report) -> Vec<String> {
    let text = report.to_string();
    let lines = text.lines().filter(|line| line.contains(": stored "));
    lines.map(str::to_owned).collect()
}

/// Asserts that something is named, and that all that is named is of one instrument.
fn assert_names(report: &Report, expected: &[&str]) {
    let lines = differences(report);
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
    assert!(!report.is_equal());
}

/// Whether a trade is known by more than its place in the log.
const fn is_known(trade: &Trade) -> bool {
    trade.id.is_some() || trade.sender.is_some()
}

fn bar_line(instrument: &str, interval: Interval, time_ns: i64, field: &str) -> String {
    let start = format_time(interval.window_containing(time_ns).start_ns);
    format!("{instrument} {interval} {start} {field}: ")
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_that_were_folded_rightly_are_equal() {
    let world = World::filled().await;
    let report = world.verify(&[]).await.unwrap();
    let text = report.to_string();
    assert!(report.is_equal(), "{text}");
    assert_eq!(report.symbols, 6);
    assert!(
        report.trades > 5_000 && report.ticks > report.trades,
        "{text}"
    );
    assert!(report.compared.iter().all(|count| *count >= 12), "{text}");
    assert_eq!((report.not_provable, report.not_yet), (0, 0));
    for line in [
        "  left out: duplicate",
        "  left out: price_not_positive",
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
async fn a_part_can_be_verified_alone() {
    let world = World::filled().await;
    let start = format_time(DAY_START_NS + HOUR_NS + 1);
    let end = format_time(DAY_START_NS + 5 * HOUR_NS);
    let arguments = [
        "--venue", "exact", "--symbol", "A", "--start", &start, "--end", &end,
    ];
    let report = world.verify(&arguments).await.unwrap();
    assert!(report.is_equal());
    let expected = [239, 47, 15, 7, 3, 0, 0];
    let compared: Vec<_> = report.compared.into_iter().zip(expected).collect();
    assert!(
        compared
            .iter()
            .all(|(found, most)| found <= most && (*found > 0) == (*most > 0)),
        "{compared:?}"
    );
    assert_eq!(report.symbols, 1);
    let error = world.verify(&["--symbol", "NONE"]).await.unwrap_err();
    assert!(error.to_string().contains("no such symbol"), "{error}");
    let error = world.verify(&["--data", "/nowhere"]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot be read as a data folder"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_bar_is_named_with_each_value() {
    let world = World::filled().await;
    let time_ns = DAY_START_NS + 2 * HOUR_NS;
    world
        .change(&instrument("exact:A"), |transaction, stored| {
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
    let report = world.verify(&[]).await.unwrap();
    let fields = ["high", "trades", "closed", "revision", "through"];
    let lines = fields.map(|field| bar_line("exact:A", Interval::M15, time_ns, field));
    assert_names(&report, &lines.each_ref().map(String::as_str));
    assert_eq!(report.differing, 5, "{report}");
    let narrow = ["--start", "2024-03-05T12:00:00Z"];
    assert!(world.verify(&narrow).await.unwrap().is_equal());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_without_trades_and_trades_without_a_bar_are_named() {
    let world = World::filled().await;
    let empty_ns = DAY_START_NS + 40 * HOUR_NS;
    world
        .change(&instrument("ranges:A"), |transaction, stored| {
            let mut row = stored(Interval::M1, DAY_START_NS);
            row.window = Interval::M1.window_containing(empty_ns);
            transaction.push(row);
        })
        .await;
    let report = world.verify(&[]).await.unwrap();
    let line = bar_line("ranges:A", Interval::M1, empty_ns, "bar");
    assert_names(&report, &[&format!("{line}stored")]);

    let folder = world.open().await;
    while folder.bars.delete_expired(i64::MAX, 0).await.unwrap() > 0 {}
    folder.close();
    let report = world.verify(&["--venue", "exact"]).await.unwrap();
    let line = bar_line("exact:A", Interval::M1, DAY_START_NS, "bar");
    assert_names(&report, &[&format!("{line}stored none, refolded")]);
    assert!(report.to_string().contains("more differences"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_whose_trades_were_all_cancelled_are_equal() {
    let world = World::filled().await;
    let subject = instrument("exact:A");
    let folder = world.open().await;
    let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
    let starts_with =
        |tick: &store::Tick| Interval::M5.window_containing(tick.trade.time_ns).start_ns;
    // Nobody traded in its first minute, so it begins before the shorter bars that it is made of.
    let window = ticks
        .iter()
        .map(starts_with)
        .find(|start_ns| {
            let mut within = ticks.iter().filter(|tick| starts_with(tick) == *start_ns);
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
    let running = world.start(&folder);
    let partition = schemas::partition_of(subject.key().as_bytes(), world::PARTITIONS);
    world.settle(&folder, Behind::None).await;
    world.settle_marks(&folder, partition).await;
    running.stop().await;
    let key = BarKey {
        instrument: subject,
        window,
    };
    let stored = folder.bars.bars(&[key]).await.unwrap().pop().flatten();
    assert_eq!(stored.unwrap().bar.trades, 0);
    folder.close();
    drop(folder);
    let report = world.verify(&[]).await.unwrap();
    assert!(report.is_equal(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_ticks_are_named() {
    let world = World::filled().await;
    let folder = world.open().await;
    // The first of the two rounds in which trades were sent.
    assert!(
        folder
            .ticks
            .delete_expired(world.between_rounds_ns)
            .await
            .unwrap()
            > 0
    );
    folder.close();
    let report = world.verify(&["--venue", "daily"]).await.unwrap();
    let line = bar_line("daily:A", Interval::M1, DAY_START_NS, "bar");
    assert_names(&report, &[&format!("{line}stored 2 trades, refolded none")]);
    assert!(report.differing > 300, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrongly_rejected_trade_is_named() {
    let world = World::filled().await;
    let subject = instrument("ranges:A");
    let folder = world.open().await;
    let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
    let partition = schemas::partition_of(subject.key().as_bytes(), world::PARTITIONS);
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
        verdict: Verdict::Duplicate,
        append_time_ns: good.append_time_ns,
    };
    folder.close();
    world
        .commit(partition, |transaction| {
            transaction.excluded_ranges.push(wrong)
        })
        .await;
    let report = world.verify(&[]).await.unwrap();
    let time = format_time(good.trade.time_ns);
    let tick = format!("ranges:A tick {time} at 1/{offset} identity: stored left out");
    let bar = bar_line("ranges:A", Interval::H4, good.trade.time_ns, "trades");
    assert_names(&report, &[&tick, &bar]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_under_two_offsets_is_named() {
    let world = World::filled().await;
    for name in ["exact:A", "houses:A", "daily:A", "bare:A"] {
        let subject = instrument(name);
        let folder = world.open().await;
        let ticks = folder.ticks.read(&subject, 0, i64::MAX).await.unwrap();
        let mut known = ticks[100..].iter().filter(|tick| is_known(&tick.trade));
        let tick = known.next().unwrap();
        let mut value = Vec::new();
        schemas::TradesRecord::encode_trade(&tick.trade, &mut value);
        // No tick is at offset 0: a declaration is.
        let block = TickBlock {
            hour_ns: Interval::H1.window_containing(tick.trade.time_ns).start_ns,
            partition: schemas::partition_of(name.as_bytes(), world::PARTITIONS),
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
        let report = world
            .verify(&["--venue", name.split(':').next().unwrap()])
            .await
            .unwrap();
        let line = format!("{name} tick {} at ", format_time(tick.trade.time_ns));
        assert_names(&report, &[&line]);
        let named = differences(&report);
        assert!(
            named[0].ends_with(
                "identity: stored counted twice, refolded once: it was delivered before"
            ),
            "{named:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ticks_of_a_killed_process_are_brought_up_to_date() {
    let world = World::filled_but(Behind::Archivers).await;
    let held = world.open().await;
    let error = world.verify(&["--wait", "50ms"]).await.unwrap_err();
    assert!(
        error.to_string().contains("records behind the bars"),
        "{error}"
    );
    held.close();
    drop(held);
    let report = world.verify(&[]).await.unwrap();
    assert!(report.is_equal() && report.trades > 5_000, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_beyond_the_bars_are_no_trades_yet() {
    let world = World::filled_but(Behind::Aggregators).await;
    let report = world.verify(&[]).await.unwrap();
    assert!(report.is_equal() && report.not_yet > 1_000, "{report}");
    assert!(report.trades > 1_000, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_older_than_their_ticks_are_not_provable() {
    let world = World::filled_before(8 * DAY_NS).await;
    let report = world.verify(&[]).await.unwrap();
    assert!(report.is_equal() && report.not_provable == 0, "{report}");

    let folder = world.open().await;
    while folder
        .ticks
        .delete_expired(world.between_rounds_ns)
        .await
        .unwrap()
        > 0
    {}
    folder.close();
    let report = world.verify(&[]).await.unwrap();
    assert!(report.is_equal() && report.not_provable > 1_000, "{report}");
    assert!(
        report
            .to_string()
            .ends_with("whose ticks are still there is what its trades say.\n")
    );

    // That a bar is older than its ticks is no excuse for one that its children contradict.
    let time_ns = DAY_START_NS + 2 * HOUR_NS;
    world
        .change(&instrument("exact:A"), |transaction, stored| {
            let mut row = stored(Interval::H1, time_ns);
            row.bar.volume = "0.125".parse().unwrap();
            transaction.push(row);
        })
        .await;
    let report = world.verify(&[]).await.unwrap();
    let line = bar_line("exact:A", Interval::H1, time_ns, "volume");
    assert_names(&report, &[&line]);
    assert!(differences(&report)[0].contains("stored 0.125, its 30m bars have "));
    assert_eq!(report.differing, 1, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_can_be_verified() {
    let world = World::filled().await;
    let folder = world.open().await;
    let running = world.start(&folder);
    for round in 2..6 {
        let (_, report) =
            tokio::join!(world.send(&folder, round), world.verify(&["--wait", "30s"]));
        let report = report.unwrap();
        assert!(report.is_equal(), "{report}");
    }
    running.stop().await;
    folder.close();
    assert!(world.verify(&[]).await.unwrap().is_equal());
}

#[test]
fn the_command_line_is_checked() {
    let world = |arguments: &[&str]| world::arguments("data", arguments);
    assert!(world(&["--start", "today"]).is_err());
    assert!(world(&["--venue", "a:b"]).is_err());
    let reversed = [
        "--start",
        "2024-01-02T00:00:00Z",
        "--end",
        "2024-01-01T00:00:00Z",
    ];
    let parsed = world(&reversed).unwrap();
    assert!(parsed.check().is_err());
    assert_eq!(
        super::run(parsed).unwrap(),
        std::process::ExitCode::from(host::EXIT_USAGE)
    );
    let start = format_time(MINUTE_NS);
    assert!(world(&["--start", &start]).unwrap().check().is_ok());
}

#[tokio::test]
async fn a_partition_that_nobody_has_folded_yet_is_named() {
    let folder = World::unfolded(&[0]).await;
    let error = folder.verify(&[]).await.unwrap_err().to_string();
    let expected =
        "partition 1 of the log's 2 was never folded: start what folds it, and try again";
    assert_eq!(error, expected);
    let all = World::unfolded(&[0, 1]).await;
    assert!(all.verify(&[]).await.unwrap().is_equal());
}
