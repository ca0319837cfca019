//! Where newest prices are kept.

use clap::Args;
use host::Layers;
use store::RedisConfig;

use super::url::RedisUrl;

/// The flags of Redis.
#[derive(Debug, Default, Args)]
pub struct RedisArgs {
    /// The Redis of the newest prices: redis://host:port, redis+sentinel://host:port,…/name or
    /// redis+cluster://host:port,…; rediss for TLS [default: none, and nothing needs it]
    #[arg(long, value_name = "URL")]
    pub redis_url: Option<String>,
    /// Its user [default: none]
    #[arg(long, value_name = "NAME")]
    pub redis_user: Option<String>,
    /// A file with its password
    #[arg(long, value_name = "FILE")]
    pub redis_password_file: Option<String>,
    /// A file with the password of the Sentinels themselves [default: they ask for none]
    #[arg(long, value_name = "FILE")]
    pub redis_sentinel_password_file: Option<String>,
}

impl RedisArgs {
    /// The configuration, where there is a URL.
    pub fn read(self, layers: &mut Layers) -> Option<RedisConfig> {
        let url: Option<RedisUrl> = layers.optional("redis.url", self.redis_url);
        let password_file = layers.optional("redis.password_file", self.redis_password_file);
        let key = "redis.sentinel_password_file";
        let sentinel_password_file = layers.optional(key, self.redis_sentinel_password_file);
        let user = layers.optional("redis.user", self.redis_user);
        Some(RedisConfig {
            url: url?.0,
            user,
            password_file,
            sentinel_password_file,
            ..RedisConfig::default()
        })
    }
}
