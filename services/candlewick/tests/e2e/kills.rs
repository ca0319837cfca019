//! The process is killed again and again while tapes are replayed.

use fastrand::Rng;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{
    Finished, SYMBOLS, TRADES, TestProcess, assert_equal, counted_trades, eventually, expected,
    pause, replay, tables, tapes, trades, until, verify,
};

const KILLS: u32 = 50;
const SEED: u64 = 20_131_008;

/// A batch size with which fifty short lives store most of the tapes, and each kill interrupts
/// several requests.
const OPTIONS: [&str; 4] = ["--batch", "16", "--connections", "4"];

/// A replay that runs during the test. It is killed when this is dropped.
struct RunningReplay {
    child: Child,
    log: PathBuf,
}

impl RunningReplay {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        Self { child, log }
    }

    /// Returns how the replay ended, if it has.
    fn finished(&mut self) -> Option<Finished> {
        let status = self.child.try_wait().unwrap()?;
        Some(Finished {
            code: status.code(),
            text: std::fs::read_to_string(&self.log).unwrap(),
        })
    }
}

impl Drop for RunningReplay {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn no_bar_and_no_trade_of_the_tapes_differs_after_fifty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let files = tapes(&SYMBOLS);
    let mut standalone = TestProcess::start(&data);
    let listen = standalone.address().to_string();
    let start_replay = |standalone: &TestProcess, run: u32| {
        let command = replay(standalone, folder.path(), "us", &files, &OPTIONS);
        RunningReplay::start(command, folder.path().join(format!("replay-{run}")))
    };

    let mut random = Rng::with_seed(SEED);
    let (mut runs, mut starting, mut stored) = (1, 0, 0);
    let mut sending = start_replay(&standalone, runs);
    for kill in 1..=KILLS {
        // Most lives are short. Some are long enough to store bars and ticks.
        let is_short = random.u64(..4) > 0;
        pause(Duration::from_millis(match is_short {
            true => random.u64(50..250),
            false => random.u64(500..1_500),
        }));
        stored += u32::from(!is_short && has_stored(&standalone));
        standalone.kill();
        if random.u64(..5) == 0 {
            starting += 1;
            kill_while_it_starts(&data, &listen, &mut random);
        }
        standalone = TestProcess::start_with(&data, &listen, &[]);
        // A finished replay is restarted, so that every kill interrupts one.
        if let Some(finished) = sending.finished() {
            finished.success();
            runs += 1;
            println!("replay {runs} begins after {kill} kills");
            sending = start_replay(&standalone, runs);
        }
    }
    assert!(
        sending.finished().is_none(),
        "the last replay was through before the last kill"
    );
    let output = until("the end of the replay", || sending.finished()).success();
    let outages = output.matches("is not available").count();
    let figure = output.lines().find(|line| line.contains("trades in"));
    assert!(stored > 0, "no life was long enough");
    println!(
        "{KILLS} kills during {runs} replays, {stored} of them after bars and ticks were stored, \
         and {starting} more while starting; the last replay saw {outages} outages: {}",
        figure.unwrap()
    );
    check(&standalone, &data);
    standalone.terminate().success();
}

/// Returns whether this life of the process has committed a transaction and a block of ticks.
fn has_stored(standalone: &TestProcess) -> bool {
    let metrics = standalone.client().metrics();
    let names = [
        "candlewick_aggregator_commits_total",
        "candlewick_archiver_blocks_total",
    ];
    names.iter().all(|name| metrics.get(*name) > Some(&0.0))
}

fn kill_while_it_starts(data: &Path, listen: &str, random: &mut Rng) {
    let starting = TestProcess::spawn(crate::support::candlewick(&[]), data, listen, &[]);
    pause(Duration::from_millis(random.u64(..40)));
    starting.kill();
}

/// Asserts that every bar is as expected, and that every trade is stored once.
fn check(standalone: &TestProcess, data: &Path) {
    let client = standalone.client();
    eventually("the trades counted", &TRADES, || {
        let counts = SYMBOLS.map(|symbol| counted_trades(&client, "us", symbol));
        counts.iter().sum()
    });
    let expected = expected("us", &SYMBOLS);
    assert_equal("after the kills", &expected, &tables(&client, &expected));
    verify(data, TRADES);
    for symbol in SYMBOLS {
        let listed = trades(&client, "us", symbol);
        let ids = listed.iter().map(|trade| trade["id"].as_str().unwrap());
        let expected = (1..=counted_trades(&client, "us", symbol)).map(|id| id.to_string());
        assert!(
            ids.eq(expected),
            "{symbol}: a trade is missing, doubled or out of order"
        );
        let gaps = client.get_all_pages(&format!("/api/v1/venues/us/gaps?symbol={symbol}"));
        assert_eq!(gaps.len(), 0, "{gaps:?}");
    }
}
