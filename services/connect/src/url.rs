//! Addresses of servers, checked as far as their beginnings go.

use host::Setting;

/// Declares settings that are texts which begin in one of a few ways.
macro_rules! urls {
    ($($(#[doc = $doc:literal])+ $name:ident: $accepts:literal, [$($scheme:literal),+];)+) => {$(
        $(#[doc = $doc])+
        pub(super) struct $name(pub(super) String);

        impl Setting for $name {
            const ACCEPTS: &'static str = $accepts;
            // It may hold a password, which no error may show.
            const SECRET: bool = true;

            fn parse(text: &str) -> Result<Self, String> {
                match [$($scheme),+].iter().any(|scheme| text.starts_with(scheme)) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(String::new()),
                }
            }
        }
    )+};
}

urls! {
    /// A database of PostgreSQL.
    PostgresUrl: "postgres://user@host:port/database", ["postgres://", "postgresql://"];
    /// A Redis: one server, the master that Sentinels name, or a Cluster; with `rediss` by TLS.
    RedisUrl: "redis://host:port, redis+sentinel://host:port,host:port/name or \
               redis+cluster://host:port,host:port",
        ["redis://", "rediss://", "redis+", "rediss+"];
}

/// An address of HTTP, without a user.
pub(super) struct HttpUrl(pub(super) String);

impl Setting for HttpUrl {
    const ACCEPTS: &'static str =
        "http://host:port or https://host:port, user and password being set apart";
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let is_http = text.starts_with("http://") || text.starts_with("https://");
        match is_http && !text.contains('@') {
            true => Ok(Self(text.to_owned())),
            false => Err(String::new()),
        }
    }
}
