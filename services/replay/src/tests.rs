//! Whole runs against a server that fails in scripted ways.

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

use crate::arguments::ReplayArgs;
use crate::replay::replay_tapes;
use crate::report::ReplayReport;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    replay: ReplayArgs,
}

/// How the server answers, and what it has received.
#[derive(Default)]
struct ServerScript {
    log_id: String,
    /// Whether, of each four posts, one is rejected as busy and the answer of another is lost.
    is_unreliable: bool,
    /// After this number of posts the server rejects every post.
    rejects_after: Option<usize>,
    /// After this number of posts the server has another log.
    changes_log_after: Option<usize>,
    posts: usize,
    venue_settings: HashMap<String, String>,
    trades: Vec<(Instrument, Trade)>,
    /// The order of trades of equal event time of every venue.
    ties: Option<&'static str>,
}

type SharedScript = Arc<Mutex<ServerScript>>;

struct TestServer {
    script: SharedScript,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

fn start_server(script: ServerScript) -> TestServer {
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
        .route("/api/v1/version", get(get_version))
        .route("/api/v1/venues/{venue}/settings", put(put_settings))
        .route("/api/v1/trades", post(post_trades))
        .with_state(Arc::clone(&script));
    runtime.spawn(async move { axum::serve(listener, router).await });
    TestServer {
        script,
        url,
        _runtime: runtime,
    }
}

async fn get_version(State(script): State<SharedScript>) -> String {
    let script = script.lock().unwrap();
    format!(
        r#"{{"version":"1","log_id":"{}","epoch":1,"partitions":1}}"#,
        script.log_id
    )
}

async fn put_settings(
    State(script): State<SharedScript>,
    axum::extract::Path(venue): axum::extract::Path<String>,
    body: String,
) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    match script.venue_settings.get(&venue) {
        Some(known) if *known != body => {
            let problem = r#"{"title":"x","detail":"v numbers its trades none within symbol"}"#;
            (StatusCode::CONFLICT, problem.to_owned())
        }
        _ => {
            script.venue_settings.insert(venue.clone(), body);
            let ties = script.ties.unwrap_or("id");
            let settings = format!(
                r#"{{"venue":"{venue}","generation":1,"retired":false,"id_scheme":"unique","id_scope":"symbol","ties":"{ties}",
                "lateness_ms":0,"idle_ms":0,"nonpositive_prices":false,"old_times":false}}"#
            );
            (StatusCode::OK, settings)
        }
    }
}

async fn post_trades(State(script): State<SharedScript>, body: Bytes) -> (StatusCode, String) {
    let mut script = script.lock().unwrap();
    script.posts += 1;
    let posts = script.posts;
    if script.rejects_after.is_some_and(|limit| posts > limit) {
        return (
            StatusCode::BAD_REQUEST,
            r#"{"detail":"the disk is gone"}"#.to_owned(),
        );
    }
    if script.changes_log_after.is_some_and(|limit| posts > limit) {
        script.log_id = "another".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    if script.is_unreliable && posts % 4 == 1 {
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
    if script.is_unreliable && posts % 4 == 3 {
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

/// Writes a tape of `trades` lines. Line 7 is not a trade, and line 8 will be rejected.
fn write_tape(folder: &Path, name: &str, trades: i64) -> PathBuf {
    let lines = (1..=trades).map(|id| match id {
        7 => "7,1.5,2\n".to_owned(),
        8 => "8,-1.5,2,3,1381232396477,True,True\n".to_owned(),
        _ => format!("{id},1.5,2,3,{},True,True\n", 1_381_232_396_477 + id),
    });
    let path = folder.join(name);
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

fn run_replay(
    server: &TestServer,
    state: &Path,
    files: &[&Path],
    options: &[&str],
) -> anyhow::Result<ReplayReport> {
    let fixed = [
        "replay",
        "--venue",
        "v",
        "--no-progress",
        "--to",
        &server.url,
    ];
    let arguments = fixed
        .into_iter()
        .chain(options.iter().copied())
        .map(PathBuf::from);
    let arguments = Arguments::parse_from(arguments.chain(files.iter().map(PathBuf::from)));
    replay_tapes(&arguments.replay, Some(state))
}

/// Returns how often the server accepted each trade, by symbol and id.
fn accepted_counts(server: &TestServer) -> HashMap<(String, u64), usize> {
    let mut counts = HashMap::new();
    for (instrument, trade) in &server.script.lock().unwrap().trades {
        let id = trade.id.as_ref().unwrap().as_number().unwrap();
        *counts
            .entry((instrument.symbol().to_owned(), id))
            .or_default() += 1;
    }
    counts
}

#[test]
fn every_trade_arrives_despite_failures_of_the_server() {
    for connections in ["1", "3"] {
        let server = start_server(ServerScript {
            is_unreliable: true,
            ..ServerScript::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [("A-trades-1.csv", 100), ("B-trades-1.csv", 60)]
            .map(|(name, trades)| write_tape(folder.path(), name, trades));
        let options = ["--batch", "9", "--connections", connections];
        let report = run_replay(&server, folder.path(), &[&one, &other], &options).unwrap();
        assert_eq!(report.sent, [99, 59]);
        let accepted = accepted_counts(&server);
        assert_eq!(accepted.len(), 98 + 58);
        assert!(
            accepted.values().any(|times| *times == 2),
            "an answer was lost"
        );
        let problems: Vec<_> = report
            .rejected
            .listed()
            .iter()
            .map(|problem| (problem.tape_index, problem.line))
            .collect();
        assert!(problems.contains(&(0, 8)) && problems.contains(&(1, 8)) && problems.len() == 2);
        assert_eq!(
            (
                report.bad_lines.count_of_tape(0),
                report.bad_lines.count_of_tape(1)
            ),
            (1, 1)
        );
        assert!(!report.is_clean());
        let settings = server.script.lock().unwrap().venue_settings["v"].clone();
        assert_eq!(
            settings,
            r#"{"id_scheme":"contiguous","id_scope":"symbol"}"#
        );
    }
}

#[test]
fn trades_of_a_symbol_stay_in_order_where_the_log_orders_ties() {
    let server = start_server(ServerScript {
        is_unreliable: true,
        ties: Some("log"),
        ..ServerScript::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = write_tape(folder.path(), "A-trades-1.csv", 200);
    let options = ["--batch", "3", "--connections", "8"];
    run_replay(&server, folder.path(), &[&tape], &options).unwrap();
    let mut ids = Vec::new();
    for (_, trade) in &server.script.lock().unwrap().trades {
        let id = trade.id.as_ref().unwrap().as_number().unwrap();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    assert_eq!(ids.len(), 198);
    assert!(ids.is_sorted(), "{ids:?}");
}

#[test]
fn an_interrupted_run_resumes_and_only_with_the_same_log() {
    let server = start_server(ServerScript {
        log_id: "first".to_owned(),
        rejects_after: Some(3),
        ..ServerScript::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let tape = write_tape(folder.path(), "A-trades-1.csv", 100);
    let options = ["--batch", "10"];
    let resume_files = || std::fs::read_dir(&state).map_or(0, Iterator::count);
    let error = run_replay(&server, &state, &[&tape], &options).unwrap_err();
    assert!(
        format!("{error:#}").contains("the disk is gone (status 400)"),
        "{error:#}"
    );
    assert_eq!(resume_files(), 1);

    let run_again = |log_id: &str, options: &[&str]| {
        *server.script.lock().unwrap() = ServerScript {
            log_id: log_id.to_owned(),
            ..ServerScript::default()
        };
        run_replay(&server, &state, &[&tape], options).unwrap()
    };
    // With another log the run begins at the beginning, and keeps the file of the first log.
    let report = run_again("second", &options);
    assert_eq!(
        (report.sent_before.trades, report.sent[0], resume_files()),
        (0, 99, 1)
    );
    // So does a run with other options.
    let report = run_again("first", &["--id-scope", "file"]);
    assert_eq!(
        (report.sent_before.trades, report.sent[0], resume_files()),
        (0, 99, 1)
    );
    let report = run_again("first", &["--batch", "50"]);
    assert_eq!(
        (
            report.sent_before.trades,
            report.sent_before.rejected,
            report.sent[0]
        ),
        (30, 1, 69)
    );
    assert_eq!((report.skipped[0], resume_files()), (30, 0));
    assert!(report.table().contains("sent before"));
    assert!(!report.is_clean(), "one was rejected before");
    let accepted = accepted_counts(&server);
    assert_eq!(accepted.keys().map(|(_, id)| *id).min(), Some(32));
}

#[test]
fn restart_sends_everything_again() {
    let server = start_server(ServerScript {
        rejects_after: Some(3),
        ..ServerScript::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = write_tape(folder.path(), "A-trades-1.csv", 100);
    run_replay(&server, folder.path(), &[&tape], &["--batch", "10"]).unwrap_err();
    server.script.lock().unwrap().rejects_after = None;
    let report = run_replay(&server, folder.path(), &[&tape], &["--restart"]).unwrap();
    assert_eq!((report.sent_before.trades, report.sent[0]), (0, 99));
}

#[test]
fn a_run_ends_if_the_server_has_another_log() {
    let server = start_server(ServerScript {
        changes_log_after: Some(2),
        ..ServerScript::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = write_tape(folder.path(), "A-trades-1.csv", 100);
    let error = run_replay(&server, folder.path(), &[&tape], &["--batch", "10"]).unwrap_err();
    assert!(
        error.to_string().contains("it has another log now"),
        "{error:#}"
    );
}

#[test]
fn the_error_of_a_run_that_sends_nothing_says_why() {
    let server = start_server(ServerScript::default());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let tape = write_tape(state, "A-trades-1.csv", 6);
    let plain = state.join("B.csv");
    std::fs::write(&plain, "time,price,id\n1,2,x\n").unwrap();
    let torn = state.join("C.csv");
    std::fs::write(&torn, "PK\x03\x04").unwrap();
    let (a, b, c) = (tape.as_path(), plain.as_path(), torn.as_path());

    let error = run_replay(&server, state, &[a, Path::new("no"), Path::new("nor")], &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("nothing was sent: no: No such file") && error.contains("; nor: "),
        "{error}"
    );
    let error = run_replay(&server, state, &[a, b], &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("--id-scheme"), "{error}");

    let report = run_replay(&server, state, &[a, c], &[]).unwrap();
    assert_eq!((report.sent[0], report.bad_lines.count_of_tape(1)), (6, 1));
    assert!(
        report
            .problem_lines()
            .starts_with("not a trade: C.csv: the zip is damaged or cut: ")
    );

    let error = run_replay(&server, state, &[b], &[]).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("cannot declare the venue v") && error.contains("v numbers its trades none"),
        "{error}"
    );
    assert!(error.contains("--id-scheme and --id-scope"), "{error}");

    let unreachable = TestServer {
        url: "http://127.0.0.1:1".to_owned(),
        ..start_server(ServerScript::default())
    };
    let error = run_replay(&unreachable, state, &[a], &["--give-up", "100ms"])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("http://127.0.0.1:1 has not been available for "),
        "{error}"
    );
}
