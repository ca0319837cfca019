//! Whole runs against a server that fails now and then.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use clap::Parser;
use market::{Instrument, Trade};
use schemas::TradesBatch;

use super::report::Report;
use super::{ReplayArgs, replay};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// What the server does to requests.
#[derive(Default)]
struct Script {
    log_id: String,
    /// Of each four posts one is refused as busy, and the answer of another is lost.
    is_weak: bool,
    /// After so many posts it refuses for good.
    ends_after: Option<usize>,
    /// Another log takes its place after so many posts.
    changes_after: Option<usize>,
    posts: usize,
    settings: HashMap<String, String>,
    trades: Vec<(Instrument, Trade)>,
}

type Shared = Arc<Mutex<Script>>;

struct Served {
    script: Shared,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

fn serve(script: Script) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(script));
    let router = Router::new()
        .route("/api/v1/version", get(version))
        .route("/api/v1/venues/{venue}/settings", put(declare))
        .route("/api/v1/trades", post(take))
        .with_state(Arc::clone(&script));
    runtime.spawn(async move { axum::serve(listener, router).await });
    Served {
        script,
        url,
        _runtime: runtime,
    }
}

async fn version(State(script): State<Shared>) -> String {
    let script = script.lock().unwrap();
    format!(
        r#"{{"version":"1","log_id":"{}","epoch":1,"partitions":1}}"#,
        script.log_id
    )
}

async fn declare(
    State(script): State<Shared>,
    axum::extract::Path(venue): axum::extract::Path<String>,
    body: String,
) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    match script.settings.get(&venue) {
        Some(known) if *known != body => {
            let problem = r#"{"title":"x","detail":"v numbers its trades none within symbol"}"#;
            (StatusCode::CONFLICT, problem.to_owned())
        }
        _ => {
            script.settings.insert(venue, body);
            (StatusCode::OK, String::new())
        }
    }
}

async fn take(State(script): State<Shared>, body: Bytes) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    script.posts += 1;
    let posts = script.posts;
    if script.ends_after.is_some_and(|most| posts > most) {
        return (
            StatusCode::BAD_REQUEST,
            r#"{"detail":"the disk is gone"}"#.to_owned(),
        );
    }
    if script.changes_after.is_some_and(|most| posts > most) {
        script.log_id = "another".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    if script.is_weak && posts % 4 == 1 {
        return (StatusCode::SERVICE_UNAVAILABLE, "busy".to_owned());
    }
    let trades = TradesBatch::decode(&body).unwrap();
    let (mut accepted, mut rejected) = (0, Vec::new());
    for (index, trade) in trades.into_iter().enumerate() {
        let (instrument, trade) = trade.unwrap();
        if trade.price.is_negative() {
            rejected.push(format!(
                r#"{{"index":{index},"field":"price","code":"c","message":"price is not above zero"}}"#
            ));
        } else {
            accepted += 1;
            script.trades.push((instrument, trade));
        }
    }
    if script.is_weak && posts % 4 == 3 {
        return (StatusCode::INTERNAL_SERVER_ERROR, String::new());
    }
    let total = rejected.len();
    let rejected = rejected.join(",");
    let status = if accepted == 0 {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let body = match accepted {
        0 => format!(
            r#"{{"type":"t","title":"none","status":422,"detail":"d","rejected_total":{total},"rejected":[{rejected}]}}"#
        ),
        _ => {
            format!(r#"{{"accepted":{accepted},"rejected_total":{total},"rejected":[{rejected}]}}"#)
        }
    };
    (status, body)
}

/// A tape of `trades` lines, of which one is bad and one will be rejected.
fn tape(folder: &Path, name: &str, trades: i64) -> PathBuf {
    let lines = (1..=trades).map(|id| match id {
        7 => "7,1.5,2\n".to_owned(),
        8 => "8,-1.5,2,3,1381232396477,True,True\n".to_owned(),
        _ => format!("{id},1.5,2,3,{},True,True\n", 1_381_232_396_477 + id),
    });
    let path = folder.join(name);
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

fn run(served: &Served, state: &Path, files: &[&Path], options: &[&str]) -> anyhow::Result<Report> {
    let fixed = [
        "replay",
        "--venue",
        "v",
        "--no-progress",
        "--to",
        &served.url,
    ];
    let arguments = fixed
        .into_iter()
        .chain(options.iter().copied())
        .map(PathBuf::from);
    let arguments = Arguments::parse_from(arguments.chain(files.iter().map(PathBuf::from)));
    replay(&arguments.replay, Some(state))
}

/// How often each trade was taken, by symbol and id.
fn taken(served: &Served) -> HashMap<(String, u64), usize> {
    let mut taken = HashMap::new();
    for (instrument, trade) in &served.script.lock().unwrap().trades {
        let id = trade.id.as_ref().unwrap().as_number().unwrap();
        *taken
            .entry((instrument.symbol().to_owned(), id))
            .or_default() += 1;
    }
    taken
}

#[test]
fn every_trade_arrives_whatever_the_server_does_in_between() {
    for connections in ["1", "3"] {
        let served = serve(Script {
            is_weak: true,
            ..Script::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [("A-trades-1.csv", 100), ("B-trades-1.csv", 60)]
            .map(|(name, trades)| tape(folder.path(), name, trades));
        let options = ["--batch", "9", "--connections", connections];
        let report = run(&served, folder.path(), &[&one, &other], &options).unwrap();
        assert_eq!(report.sent, [99, 59]);
        let taken = taken(&served);
        assert_eq!(taken.len(), 98 + 58);
        assert!(
            taken.values().any(|times| *times == 2),
            "an answer was lost"
        );
        let faults: Vec<_> = report
            .rejected
            .first()
            .iter()
            .map(|fault| (fault.tape, fault.line))
            .collect();
        assert!(faults.contains(&(0, 8)) && faults.contains(&(1, 8)) && faults.len() == 2);
        assert_eq!((report.bad.of_tape(0), report.bad.of_tape(1)), (1, 1));
        assert!(!report.is_clean());
        let settings = served.script.lock().unwrap().settings["v"].clone();
        assert_eq!(
            settings,
            r#"{"id_scheme":"contiguous","id_scope":"symbol"}"#
        );
    }
}

#[test]
fn an_interrupted_run_goes_on_where_it_was_and_only_with_the_same_log() {
    let served = serve(Script {
        log_id: "first".to_owned(),
        ends_after: Some(3),
        ..Script::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let tape = tape(folder.path(), "A-trades-1.csv", 100);
    let options = ["--batch", "10"];
    let notes = || std::fs::read_dir(&state).map_or(0, Iterator::count);
    let error = run(&served, &state, &[&tape], &options).unwrap_err();
    assert!(
        format!("{error:#}").contains("the disk is gone (status 400)"),
        "{error:#}"
    );
    assert_eq!(notes(), 1);

    let again = |log_id: &str, options: &[&str]| {
        *served.script.lock().unwrap() = Script {
            log_id: log_id.to_owned(),
            ..Script::default()
        };
        run(&served, &state, &[&tape], options).unwrap()
    };
    // Another log begins at the beginning, and leaves the note of the first alone.
    let report = again("second", &options);
    assert_eq!((report.before.trades, report.sent[0], notes()), (0, 99, 1));
    // So do other options.
    let report = again("first", &["--id-scope", "file"]);
    assert_eq!((report.before.trades, report.sent[0], notes()), (0, 99, 1));
    let report = again("first", &["--batch", "50"]);
    assert_eq!(
        (report.before.trades, report.before.rejected, report.sent[0]),
        (30, 1, 69)
    );
    assert_eq!((report.skipped[0], notes()), (30, 0));
    assert!(report.table().contains("sent before"));
    assert!(!report.is_clean(), "one was rejected before");
    let taken = taken(&served);
    assert_eq!(taken.keys().map(|(_, id)| *id).min(), Some(32));
}

#[test]
fn restart_sends_everything_again() {
    let served = serve(Script {
        ends_after: Some(3),
        ..Script::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = tape(folder.path(), "A-trades-1.csv", 100);
    run(&served, folder.path(), &[&tape], &["--batch", "10"]).unwrap_err();
    served.script.lock().unwrap().ends_after = None;
    let report = run(&served, folder.path(), &[&tape], &["--restart"]).unwrap();
    assert_eq!((report.before.trades, report.sent[0]), (0, 99));
}

#[test]
fn a_log_that_takes_anothers_place_ends_the_run() {
    let served = serve(Script {
        changes_after: Some(2),
        ..Script::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = tape(folder.path(), "A-trades-1.csv", 100);
    let error = run(&served, folder.path(), &[&tape], &["--batch", "10"]).unwrap_err();
    assert!(
        error.to_string().contains("another log answers there now"),
        "{error:#}"
    );
}

#[test]
fn what_cannot_be_sent_says_why() {
    let served = serve(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let tape = tape(state, "A-trades-1.csv", 6);
    let plain = state.join("B.csv");
    std::fs::write(&plain, "time,price,id\n1,2,x\n").unwrap();
    let torn = state.join("C.csv");
    std::fs::write(&torn, "PK\x03\x04").unwrap();
    let (a, b, c) = (tape.as_path(), plain.as_path(), torn.as_path());

    let error = run(&served, state, &[a, Path::new("no"), Path::new("nor")], &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("nothing was sent: no: No such file") && error.contains("; nor: "),
        "{error}"
    );
    let error = run(&served, state, &[a, b], &[]).unwrap_err().to_string();
    assert!(error.contains("--id-scheme"), "{error}");

    let report = run(&served, state, &[a, c], &[]).unwrap();
    assert_eq!((report.sent[0], report.bad.of_tape(1)), (6, 1));
    assert!(
        report
            .faults()
            .starts_with("not a trade: C.csv: the zip is damaged or cut: ")
    );

    let error = run(&served, state, &[b], &[]).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("cannot declare the venue v") && error.contains("v numbers its trades none"),
        "{error}"
    );
    assert!(error.contains("--id-scheme and --id-scope"), "{error}");

    let gone = Served {
        url: "http://127.0.0.1:1".to_owned(),
        ..serve(Script::default())
    };
    let error = run(&gone, state, &[a], &["--give-up", "100ms"])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("http://127.0.0.1:1 has not been available for "),
        "{error}"
    );
}
