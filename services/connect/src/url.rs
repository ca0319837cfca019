//! The URLs of servers. Only how they begin is checked.

use host::SettingValue;

/// Declares settings that are texts with one of a few beginnings.
macro_rules! urls {
    ($($(#[doc = $doc:literal])+ $name:ident: $accepts:literal, [$($scheme:literal),+];)+) => {$(
        $(#[doc = $doc])+
        pub(super) struct $name(pub(super) String);

        impl SettingValue for $name {
            const ACCEPTS: &'static str = $accepts;
            // It may hold a password, which no error may show.
            const SECRET: bool = true;

            fn parse(text: &str) -> Result<Self, String> {
                match [$($scheme),+].iter().any(|scheme| text.starts_with(scheme)) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(String::new()),
                }
            }

            fn to_help_text(&self) -> String {
                self.0.clone()
            }
        }
    )+};
}

urls! {
    /// A database of PostgreSQL.
    PostgresUrl: "postgres://user@host:port/database", ["postgres://", "postgresql://"];
    /// A Redis: one server, the master that Sentinels name, or a Cluster; `rediss` is TLS.
    RedisUrl: "redis://host:port, redis+sentinel://host:port,host:port/name or \
               redis+cluster://host:port,host:port",
        ["redis://", "rediss://", "redis+", "rediss+"];
}

/// An HTTP address without a user.
pub(super) struct HttpUrl(pub(super) String);

impl SettingValue for HttpUrl {
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

    fn to_help_text(&self) -> String {
        self.0.clone()
    }
}
