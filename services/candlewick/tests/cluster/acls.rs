//! ACLs on the broker that has an authorizer. librdkafka's requests for them are not wrapped by
//! rdkafka, so they are written to the broker byte by byte.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

/// The broker that has an authorizer, and the password of its users.
pub(crate) struct SecureBroker {
    /// The listener for passwords without TLS.
    pub(crate) address: String,
    pub(crate) password_file: PathBuf,
}

/// What an ACL is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AclResource<'a> {
    Topic(&'a str),
    Group(&'a str),
}

/// An operation, with its number in the protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AclOperation {
    Read = 3,
    Write = 4,
    DescribeConfigs = 10,
}

// Keys of requests, which are sent in versions that all brokers from 2.0 to 4 know.
const SASL_HANDSHAKE: i16 = 17;
const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
const SASL_AUTHENTICATE: i16 = 36;
/// A pattern that is a whole name.
const LITERAL: u8 = 3;
const ALLOW: u8 = 3;

impl SecureBroker {
    /// Reads the environment. Panics if it names no broker: a test that did nothing would pass.
    pub(crate) fn from_environment() -> Self {
        let Ok(address) = std::env::var("CANDLEWICK_KAFKA_SECURE") else {
            panic!(
                "this test needs a Kafka with an authorizer: set CANDLEWICK_KAFKA_SECURE to what \
                 `scripts/stack/kafka.sh secure start` prints"
            );
        };
        let find = |name: &str| {
            let mut pairs = address.split(',').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(found, _)| *found == name)
                .unwrap()
                .1
                .to_owned()
        };
        Self {
            address: find("sasl_plaintext"),
            password_file: PathBuf::from(find("secrets")).join("password"),
        }
    }

    /// Allows a user operations on a resource. All others lose theirs, unless they have ACLs too.
    pub(crate) fn allow(&self, user: &str, resource: AclResource<'_>, operations: &[AclOperation]) {
        self.change(CREATE_ACLS, user, resource, operations);
    }

    /// Takes back what [`SecureBroker::allow`] has allowed.
    pub(crate) fn revoke(
        &self,
        user: &str,
        resource: AclResource<'_>,
        operations: &[AclOperation],
    ) {
        self.change(DELETE_ACLS, user, resource, operations);
    }

    fn change(
        &self,
        request: i16,
        user: &str,
        resource: AclResource<'_>,
        operations: &[AclOperation],
    ) {
        let mut stream = self.log_in();
        let (kind, name) = match resource {
            AclResource::Topic(name) => (2, name),
            AclResource::Group(name) => (3, name),
        };
        let mut body = i32::try_from(operations.len())
            .unwrap()
            .to_be_bytes()
            .to_vec();
        for operation in operations {
            body.push(kind);
            push_string(&mut body, name);
            body.push(LITERAL);
            push_string(&mut body, &format!("User:{user}"));
            push_string(&mut body, "*");
            body.extend([*operation as u8, ALLOW]);
        }
        let response = send(&mut stream, request, 1, &body);
        // After the correlation id, the throttle time and the number of results.
        assert_eq!(response[12..14], [0, 0], "{response:?}");
    }

    fn log_in(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut mechanism = Vec::new();
        push_string(&mut mechanism, "PLAIN");
        let response = send(&mut stream, SASL_HANDSHAKE, 1, &mechanism);
        assert_eq!(response[4..6], [0, 0], "{response:?}");
        let password = std::fs::read_to_string(&self.password_file).unwrap();
        let login = format!("\0candlewick\0{}", password.trim_end());
        let mut body = i32::try_from(login.len()).unwrap().to_be_bytes().to_vec();
        body.extend(login.as_bytes());
        let response = send(&mut stream, SASL_AUTHENTICATE, 0, &body);
        assert_eq!(response[4..6], [0, 0], "{response:?}");
        stream
    }
}

fn push_string(buffer: &mut Vec<u8>, text: &str) {
    buffer.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    buffer.extend(text.as_bytes());
}

/// Sends a request and returns the response, which begins with the correlation id.
fn send(stream: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    push_string(&mut request, "test");
    request.extend(body);
    let size = i32::try_from(request.len()).unwrap();
    stream.write_all(&size.to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut response = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut response).unwrap();
    response
}
