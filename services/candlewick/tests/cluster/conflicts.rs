//! Conflicts over ClickHouse and TimescaleDB.

use serde_json::{Value, json};

use crate::bars::DAY_NS;
use crate::cluster::TestCluster;
use crate::support::{Finished, TestClient, counted_trades, replay, table_number, until};

fn conflicts(client: &TestClient, venue: &str) -> Vec<Value> {
    let path = format!("/api/v1/duplicates/{venue}/EDGE?conflicts=true&limit=2");
    client.get_all_pages(&path)
}

#[test]
fn conflicts_are_listed_and_counted_from_the_servers() {
    let cluster = TestCluster::new("conflicts");
    let aggregator = cluster.start_ready("aggregator");
    let archiver = cluster.start_ready("archiver");
    let api = cluster.start_ready("api");
    let client = api.client();
    let folder = tempfile::tempdir().unwrap();
    let tape = |name: &str, prices: [u32; 3], day: i64| {
        let begin_ms = DAY_NS / 1_000_000 + day * 86_400_000;
        let line = |(price, id): (&u32, i64)| {
            let time_ms = begin_ms + 1_000 * id;
            format!("{id},{price},2.0,{},{time_ms},False,True\n", price * 2)
        };
        let path = folder.path().join(name);
        let lines: String = prices.iter().zip(1..).map(line).collect();
        std::fs::write(&path, lines).unwrap();
        path
    };
    let first = tape("EDGE-trades-a.csv", [15, 16, 17], 0);
    let second = tape("EDGE-trades-b.csv", [40, 41, 42], 18);
    let output = Finished::of(&mut replay(&api, folder.path(), "v", &[&first], &[]));
    assert!(output.success().contains("\nConflicts: none.\n"));
    let output = Finished::of(&mut replay(&api, folder.path(), "v", &[&second], &[]));
    assert_eq!(output.code, Some(1), "{}", output.text);
    assert!(
        output.text.contains("\nConflicts: 3 trades"),
        "{}",
        output.text
    );
    assert!(output.text.contains("--id-scope day"), "{}", output.text);

    let listed = conflicts(&client, "v");
    let prices = listed.iter().map(|duplicate| {
        assert_eq!(duplicate["differing_fields"], json!(["time", "price"]));
        ["first", "later"].map(|which| duplicate[which]["price"].as_str().unwrap())
    });
    let prices: Vec<_> = prices.collect();
    assert_eq!(prices, [["15", "40"], ["16", "41"], ["17", "42"]]);

    // Ids that are texts are looked up as such.
    let fill = |price: &str| json!({"venue": "w", "symbol": "EDGE", "time": DAY_NS, "price": price, "id": "9a'b\\1"});
    client.send_trades(&[fill("0.41"), fill("0.44"), fill("0.41")]);
    let listed = until("the conflict of texts", || {
        let listed = conflicts(&client, "w");
        (!listed.is_empty()).then_some(listed)
    });
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["first"]["price"], "0.41");
    assert_eq!(listed[0]["later"]["price"], "0.44");
    assert_eq!(counted_trades(&client, "w", "EDGE"), 1);
    let output = cluster.verify(4);
    assert_eq!(table_number(&output, "excluded: duplicate"), 5, "{output}");
    assert_eq!(table_number(&output, "conflicts"), 4, "{output}");
    for process in [aggregator, archiver, api] {
        process.terminate().success();
    }
}
