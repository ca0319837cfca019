//! Later deliveries that say something else than the first, and tapes without ids.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    TapeFixture, counted_trades, table_number, trades, until, verify, wait_settled,
};

impl TapeFixture {
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn conflicts(&self, venue: &str, symbol: &str) -> Vec<Value> {
        let path = format!("/api/v1/duplicates/{venue}/{symbol}?conflicts=true&limit=2");
        self.client.get_all_pages(&path)
    }

    /// Stops the process, and returns what `verify` says of its folder.
    fn stop_and_verify(self, trades: u64) -> String {
        let data = self.path("data");
        self.standalone.terminate().success();
        verify(&data, trades)
    }
}

/// Ids 1, 2 and 3 of one day, and other trades 1, 2 and 3 of a day weeks later.
#[test]
fn ids_that_begin_again_are_said_to_do_so() {
    let fixture = TapeFixture::start();
    let tape = |name: &str, prices: [u32; 3], first_ms: u64| {
        let lines = prices.iter().zip(1..).map(|(price, id)| {
            let time_ms = first_ms + 1_000 * id;
            format!("{id},{price},2.0,{},{time_ms},False,True\n", price * 2)
        });
        fixture.write(name, lines.collect::<String>().as_bytes())
    };
    // 2023-05-13 and 2023-05-31.
    let first = tape("EDGE-trades-a.csv", [15, 16, 17], 1_683_936_000_000);
    let second = tape("EDGE-trades-b.csv", [40, 41, 42], 1_685_491_200_000);

    let output = fixture.replay("v", &[&first], &[]).success();
    assert!(output.contains("\nConflicts: none.\n"), "{output}");
    let output = fixture.replay("v", &[&second], &[]);
    assert_eq!(output.code, Some(1), "{}", output.text);
    let text = &output.text;
    assert!(
        text.contains("\nConflicts: 3 trades conflict with the first"),
        "{text}"
    );
    assert!(
        text.contains("  3 of v:EDGE; GET /api/v1/duplicates/v/EDGE?conflicts=true"),
        "{text}"
    );
    assert!(text.contains("begin again on another day"), "{text}");
    assert!(text.contains("--id-scope day"), "{text}");
    let listed = fixture.conflicts("v", "EDGE");
    assert_eq!(listed.len(), 3);
    for (duplicate, prices) in listed
        .iter()
        .zip([("15", "40"), ("16", "41"), ("17", "42")])
    {
        assert_eq!(duplicate["outcome"], "conflict");
        assert_eq!(duplicate["differing_fields"], json!(["time", "price"]));
        assert_eq!(duplicate["first"]["price"], prices.0);
        assert_eq!(duplicate["later"]["price"], prices.1);
    }
    // A run counts its own conflicts: sending the first tape again has none.
    let output = fixture.replay("v", &[&first], &[]).success();
    assert!(output.contains("\nConflicts: none.\n"), "{output}");
    // What the message advises holds all six.
    let options = ["--id-scope", "day"];
    let output = fixture.replay("w", &[&first, &second], &options).success();
    assert!(output.contains("\nConflicts: none.\n"), "{output}");
    wait_settled(&fixture.client, 9, 6);
    assert_eq!(counted_trades(&fixture.client, "v", "EDGE"), 3);
    assert_eq!(counted_trades(&fixture.client, "w", "EDGE"), 6);
    let output = fixture.stop_and_verify(9);
    assert_eq!(table_number(&output, "excluded: duplicate"), 6, "{output}");
    assert_eq!(table_number(&output, "conflicts"), 3, "{output}");
}

/// Several fills under one id and at one time.
#[test]
fn other_content_under_one_id_is_listed() {
    let fixture = TapeFixture::start();
    let fill = |price: &str, quantity: &str| {
        json!({"venue": "c", "symbol": "PRED", "time": "2024-05-01T10:00:00Z",
            "price": price, "quantity": quantity, "id": "9ab1"})
    };
    fixture
        .client
        .send_trades(&[fill("0.41", "8"), fill("0.44", "3")]);
    let listed = until("the conflict", || {
        let listed = fixture.conflicts("c", "PRED");
        (!listed.is_empty()).then_some(listed)
    });
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["differing_fields"], json!(["price", "quantity"]));
    let content = |which: &str| {
        ["id", "time", "price", "quantity"].map(|name| listed[0][which][name].clone())
    };
    let time = "2024-05-01T10:00:00Z";
    assert_eq!(
        content("first"),
        ["9ab1", time, "0.41", "8"].map(|text| json!(text))
    );
    assert_eq!(
        content("later"),
        ["9ab1", time, "0.44", "3"].map(|text| json!(text))
    );
    let counted = trades(&fixture.client, "c", "PRED");
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0]["price"], "0.41");
    let output = fixture.stop_and_verify(1);
    assert_eq!(table_number(&output, "conflicts"), 1, "{output}");
}

/// Sends a tape without ids, the same tape gzipped, and the same tape with one more line, in every
/// order. They hold three trades together.
#[test]
fn a_tape_without_ids_is_recognised_in_every_packing() {
    let fixture = TapeFixture::start();
    let text = "time,price,quantity\n2024-05-01T00:00:00Z,90,1\n2024-05-01T00:00:10Z,91,2\n";
    let grown = format!("{text}2024-05-01T00:00:20Z,92,3\n");
    let files = [
        fixture.write("XAU-q1.csv", text.as_bytes()),
        fixture.write("XAU-q1.csv.gz", &stored_gzip(text.as_bytes())),
        fixture.write("XAU-q1-grown.csv", grown.as_bytes()),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let venue = format!("v{number}");
        for index in order {
            let output = fixture.replay(&venue, &[&files[index]], &["--id-scheme", "none"]);
            assert!(output.success().contains("\nConflicts: none.\n"));
        }
        let sent = u64::try_from(number + 1).unwrap();
        wait_settled(&fixture.client, 3 * sent, 4 * sent);
        assert_eq!(
            counted_trades(&fixture.client, &venue, "XAU"),
            3,
            "{order:?}"
        );
        let listed = trades(&fixture.client, &venue, "XAU");
        let prices: Vec<_> = listed.iter().map(|trade| trade["price"].clone()).collect();
        assert_eq!(prices, ["90", "91", "92"], "{order:?}");
    }
    // In one run, and as two equal lines that are two trades of each of two symbols.
    let all: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    fixture.replay("all", &all, &[]).success();
    let lines = "1714521600000000000,5,A\n1714521600000000000,5,B\n".repeat(2);
    let doubled = format!("time,price,symbol\n{lines}");
    let doubled = fixture.write("two.csv", doubled.as_bytes());
    fixture.replay("two", &[&doubled], &[]).success();
    fixture.replay("two", &[&doubled], &["--restart"]).success();
    wait_settled(&fixture.client, 18 + 3 + 4, 24 + 4 + 4);
    assert_eq!(counted_trades(&fixture.client, "all", "XAU"), 3);
    let counts = ["A", "B"].map(|symbol| counted_trades(&fixture.client, "two", symbol));
    assert_eq!(counts, [2, 2]);
    let output = fixture.stop_and_verify(25);
    assert_eq!(table_number(&output, "conflicts"), 0, "{output}");
}

/// Returns a gzip file of bytes in one block that is not compressed (RFC 1951 and 1952).
fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(bytes);
    let checksum = bytes.iter().fold(u32::MAX, |checksum, byte| {
        (0..8).fold(checksum ^ u32::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (0xedb8_8320 * (checksum & 1))
        })
    });
    file.extend((!checksum).to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}
