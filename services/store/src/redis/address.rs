//! Where Redis is, as a URL says it.
//!
//! | URL | what |
//! |---|---|
//! | `redis://host:port/db` | one server |
//! | `redis+sentinel://host:port,host:port/name/db` | the master of that name, by its Sentinels |
//! | `redis+cluster://host:port,host:port` | a Cluster, by some of its nodes |
//!
//! With `rediss` in place of `redis` it is TLS, of which a certificate is checked against the
//! roots of the web and those of the system. Ports and database may be left out.

use deadpool_redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// What kind of Redis it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    /// With the name of the master.
    Sentinel(String),
    Cluster,
}

/// Where Redis is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    pub(super) nodes: Vec<(String, u16)>,
    pub(super) database: i64,
}

impl Address {
    /// Reads a URL; otherwise says what is wrong with it, without repeating it: it may hold a
    /// password.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("its URL has no scheme")?;
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err("its URL starts with none of redis:// and rediss://"),
        };
        if rest.contains(['@', '?', '#']) {
            return Err("its URL has more than hosts; give user and password file apart");
        }
        let mut parts = rest.trim_end_matches('/').split('/');
        let hosts = parts.next().unwrap_or_default();
        let default_port = if kind == "sentinel" { 26_379 } else { 6_379 };
        let nodes = hosts.split(',').map(|host| node(host, default_port));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let kind = match kind {
            "" if nodes.len() == 1 => Kind::Single,
            "" => return Err("its URL names several hosts of one server"),
            "sentinel" => {
                let name = parts.next().filter(|name| !name.is_empty());
                Kind::Sentinel(name.ok_or("its URL names no master")?.to_owned())
            }
            "cluster" => Kind::Cluster,
            _ => return Err("its URL is of neither redis+sentinel:// nor redis+cluster://"),
        };
        let database = match parts.next() {
            None => 0,
            Some(_) if kind == Kind::Cluster => return Err("a Cluster has no databases"),
            Some(text) => text
                .parse::<u16>()
                .map_err(|_| "its URL ends in no number of a database")?
                .into(),
        };
        if parts.next().is_some() {
            return Err("its URL has more parts than a database");
        }
        Ok(Self {
            kind,
            tls,
            nodes,
            database,
        })
    }

    /// How each of the nodes is reached.
    pub(super) fn connections(
        &self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Vec<ConnectionInfo> {
        let connection = |(host, port): &(String, u16)| ConnectionInfo {
            addr: if self.tls {
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
                db: if self.kind == Kind::Single {
                    self.database
                } else {
                    0
                },
                ..credentials(user, password)
            },
        };
        self.nodes.iter().map(connection).collect()
    }
}

/// What is said after connecting; of database 0.
pub(super) fn credentials(user: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    RedisConnectionInfo {
        db: 0,
        username: user.map(str::to_owned),
        password: password.map(str::to_owned),
        protocol: ProtocolVersion::RESP2,
    }
}

/// A host and a port; an IPv6 address is in brackets.
fn node(text: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port
                .parse()
                .map_err(|_| "its URL has a port that is no number")?;
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
    use super::{Address, Kind};

    fn address(kind: Kind, tls: bool, nodes: &[(&str, u16)], database: i64) -> Address {
        let node = |(host, port): &(&str, u16)| ((*host).to_owned(), *port);
        Address {
            kind,
            tls,
            nodes: nodes.iter().map(node).collect(),
            database,
        }
    }

    #[test]
    fn urls_of_every_kind_are_read() {
        let sentinel = || Kind::Sentinel("main".to_owned());
        for (url, expected) in [
            (
                "redis://a",
                address(Kind::Single, false, &[("a", 6_379)], 0),
            ),
            (
                "rediss://a:7/3",
                address(Kind::Single, true, &[("a", 7)], 3),
            ),
            (
                "redis://[::1]:7/",
                address(Kind::Single, false, &[("::1", 7)], 0),
            ),
            (
                "redis://[::1]",
                address(Kind::Single, false, &[("::1", 6_379)], 0),
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
                address(Kind::Cluster, false, &[("a", 6_379), ("b", 1)], 0),
            ),
        ] {
            assert_eq!(Address::parse(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
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
            let reason = Address::parse(url).unwrap_err();
            assert!(!reason.contains("swordfish"), "{url}: {reason}");
        }
    }
}
