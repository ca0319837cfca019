//! The server of the newest prices.

use clap::Args;
use host::ErrorCollectingConfigReader;
use store::RedisConfig;

use crate::url::RedisUrl;

/// The flags of Redis.
#[derive(Debug, Default, Args)]
pub struct RedisArgs {
    /// The Redis of the newest prices: redis://host:port, redis+sentinel://host:port,…/name or
    /// redis+cluster://host:port,…; rediss for TLS. It is optional: nothing depends on it
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
    /// The user of Redis, if it needs one
    #[arg(long, value_name = "NAME")]
    pub redis_user: Option<String>,
    /// A file with the password of Redis
    #[arg(long, value_name = "FILE")]
    pub redis_password_file: Option<String>,
    /// A file with the password of the Sentinels themselves, if they need one
    #[arg(long, value_name = "FILE")]
    pub redis_sentinel_password_file: Option<String>,
}

impl RedisArgs {
    /// Returns the configuration, or `None` if there is no URL; errors are collected in `reader`.
    pub fn read_optional(self, reader: &mut ErrorCollectingConfigReader) -> Option<RedisConfig> {
        let url: Option<RedisUrl> = reader.read_optional("redis.url", self.redis_url);
        let password_file = reader.read_optional("redis.password_file", self.redis_password_file);
        let key = "redis.sentinel_password_file";
        let sentinel_password_file = reader.read_optional(key, self.redis_sentinel_password_file);
        let user = reader.read_optional("redis.user", self.redis_user);
        Some(RedisConfig {
            url: url?.0,
            user,
            password_file,
            sentinel_password_file,
            ..RedisConfig::default()
        })
    }
}
