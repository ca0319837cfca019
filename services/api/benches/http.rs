//! Requests over one connection, one after the other: the time of each, client included.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use backend::Backend;
use candlewick_api::{ApiParts, ApiState, Hub, router, serve};
use clock::{ManualClock, SystemClock};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eventlog::MemoryLog;
use host::Health;
use ingest::IngestProducer;
use market::{
    Bar, BarRow, Decimal, Instrument, Interval, MINUTE_NS, Position, Side, Symbol, TieOrder, Trade,
    TradeId, Venue,
};
use schemas::TradesBatch;
use store::{
    BarStore, MemoryNewestPriceStore, PartitionProgress, PartitionTransaction, SqliteBarStore,
    SqliteTickStore, StoredBar,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 4;
const START_NS: i64 = 1_700_000_040_000_000_000;
const MINUTES: i64 = 10_000;
const RING_BYTES: usize = 4 * 1024 * 1024;

fn trade(index: i64) -> Trade {
    Trade {
        time_ns: START_NS + index * MINUTE_NS,
        price: Decimal::new(6_543_210 + index % 1_000, 2).expect("a price"),
        quantity: Some(Decimal::new(12_345 + index % 977, 5).expect("a quantity")),
        side: Some(Side::Buy),
        id: Some(TradeId::Number(index.unsigned_abs())),
        scope: None,
        sender: None,
    }
}

/// The bar of one minute, of a hundred trades.
fn bar(instrument: &Instrument, minute: i64) -> StoredBar {
    let position = Position {
        epoch: 1,
        offset: minute.unsigned_abs(),
    };
    let mut bar = Bar::from_trade(&trade(minute), position, START_NS);
    for place in 1..100 {
        let mut other = trade(minute);
        other.id = Some(TradeId::Number(place));
        bar.merge(&Bar::from_trade(&other, position, START_NS), TieOrder::Log);
    }
    let row = BarRow {
        window: Interval::M1.window_containing(START_NS + minute * MINUTE_NS),
        bar,
        closed: true,
        revision: 0,
        provable: true,
        through: position,
    };
    StoredBar {
        instrument: instrument.clone(),
        row,
    }
}

/// What the API under test runs over.
struct BenchBackend;

impl Backend for BenchBackend {
    type Trades = MemoryLog;
    type Updates = MemoryLog;
    type DeadLetters = MemoryLog;
    type Bars = SqliteBarStore;
    type Ticks = SqliteTickStore;
    type Hot = MemoryNewestPriceStore;
    type Clock = SystemClock;
}

async fn start(folder: &TempDir, instrument: &Instrument) -> SocketAddr {
    let bars = SqliteBarStore::open(folder.path().join("bars"));
    let bars = bars.await.expect("a store");
    bars.load_or_create_partition(0, 1).await.expect("loads");
    let transaction = PartitionTransaction {
        expected: Position {
            epoch: 1,
            offset: 0,
        },
        progress: PartitionProgress {
            partition: 0,
            epoch: 1,
            next_offset: 1,
            updates_position: Position::default(),
            append_time_ns: 0,
        },
        bars: (0..MINUTES).map(|minute| bar(instrument, minute)).collect(),
        symbols: Vec::new(),
        venues: Vec::new(),
        id_sets: Vec::new(),
        excluded_ranges: Vec::new(),
        excluded_amendments: Vec::new(),
        dirty_minutes: Vec::new(),
        pending_amendments: Vec::new(),
    };
    bars.commit(&transaction).await.expect("commits");
    let ticks = SqliteTickStore::open(folder.path().join("ticks"));
    let log = MemoryLog::new(PARTITIONS, 1, RING_BYTES, ManualClock::new(START_NS));
    let stop = CancellationToken::new();
    let state: ApiState<BenchBackend> = ApiState::new(ApiParts {
        log: log.clone(),
        log_id: String::new(),
        bars: bars.clone(),
        ticks: ticks.await.expect("a store"),
        hot: MemoryNewestPriceStore::default(),
        clock: SystemClock,
        producer: Arc::new(IngestProducer::new(log, bars, SystemClock)),
        hub: Hub::new(1, PARTITIONS, candlewick_api::HubLimits::default()),
        health: Health::default(),
        render_metrics: Arc::new(String::new),
        version: "",
        stop: stop.clone(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("listens");
    tokio::spawn(serve(listener, router(state), stop));
    address
}

/// A connection that sends one request after the other.
struct Client {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream: BufReader::new(stream),
            body: Vec::new(),
        }
    }

    fn send(&mut self, request: &[u8]) -> usize {
        self.stream.get_mut().write_all(request).expect("sends");
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("responds");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line.starts_with("HTTP/1.1 ") {
                assert!(line.contains(" 200 "), "{line}");
            }
            if line == "\r\n" {
                break;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).expect("responds");
        length
    }
}

fn post(kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /api/v1/trades HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn line(index: i64) -> String {
    let trade = trade(index);
    format!(
        r#"{{"venue":"v","symbol":"BTCUSDT","id":{index},"time":{},"price":"{}","quantity":"{}","side":"buy"}}"#,
        trade.time_ns,
        trade.price,
        trade.quantity.expect("it has one"),
    )
}

fn benches(criterion: &mut Criterion) {
    let venue: Venue = "v".parse().expect("a venue");
    let symbol: Symbol = "BTCUSDT".parse().expect("a symbol");
    let instrument = Instrument::new(&venue, &symbol);
    let folder = TempDir::new().expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let address = runtime.block_on(start(&folder, &instrument));
    let mut client = Client::new(address);

    let mut group = criterion.benchmark_group("bars");
    let version = "GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n";
    group.bench_function("none (version)", |bencher| {
        bencher.iter(|| client.send(version.as_bytes()));
    });
    for count in [1, 30, 500, 1_000, 10_000] {
        group.throughput(Throughput::Elements(count));
        let path = format!("/api/v1/bars/v/BTCUSDT?limit={count}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        group.bench_function(format!("newest {count}"), |bencher| {
            bencher.iter(|| client.send(request.as_bytes()));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("trades");
    group.throughput(Throughput::Elements(10_000));
    let lines: Vec<_> = (0..10_000).map(line).collect();
    let mut batch = TradesBatch::new(&venue, &[symbol]);
    (0..10_000).for_each(|index| batch.push(0, &trade(index)));
    let requests = [
        (
            "json",
            post(
                "application/json",
                format!("[{}]", lines.join(",")).as_bytes(),
            ),
        ),
        (
            "ndjson",
            post("application/x-ndjson", lines.join("\n").as_bytes()),
        ),
        (
            "compact",
            post(TradesBatch::CONTENT_TYPE, &batch.take_bytes()),
        ),
    ];
    for (name, request) in &requests {
        group.bench_function(*name, |bencher| bencher.iter(|| client.send(request)));
    }
    group.finish();
}

criterion_group!(http, benches);
criterion_main!(http);
