//! The address of Redis, parsed from a URL.
//!
//! | URL | address |
//! |---|---|
//! | `redis://host:port/db` | one server |
//! | `redis+sentinel://host:port,host:port/name/db` | the master of that name, found through its Sentinels |
//! | `redis+cluster://host:port,host:port` | a Cluster, found through some of its nodes |
//!
//! With `rediss` in place of `redis` the connection uses TLS, and certificates are checked against
//! the root certificates of the web and of the system. Ports and the database may be omitted.

use deadpool_redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// The kind of a Redis deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RedisDeploymentKind {
    /// One server.
    Single,
    /// The master that Sentinels report for this name.
    Sentinel(String),
    /// A Redis Cluster.
    Cluster,
}

/// The address of a Redis deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedisAddress {
    pub(super) kind: RedisDeploymentKind,
    pub(super) uses_tls: bool,
    /// Hosts and ports: of the server, the Sentinels, or some nodes of the Cluster.
    pub(super) nodes: Vec<(String, u16)>,
    /// The number of the database.
    pub(super) database: i64,
}

impl RedisAddress {
    /// Parses a URL. An error does not quote the URL, which may contain a password.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("its URL has no scheme")?;
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let uses_tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err("its URL starts with neither redis:// nor rediss://"),
        };
        if rest.contains(['@', '?', '#']) {
            return Err(
                "its URL has more than hosts; give the user and the password file separately",
            );
        }
        let mut parts = rest.trim_end_matches('/').split('/');
        let hosts = parts.next().unwrap_or_default();
        let default_port = if kind == "sentinel" { 26_379 } else { 6_379 };
        let nodes = hosts.split(',').map(|host| parse_node(host, default_port));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let kind = match kind {
            "" if nodes.len() == 1 => RedisDeploymentKind::Single,
            "" => return Err("its URL names several hosts for one server"),
            "sentinel" => {
                let name = parts.next().filter(|name| !name.is_empty());
                RedisDeploymentKind::Sentinel(name.ok_or("its URL names no master")?.to_owned())
            }
            "cluster" => RedisDeploymentKind::Cluster,
            _ => return Err("its URL starts with neither redis+sentinel:// nor redis+cluster://"),
        };
        let database = match parts.next() {
            None => 0,
            Some(_) if kind == RedisDeploymentKind::Cluster => {
                return Err("a Cluster has no databases");
            }
            Some(text) => text
                .parse::<u16>()
                .map_err(|_| "its URL does not end in the number of a database")?
                .into(),
        };
        if parts.next().is_some() {
            return Err("its URL has more parts after the database");
        }
        Ok(Self {
            kind,
            uses_tls,
            nodes,
            database,
        })
    }

    /// Returns how to connect to each of the nodes.
    pub(super) fn connection_infos(
        &self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Vec<ConnectionInfo> {
        let connection = |(host, port): &(String, u16)| ConnectionInfo {
            addr: if self.uses_tls {
                ConnectionAddr::TcpTls {
                    host: host.clone(),
                    port: *port,
                    insecure: false,
                }
            } else {
                ConnectionAddr::Tcp(host.clone(), *port)
            },
            redis: RedisConnectionInfo {
                // A Sentinel has no databases.
                db: if self.kind == RedisDeploymentKind::Single {
                    self.database
                } else {
                    0
                },
                ..with_credentials(user, password)
            },
        };
        self.nodes.iter().map(connection).collect()
    }
}

/// Returns the settings of a connection to database 0 with a user and a password.
pub(super) fn with_credentials(user: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    RedisConnectionInfo {
        db: 0,
        username: user.map(str::to_owned),
        password: password.map(str::to_owned),
        protocol: ProtocolVersion::RESP2,
    }
}

/// Parses a host and an optional port. An IPv6 address is in brackets.
fn parse_node(text: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port
                .parse()
                .map_err(|_| "its URL has a port that is not a number")?;
            (host, port)
        }
        _ => (text, default_port),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if host.is_empty() {
        return Err("its URL names no host");
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::{RedisAddress, RedisDeploymentKind};

    fn address(
        kind: RedisDeploymentKind,
        uses_tls: bool,
        nodes: &[(&str, u16)],
        database: i64,
    ) -> RedisAddress {
        let node = |(host, port): &(&str, u16)| ((*host).to_owned(), *port);
        RedisAddress {
            kind,
            uses_tls,
            nodes: nodes.iter().map(node).collect(),
            database,
        }
    }

    #[test]
    fn urls_of_every_kind_are_parsed() {
        let sentinel = || RedisDeploymentKind::Sentinel("main".to_owned());
        for (url, expected) in [
            (
                "redis://a",
                address(RedisDeploymentKind::Single, false, &[("a", 6_379)], 0),
            ),
            (
                "rediss://a:7/3",
                address(RedisDeploymentKind::Single, true, &[("a", 7)], 3),
            ),
            (
                "redis://[::1]:7/",
                address(RedisDeploymentKind::Single, false, &[("::1", 7)], 0),
            ),
            (
                "redis://[::1]",
                address(RedisDeploymentKind::Single, false, &[("::1", 6_379)], 0),
            ),
            (
                "redis+sentinel://a:1,b/main/2",
                address(sentinel(), false, &[("a", 1), ("b", 26_379)], 2),
            ),
            (
                "rediss+sentinel://a/main",
                address(sentinel(), true, &[("a", 26_379)], 0),
            ),
            (
                "redis+cluster://a,b:1",
                address(
                    RedisDeploymentKind::Cluster,
                    false,
                    &[("a", 6_379), ("b", 1)],
                    0,
                ),
            ),
        ] {
            assert_eq!(RedisAddress::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_and_not_quoted() {
        for url in [
            "",
            "host:6379",
            "http://swordfish",
            "redis://",
            "redis://:6379",
            "redis://:swordfish@a",
            "redis://a,b",
            "redis://a:swordfish",
            "redis://a/swordfish",
            "redis://a/0/swordfish",
            "redis+sentinel://a",
            "redis+sentinel://a//0",
            "redis+cluster://a/0",
            "redis+swordfish://a",
        ] {
            let reason = RedisAddress::parse(url).unwrap_err();
            assert!(!reason.contains("swordfish"), "{url}: {reason}");
        }
    }
}
