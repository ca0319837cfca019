//! Connections to any kind of Redis.

use std::time::Duration;

use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, RedisError, Script};
use deadpool_redis::sentinel::{SentinelNodeConnectionInfo, SentinelServerType, TlsMode};
use deadpool_redis::{PoolConfig, Runtime, Timeouts, cluster, sentinel};
use futures_util::{StreamExt, future, stream};

use super::address::{Address, Kind, credentials};

/// How many connections there are at most: a pipeline in flight, and readers.
const CONNECTIONS: usize = 8;

/// How many commands are under way at once where each goes to a node of its own.
const UNDER_WAY: usize = 64;

/// Connections, made when they are needed.
#[derive(Clone)]
pub(super) enum Pool {
    Single(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

/// Names and passwords.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
}

impl Pool {
    /// Connects to nothing yet.
    pub(super) fn new(
        address: &Address,
        credentials_of: &Credentials,
        timeout: Duration,
    ) -> Result<Self, String> {
        let user = credentials_of.user.as_deref();
        let password = credentials_of.password.as_deref();
        let config = PoolConfig {
            max_size: CONNECTIONS,
            timeouts: Timeouts {
                wait: Some(timeout),
                create: Some(timeout),
                recycle: Some(timeout),
            },
            ..PoolConfig::default()
        };
        macro_rules! pool {
            ($kind:ident, $builder:path, $manager:expr) => {
                $builder($manager.map_err(|error: RedisError| error.to_string())?)
                    .config(config)
                    .runtime(Runtime::Tokio1)
                    .build()
                    .map(Self::$kind)
                    .map_err(|error| error.to_string())
            };
        }
        match &address.kind {
            Kind::Single => {
                let mut nodes = address.connections(user, password);
                let node = nodes.pop().ok_or("no host")?;
                let manager = deadpool_redis::Manager::new(node);
                pool!(Single, deadpool_redis::Pool::builder, manager)
            }
            Kind::Sentinel(name) => {
                let node = SentinelNodeConnectionInfo {
                    tls_mode: address.tls.then_some(TlsMode::Secure),
                    redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                        db: address.database,
                        ..credentials(user, password)
                    }),
                };
                let sentinels =
                    address.connections(None, credentials_of.sentinel_password.as_deref());
                let master = SentinelServerType::Master;
                let manager = sentinel::Manager::new(sentinels, name.clone(), Some(node), master);
                pool!(Sentinel, sentinel::Pool::builder, manager)
            }
            Kind::Cluster => {
                let nodes = address.connections(user, password);
                let manager = cluster::Manager::new(nodes, false);
                pool!(Cluster, cluster::Pool::builder, manager)
            }
        }
    }

    /// Asks something of the node that holds a key.
    ///
    /// A connection that an answer failed on is given up: it may be to a master of before.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, String> {
        macro_rules! ask {
            ($pool:expr, $connection:path) => {{
                let mut connection = $pool.get().await.map_err(|error| error.to_string())?;
                let answer = command.query_async(&mut connection).await;
                if answer.is_err() {
                    drop($connection(connection));
                }
                answer.map_err(|error: RedisError| error.to_string())
            }};
        }
        match self {
            Self::Single(pool) => ask!(pool, deadpool_redis::Connection::take),
            Self::Sentinel(pool) => ask!(pool, sentinel::Connection::take),
            Self::Cluster(pool) => ask!(pool, cluster::Connection::take),
        }
    }

    /// Runs a script for each key, with the arguments that it has. Answers how many failed, and
    /// why the first did.
    pub(super) async fn run(&self, script: &str, calls: Vec<Call>) -> (usize, Option<String>) {
        macro_rules! run {
            ($pool:expr, $connection:path) => {{
                let mut connection = match $pool.get().await {
                    Ok(connection) => connection,
                    Err(error) => return (calls.len(), Some(error.to_string())),
                };
                let ran: Result<(), RedisError> =
                    pipeline(script, &calls).query_async(&mut connection).await;
                match ran {
                    Ok(()) => (0, None),
                    Err(error) => {
                        drop($connection(connection));
                        (calls.len(), Some(error.to_string()))
                    }
                }
            }};
        }
        match self {
            Self::Single(pool) => run!(pool, deadpool_redis::Connection::take),
            Self::Sentinel(pool) => run!(pool, sentinel::Connection::take),
            Self::Cluster(pool) => match pool.get().await {
                Ok(connection) => one_by_one(connection, script, calls).await,
                Err(error) => (calls.len(), Some(error.to_string())),
            },
        }
    }
}

/// One call of a script.
pub(super) struct Call {
    pub(super) key: String,
    pub(super) argument: String,
}

/// All calls at once. The script goes with them: the server may have forgotten it.
fn pipeline(code: &str, calls: &[Call]) -> Pipeline {
    let script = Script::new(code);
    let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
    pipeline.cmd("SCRIPT").arg("LOAD").arg(code).ignore();
    for call in calls {
        pipeline
            .cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(1)
            .arg(&call.key)
            .arg(&call.argument)
            .ignore();
    }
    pipeline
}

/// Some calls at a time, each to the node that holds its key: a pipeline would have to be for
/// one. A node that is away costs its own keys alone.
async fn one_by_one(
    connection: cluster::Connection,
    code: &str,
    calls: Vec<Call>,
) -> (usize, Option<String>) {
    let script = &Script::new(code);
    let shared = ClusterConnection::clone(&connection);
    let count = calls.len();
    let answers = stream::iter(calls).map(move |call| {
        let mut connection = shared.clone();
        async move {
            let mut invocation = script.prepare_invoke();
            invocation.key(&call.key).arg(&call.argument);
            let ran: Result<(), RedisError> = invocation.invoke_async(&mut connection).await;
            ran.err()
        }
    });
    let failures = answers
        .buffer_unordered(UNDER_WAY)
        .filter_map(future::ready);
    let failures: Vec<RedisError> = failures.collect().await;
    if failures.len() == count {
        drop(cluster::Connection::take(connection));
    }
    (failures.len(), failures.first().map(ToString::to_string))
}
