//! Where newest prices are kept.

use clap::Args;
use host::{Layers, Secret};
use store::RedisConfig;

/// The flags of Redis.
#[derive(Debug, Default, Args)]
pub(crate) struct RedisArgs {
    /// The Redis of the newest prices: redis://host:port [default: none, and nothing needs it]
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,
    /// A file with its password
    #[arg(long, value_name = "FILE")]
    pub(crate) redis_password_file: Option<String>,
}

const URL: &str = "redis.url";

impl RedisArgs {
    /// The configuration, where there is a URL.
    pub(crate) fn read(self, layers: &mut Layers) -> Option<RedisConfig> {
        let url: Option<Secret> = layers.optional(URL, self.redis_url);
        let password_file = layers.optional("redis.password_file", self.redis_password_file);
        let url = url?;
        let text = url.expose();
        if !text.starts_with("redis://") && !text.starts_with("rediss://") {
            layers.reject(URL, "redis://host:port or rediss://host:port");
        }
        Some(RedisConfig {
            url: text.to_owned(),
            password_file,
            ..RedisConfig::default()
        })
    }
}
