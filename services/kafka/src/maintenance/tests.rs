//! Tests with a broker that names no broker in its metadata. A real broker does that too briefly
//! for a test, so this file answers the two requests that a client sends first.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;

use super::*;
use crate::callbacks::ReaderCallbacks;
use crate::native::ReaderClient;

const TOPIC: &str = "trades";
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;

/// The only broker of a cluster.
struct SingleBroker {
    address: String,
    /// Whether the controller has removed the broker, so that it names no broker and no leader.
    is_fenced: Arc<AtomicBool>,
}

impl SingleBroker {
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

    fn set_fenced(&self, is_fenced: bool) {
        self.is_fenced.store(is_fenced, Ordering::SeqCst);
    }
}

/// Answers the requests of one connection until the client closes it.
fn serve(mut stream: TcpStream, port: u16, is_fenced: &AtomicBool) -> io::Result<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        stream.read_exact(&mut request)?;
        let read_i16 = |start: usize| i16::from_be_bytes([request[start], request[start + 1]]);
        // A response begins with the correlation id of the request.
        let mut response = request[4..8].to_vec();
        match (read_i16(0), read_i16(2)) {
            (API_VERSIONS, 0) => {
                response.extend(0_i16.to_be_bytes());
                response.extend(2_i32.to_be_bytes());
                for (key, greatest) in [(METADATA, 1_i16), (API_VERSIONS, 0)] {
                    response.extend([key, 0, greatest].map(i16::to_be_bytes).concat());
                }
            }
            (API_VERSIONS, _) => {
                response.extend(UNSUPPORTED_VERSION.to_be_bytes());
                response.extend(0_i32.to_be_bytes());
            }
            (METADATA, 1) => write_metadata(&mut response, port, is_fenced.load(Ordering::SeqCst)),
            (key, version) => panic!("request {key} in version {version} was not advertised"),
        }
        let size = i32::try_from(response.len()).unwrap();
        stream.write_all(&[&size.to_be_bytes(), &*response].concat())?;
    }
}

/// Writes the response to
/// [Metadata, version 1](https://kafka.apache.org/protocol#The_Messages_Metadata).
fn write_metadata(response: &mut Vec<u8>, port: u16, is_fenced: bool) {
    let string = |text: &str| {
        let size = i16::try_from(text.len()).unwrap();
        [&size.to_be_bytes(), text.as_bytes()].concat()
    };
    let broker = 1_i32;
    response.extend(i32::from(!is_fenced).to_be_bytes());
    if !is_fenced {
        response.extend(broker.to_be_bytes());
        response.extend(string("127.0.0.1"));
        response.extend(i32::from(port).to_be_bytes());
        // No rack.
        response.extend((-1_i16).to_be_bytes());
    }
    // The controller, and one topic.
    response.extend(broker.to_be_bytes());
    response.extend(1_i32.to_be_bytes());
    response.extend(0_i16.to_be_bytes());
    response.extend(string(TOPIC));
    // The topic is not internal and has one partition, with its leader, its replica and no replica
    // in sync.
    response.push(0);
    response.extend(1_i32.to_be_bytes());
    response.extend(0_i16.to_be_bytes());
    let leader = if is_fenced { -1 } else { broker };
    response.extend([0, leader, 1, broker, 0].map(i32::to_be_bytes).concat());
}

fn config(broker: &SingleBroker) -> KafkaConfig {
    KafkaConfig {
        brokers: broker.address.clone(),
        statistics_interval: Duration::from_secs(1),
        ..KafkaConfig::default()
    }
}

fn create_reader(client: &ClientConfig) -> ReaderClient {
    let callbacks = ReaderCallbacks::new(TOPIC);
    Arc::new(BaseConsumer::from_config_and_context(client, callbacks).unwrap())
}

/// Requests the metadata, and returns how many brokers it names.
fn count_named_brokers(client: &ReaderClient, timeout_ms: u64) -> KafkaResult<usize> {
    let timeout = Duration::from_millis(timeout_ms);
    let metadata = client.fetch_metadata(Some(TOPIC), timeout)?;
    Ok(metadata.brokers().len())
}

/// Polls and maintains the client, and returns whether the metadata names a broker within 100
/// polls.
fn recovers(client: &ReaderClient, config: &KafkaConfig) -> bool {
    (0..100).any(|_| {
        // Polling delivers the statistics. There are no records.
        let event = client.poll(Duration::from_millis(100));
        assert!(event.is_none_or(|event| event.is_err()));
        repair_client_connection(
            config,
            TOPIC,
            client,
            client.context().last_connection_error(),
        );
        count_named_brokers(client, 500) == Ok(1)
    })
}

#[test]
fn a_client_that_knows_no_broker_gets_the_configured_ones() {
    let broker = SingleBroker::start();
    let config = config(&broker);
    let mut without_brokers = config.reader_client_config(1).unwrap();
    without_brokers.remove("bootstrap.servers");
    let client = create_reader(&without_brokers);
    assert!(count_named_brokers(&client, 1_000).is_err());
    assert!(recovers(&client, &config));
    assert!(
        !client
            .context()
            .last_connection_error()
            .read_and_reset_no_broker_flag()
    );
}

/// Which of librdkafka's threads is faster decides whether the client recovers without maintenance:
/// it mostly does on a busy machine, and never on an idle one.
#[test]
fn a_client_recovers_after_metadata_without_brokers() {
    let broker = SingleBroker::start();
    let config = config(&broker);
    let client = create_reader(&config.reader_client_config(1).unwrap());
    assert_eq!(count_named_brokers(&client, 10_000), Ok(1));
    for _ in 0..3 {
        broker.set_fenced(true);
        assert_ne!(count_named_brokers(&client, 10_000), Ok(1));
        broker.set_fenced(false);
        assert!(recovers(&client, &config));
    }
}
