//! A pool of connections to Redis of any kind.

use std::time::Duration;

use deadpool_redis::redis::cluster_async::ClusterConnection;
use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, RedisError, Script};
use deadpool_redis::sentinel::{SentinelNodeConnectionInfo, SentinelServerType, TlsMode};
use deadpool_redis::{PoolConfig, Runtime, Timeouts, cluster, sentinel};
use futures_util::{StreamExt, future, stream};

use super::address::{RedisAddress, RedisDeploymentKind, with_credentials};

/// The greatest number of connections: one for the writer, the others for readers.
const MAX_CONNECTIONS: usize = 8;

/// How many calls to a Cluster run at a time.
const MAX_CONCURRENT_CALLS: usize = 64;

/// Connections, opened when they are needed.
#[derive(Clone)]
pub(super) enum RedisPool {
    Single(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

/// The user and the passwords.
#[derive(Default)]
pub(super) struct RedisCredentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
}

impl RedisPool {
    /// Returns a pool without connections.
    pub(super) fn new(
        address: &RedisAddress,
        credentials: &RedisCredentials,
        timeout: Duration,
    ) -> Result<Self, String> {
        let user = credentials.user.as_deref();
        let password = credentials.password.as_deref();
        let config = PoolConfig {
            max_size: MAX_CONNECTIONS,
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
            RedisDeploymentKind::Single => {
                let mut nodes = address.connection_infos(user, password);
                let node = nodes.pop().ok_or("no host")?;
                let manager = deadpool_redis::Manager::new(node);
                pool!(Single, deadpool_redis::Pool::builder, manager)
            }
            RedisDeploymentKind::Sentinel(name) => {
                let node = SentinelNodeConnectionInfo {
                    tls_mode: address.uses_tls.then_some(TlsMode::Secure),
                    redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                        db: address.database,
                        ..with_credentials(user, password)
                    }),
                };
                let sentinels =
                    address.connection_infos(None, credentials.sentinel_password.as_deref());
                let master = SentinelServerType::Master;
                let manager = sentinel::Manager::new(sentinels, name.clone(), Some(node), master);
                pool!(Sentinel, sentinel::Pool::builder, manager)
            }
            RedisDeploymentKind::Cluster => {
                let nodes = address.connection_infos(user, password);
                let manager = cluster::Manager::new(nodes, false);
                pool!(Cluster, cluster::Pool::builder, manager)
            }
        }
    }

    /// Runs a command on the node that holds its key.
    ///
    /// A connection on which a command failed is closed: it may lead to a former master.
    pub(super) async fn run_command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, String> {
        macro_rules! run_command {
            ($pool:expr, $connection:path) => {{
                let mut connection = $pool.get().await.map_err(|error| error.to_string())?;
                let response = command.query_async(&mut connection).await;
                if response.is_err() {
                    drop($connection(connection));
                }
                response.map_err(|error: RedisError| error.to_string())
            }};
        }
        match self {
            Self::Single(pool) => run_command!(pool, deadpool_redis::Connection::take),
            Self::Sentinel(pool) => run_command!(pool, sentinel::Connection::take),
            Self::Cluster(pool) => run_command!(pool, cluster::Connection::take),
        }
    }

    /// Runs a script once for each call. Returns how many calls failed, and one of them.
    pub(super) async fn run_script_and_count_failures(
        &self,
        script: &str,
        calls: Vec<ScriptCall>,
    ) -> (usize, Option<FailedWrite>) {
        let first_key = calls.first().map(|call| call.key.clone());
        let all_failed = (calls.len(), first_key.map(|key| FailedWrite { key }));
        macro_rules! run {
            ($pool:expr, $connection:path) => {{
                let Ok(mut connection) = $pool.get().await else {
                    return all_failed;
                };
                let ran: Result<(), RedisError> = script_pipeline(script, &calls)
                    .query_async(&mut connection)
                    .await;
                match ran {
                    Ok(()) => (0, None),
                    Err(_) => {
                        drop($connection(connection));
                        all_failed
                    }
                }
            }};
        }
        match self {
            Self::Single(pool) => run!(pool, deadpool_redis::Connection::take),
            Self::Sentinel(pool) => run!(pool, sentinel::Connection::take),
            Self::Cluster(pool) => match pool.get().await {
                Ok(connection) => {
                    run_script_concurrently_and_count_failures(connection, script, calls).await
                }
                Err(_) => all_failed,
            },
        }
    }
}

/// A write that failed.
#[derive(Debug, Clone)]
pub(super) struct FailedWrite {
    /// The key that was not written.
    pub(super) key: String,
}

/// The key and the argument of one call of a script.
pub(super) struct ScriptCall {
    pub(super) key: String,
    pub(super) argument: String,
}

/// Returns a pipeline of all calls. It also loads the script, which the server may have lost.
fn script_pipeline(code: &str, calls: &[ScriptCall]) -> Pipeline {
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

/// Runs some calls at a time, each on the node that holds its key, because a pipeline can only be
/// for one node. If a node is unavailable, only the calls for its keys fail.
async fn run_script_concurrently_and_count_failures(
    connection: cluster::Connection,
    code: &str,
    calls: Vec<ScriptCall>,
) -> (usize, Option<FailedWrite>) {
    let script = &Script::new(code);
    let shared = ClusterConnection::clone(&connection);
    let count = calls.len();
    let results = stream::iter(calls).map(move |call| {
        let mut connection = shared.clone();
        async move {
            let mut invocation = script.prepare_invoke();
            invocation.key(&call.key).arg(&call.argument);
            let ran: Result<(), RedisError> = invocation.invoke_async(&mut connection).await;
            ran.is_err().then_some(FailedWrite { key: call.key })
        }
    });
    let failures = results
        .buffer_unordered(MAX_CONCURRENT_CALLS)
        .filter_map(future::ready);
    let mut failures: Vec<FailedWrite> = failures.collect().await;
    if failures.len() == count {
        drop(cluster::Connection::take(connection));
    }
    (failures.len(), failures.pop())
}
