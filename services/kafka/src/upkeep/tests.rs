//! A broker that names nobody, which a real one does for too short a moment to be met at will:
//! the two requests of Kafka's protocol that a client asks first are answered here.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;

use super::{Complaints, KafkaConfig, keep};
use crate::client::ReaderContext;
use crate::native::Consumer;

const TOPIC: &str = "trades";
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

/// A lone broker.
struct LoneBroker {
    address: String,
    /// Whether the controller has put it out, so that it names no broker and no leader.
    is_fenced: Arc<AtomicBool>,
}

impl LoneBroker {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_fenced = Arc::new(AtomicBool::new(false));
        let state = is_fenced.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), state.clone());
                std::thread::spawn(move || serve(stream, port, &state));
            }
        });
        Self {
            address: format!("127.0.0.1:{port}"),
            is_fenced,
        }
    }

    fn fence(&self, is_fenced: bool) {
        self.is_fenced.store(is_fenced, Ordering::SeqCst);
    }
}

/// Answers until the client goes.
fn serve(mut stream: TcpStream, port: u16, is_fenced: &AtomicBool) -> io::Result<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        stream.read_exact(&mut request)?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        // The correlation id comes back first.
        let mut answer = request[4..8].to_vec();
        match (number(0), number(2)) {
            (API_VERSIONS, 0) => {
                answer.extend(0_i16.to_be_bytes());
                answer.extend(2_i32.to_be_bytes());
                for (key, greatest) in [(METADATA, 1_i16), (API_VERSIONS, 0)] {
                    answer.extend([key, 0, greatest].map(i16::to_be_bytes).concat());
                }
            }
            (API_VERSIONS, _) => {
                answer.extend(UNSUPPORTED_VERSION.to_be_bytes());
                answer.extend(0_i32.to_be_bytes());
            }
            (METADATA, 1) => metadata(&mut answer, port, is_fenced.load(Ordering::SeqCst)),
            (key, version) => panic!("request {key} in version {version} was not offered"),
        }
        let size = i32::try_from(answer.len()).unwrap();
        stream.write_all(&[&size.to_be_bytes(), &*answer].concat())?;
    }
}

/// [The answer to Metadata, version 1](https://kafka.apache.org/protocol#The_Messages_Metadata).
fn metadata(answer: &mut Vec<u8>, port: u16, is_fenced: bool) {
    let text = |text: &str| {
        let size = i16::try_from(text.len()).unwrap();
        [&size.to_be_bytes(), text.as_bytes()].concat()
    };
    let broker = 1_i32;
    answer.extend(i32::from(!is_fenced).to_be_bytes());
    if !is_fenced {
        answer.extend(broker.to_be_bytes());
        answer.extend(text("127.0.0.1"));
        answer.extend(i32::from(port).to_be_bytes());
        // No rack.
        answer.extend((-1_i16).to_be_bytes());
    }
    // The controller, and one topic.
    answer.extend(broker.to_be_bytes());
    answer.extend(1_i32.to_be_bytes());
    answer.extend(0_i16.to_be_bytes());
    answer.extend(text(TOPIC));
    // Not internal, and one partition, with its leader, its replica and none in sync.
    answer.push(0);
    answer.extend(1_i32.to_be_bytes());
    answer.extend(0_i16.to_be_bytes());
    let leader = if is_fenced { -1 } else { broker };
    answer.extend([0, leader, 1, broker, 0].map(i32::to_be_bytes).concat());
}

fn config(broker: &LoneBroker) -> KafkaConfig {
    KafkaConfig {
        brokers: broker.address.clone(),
        statistics_interval: Duration::from_secs(1),
        ..KafkaConfig::default()
    }
}

fn reader(client: &ClientConfig) -> Consumer {
    let context = ReaderContext {
        topic: TOPIC.to_owned(),
        complaints: Complaints::default(),
    };
    Arc::new(BaseConsumer::from_config_and_context(client, context).unwrap())
}

/// How many brokers are named to the client.
fn named(client: &Consumer, patience_ms: u64) -> KafkaResult<usize> {
    let patience = Duration::from_millis(patience_ms);
    let metadata = client.fetch_metadata(Some(TOPIC), patience)?;
    Ok(metadata.brokers().len())
}

/// Polls and looks after the client until a broker is named to it.
fn comes_back(client: &Consumer, config: &KafkaConfig) -> bool {
    (0..100).any(|_| {
        // Its figures come while it is polled; there are no records.
        let event = client.poll(Duration::from_millis(100));
        assert!(event.is_none_or(|event| event.is_err()));
        keep(config, TOPIC, client, &client.context().complaints);
        named(client, 500) == Ok(1)
    })
}

#[test]
fn a_client_that_knows_no_broker_is_given_those_of_the_configuration() {
    let broker = LoneBroker::start();
    let config = config(&broker);
    let mut without = config.reader(1).unwrap();
    without.remove("bootstrap.servers");
    let client = reader(&without);
    assert!(named(&client, 1_000).is_err());
    assert!(comes_back(&client, &config));
    assert!(!client.context().complaints.take_stranded());
}

/// Which of librdkafka's threads is faster decides whether it comes back by itself: it mostly does
/// where the machine is busy, and never where it is not.
#[test]
fn a_client_that_was_told_of_no_broker_comes_back() {
    let broker = LoneBroker::start();
    let config = config(&broker);
    let client = reader(&config.reader(1).unwrap());
    assert_eq!(named(&client, 10_000), Ok(1));
    for _ in 0..3 {
        broker.fence(true);
        assert_ne!(named(&client, 10_000), Ok(1));
        broker.fence(false);
        assert!(comes_back(&client, &config));
    }
}
