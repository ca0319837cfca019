//! The identity of trades: each trade counts once, and gaps and duplicates are reported correctly.

use fastrand::Rng;
use std::path::PathBuf;

use crate::support::{
    Line, TapeFixture, bars, counted_trades, shuffle_within, table_number, trades, verify,
    wait_settled, write_plain,
};
use serde_json::{Value, json};

/// 2024-05-01T10:00:00Z.
const BEGIN_NS: i64 = 1_714_557_600_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;

impl TapeFixture {
    fn gaps(&self, venue: &str) -> Vec<Value> {
        let path = format!("/api/v1/venues/{venue}/gaps?limit=7");
        self.client.get_all_pages(&path)
    }

    fn assert_gaps_are_not_known(&self, venue: &str) {
        let answer = self.client.get(&format!("/api/v1/venues/{venue}/gaps"));
        let problem = answer.problem(422);
        assert_eq!(problem["type"], "urn:candlewick:problem:gaps_not_tracked");
    }

    /// Asserts that every bar is proved and that the ticks have the counted duplicates, and stops
    /// the process.
    fn end(self, trades: u64, duplicates: u64) {
        let output = verify(&self.path("data"), trades);
        assert_eq!(
            table_number(&output, "excluded: duplicate"),
            duplicates,
            "{output}"
        );
        self.standalone.terminate().success();
    }
}

fn line(id: &str, time_ns: i64) -> Line {
    Line {
        time_ns,
        price: "10.5".to_owned(),
        quantity: "2".to_owned(),
        id: id.to_owned(),
        symbol: "X".to_owned(),
    }
}

/// Writes two tapes of 200 trades a day apart, whose ids both start at 1. The second lacks 77 and
/// 78.
fn two_days(fixture: &TapeFixture) -> [PathBuf; 2] {
    [(0, "X-trades-1.csv"), (1, "X-trades-2.csv")].map(|(day, name)| {
        let ids = (1..=200_i64).filter(|id| day == 0 || !(77..=78).contains(id));
        let lines: Vec<_> = ids
            .map(|id| line(&id.to_string(), BEGIN_NS + day * DAY_NS + id * SECOND_NS))
            .collect();
        write_plain(&fixture.path(name), &lines);
        fixture.path(name)
    })
}

#[test]
fn ids_that_begin_anew_each_day_or_in_each_file() {
    for scope in ["day", "file"] {
        let fixture = TapeFixture::start();
        let options = ["--id-scope", scope, "--id-scheme", "contiguous"];
        let files = two_days(&fixture);
        fixture.replay("v", &files, &options).success();
        wait_settled(&fixture.client, 398, 0);
        let days = bars(&fixture.client, "v", "X", "1d");
        let counts: Vec<_> = days.iter().map(|bar| bar["trades"].clone()).collect();
        assert_eq!(counts, [200, 198]);

        let gaps = fixture.gaps("v");
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let gap = ["first", "last", "count"].map(|name| gaps[0][name].clone());
        assert_eq!(gap, ["77", "78", "2"]);
        match scope {
            "day" => assert_eq!(gaps[0]["day"], "2024-05-02"),
            _ => assert!(gaps[0]["scope"].is_string(), "{gaps:?}"),
        }

        fixture.replay("v", &files, &options).success();
        wait_settled(&fixture.client, 398, 398);
        assert_eq!(bars(&fixture.client, "v", "X", "1d"), days);
        println!(
            "scope {scope}: 398 trades counted_trades, 398 duplicates, gap {}",
            gaps[0]
        );
        fixture.end(398, 398);
    }
}

/// The counterpart: the ids of a venue that declares them unique within the symbol are compared
/// across files.
#[test]
fn ids_that_begin_anew_are_duplicates_where_the_venue_says_that_they_do_not() {
    let fixture = TapeFixture::start();
    let options = ["--id-scope", "symbol", "--id-scheme", "contiguous"];
    let files = two_days(&fixture);
    let output = fixture.replay("v", &files, &options);
    assert_eq!(output.code, Some(1), "{}", output.text);
    assert!(
        output.text.contains("Conflicts: 198 trades"),
        "{}",
        output.text
    );
    wait_settled(&fixture.client, 200, 198);
    assert_eq!(counted_trades(&fixture.client, "v", "X"), 200);
    assert_eq!(fixture.gaps("v").len(), 0);
    fixture.end(200, 198);
}

#[test]
fn uuids() {
    let fixture = TapeFixture::start();
    let mut random = Rng::with_seed(7);
    let uuid = |random: &mut Rng| {
        let digits: Vec<_> = (0..32).map(|_| random.u64(..16)).collect();
        let hex: String = digits.iter().map(|digit| format!("{digit:x}")).collect();
        let (a, b, c) = (&hex[..8], &hex[8..12], &hex[13..16]);
        format!("{a}-{b}-4{c}-a{}-{}", &hex[17..20], &hex[20..])
    };
    let lines: Vec<_> = (0..500)
        .map(|second| line(&uuid(&mut random), BEGIN_NS + second * SECOND_NS))
        .collect();
    let files = [fixture.path("once.csv"), fixture.path("again.csv")];
    write_plain(&files[0], &lines);
    write_plain(&files[1], &shuffle_within(&mut random, lines.clone(), 500));
    fixture.replay("v", &files[..1], &[]).success();
    wait_settled(&fixture.client, 500, 0);
    fixture.replay("v", &files[1..], &[]).success();
    wait_settled(&fixture.client, 500, 500);

    let listed = trades(&fixture.client, "v", "X");
    let listed: Vec<_> = listed.iter().map(|trade| trade["id"].clone()).collect();
    let sent: Vec<_> = lines.iter().map(|line| json!(line.id)).collect();
    assert_eq!(listed, sent);
    fixture.assert_gaps_are_not_known("v");
    println!("UUIDs: 500 trades counted_trades, 500 duplicates");
    fixture.end(500, 500);
}

#[test]
fn ids_that_rise_with_holes() {
    let fixture = TapeFixture::start();
    let mut random = Rng::with_seed(11);
    let (mut ids, mut holes) = (vec![1_000_u64], Vec::new());
    while ids.len() < 400 {
        let last = ids[ids.len() - 1];
        let next = last + [1, 1, 1, 2, 9][usize::try_from(random.u64(..5)).unwrap()];
        if next > last + 1 {
            holes.push((last + 1, next - 1));
        }
        ids.push(next);
    }
    let times = (0..).map(|second| BEGIN_NS + second * SECOND_NS);
    let lines: Vec<_> = ids
        .iter()
        .zip(times)
        .map(|(id, time_ns)| line(&id.to_string(), time_ns))
        .collect();
    let file = [fixture.path("holes.csv")];
    write_plain(&file[0], &shuffle_within(&mut random, lines, 20));
    fixture
        .replay("unique", &file, &["--id-scheme", "unique"])
        .success();
    fixture
        .replay("contiguous", &file, &["--id-scheme", "contiguous"])
        .success();
    wait_settled(&fixture.client, 800, 0);
    for venue in ["unique", "contiguous"] {
        assert_eq!(counted_trades(&fixture.client, venue, "X"), 400);
    }
    fixture.assert_gaps_are_not_known("unique");
    assert_eq!(listed_gaps(&fixture), holes);

    // The missing trades arrive later: one gap is closed, one is split.
    let first = holes[0];
    let second = *holes[1..].iter().find(|(a, b)| b - a > 2).unwrap();
    for id in (first.0..=first.1).chain([second.0 + 1]) {
        let trade =
            json!({"venue": "contiguous", "symbol": "X", "id": id, "time": BEGIN_NS, "price": "9"});
        fixture.client.send_trades(&[trade]);
    }
    let sent = first.1 - first.0 + 2;
    wait_settled(&fixture.client, 800 + sent, 0);
    let split = [(second.0, second.0), (second.0 + 2, second.1)];
    let expected: Vec<_> = holes
        .iter()
        .filter(|hole| **hole != first)
        .flat_map(|hole| match *hole == second {
            true => split.to_vec(),
            false => vec![*hole],
        })
        .collect();
    assert_eq!(listed_gaps(&fixture), expected);
    println!("holes: {} gaps listed, no more and no fewer", holes.len());
    fixture.end(800 + sent, 0);
}

fn listed_gaps(fixture: &TapeFixture) -> Vec<(u64, u64)> {
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let gaps = fixture.gaps("contiguous");
    let pairs = gaps.iter().map(|gap| {
        let (first, last) = (number(&gap["first"]), number(&gap["last"]));
        assert_eq!(number(&gap["count"]), last - first + 1);
        (first, last)
    });
    pairs.collect()
}

#[test]
fn no_ids() {
    let fixture = TapeFixture::start();
    fixture
        .client
        .declare_venue("v", &json!({"id_scheme": "none"}));
    let send = |symbol: &str, headers: &[(&str, &str)]| {
        let trade = json!({"venue": "v", "symbol": symbol, "time": BEGIN_NS, "price": "1.5"});
        let body = json!([trade, trade, trade]).to_string();
        let answer = fixture
            .client
            .post_trades("application/json", body.as_bytes(), headers);
        assert_eq!(answer.json(200)["accepted"], 3);
    };
    // Three equal trades are three trades; the repeated request is the same three.
    send("KEYED", &[("idempotency-key", "one")]);
    send("KEYED", &[("idempotency-key", "one")]);
    send("KEYED", &[("idempotency-key", "two")]);
    // Without a key a repeated request counts again: at least once.
    send("BARE", &[]);
    send("BARE", &[]);
    wait_settled(&fixture.client, 12, 3);
    let counts = ["KEYED", "BARE"].map(|symbol| counted_trades(&fixture.client, "v", symbol));
    assert_eq!(counts, [6, 6]);
    for trade in trades(&fixture.client, "v", "KEYED") {
        assert_eq!(
            trade["id"], trade["position"],
            "a place in the log is its id"
        );
    }
    fixture.assert_gaps_are_not_known("v");

    // An id at such a venue is an error of the sender and is rejected.
    let trade = json!({"venue": "v", "symbol": "X", "id": 1, "time": BEGIN_NS, "price": "1"});
    let body = trade.to_string();
    let answer = fixture
        .client
        .post_trades("application/json", body.as_bytes(), &[]);
    assert_eq!(answer.problem(422)["rejected"][0]["code"], "id_unexpected");
    println!("no ids: 9 sent with keys, 6 counted_trades, 3 duplicates; 6 sent without, 6 counted");
    fixture.end(12, 3);
}
