//! What can be set: flags over environment over a TOML file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use host::{ConfigErrors, Layers, LogFilter, LogFormat};
use market::Symbol;

use connect::FolderOptions;

/// Every flag is also a variable, `--log-max-age` being `CANDLEWICK_LOG_MAX_AGE`, and a key of
/// the file, `log_max_age`. Flags win over variables, variables over the file.
#[derive(Debug, Args)]
pub(crate) struct StandaloneArgs {
    /// The data folder; made where there is none [default: ./data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The address of REST and the live stream [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Trades to make up: synthetic (a seeded random walk) or none [default: none]
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// The symbols of the synthetic feed, comma-separated [default: EURUSD,BTCUSDT,ETHUSDT,AAPL,SPY]
    #[arg(long, value_name = "SYMBOLS")]
    symbols: Option<String>,
    /// Trades a second for each symbol of the synthetic feed [default: 4]
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// The seed of the synthetic feed [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// How many partitions a new data folder gets [default: 4]
    #[arg(long, value_name = "N")]
    partitions: Option<String>,
    /// How long the log keeps what bars and ticks have passed, such as 12h or 7d [default: 1d]
    #[arg(long, value_name = "TIME")]
    log_max_age: Option<String>,
    /// How many bytes of that the log keeps at most [default: 4294967296]
    #[arg(long, value_name = "BYTES")]
    log_max_bytes: Option<String>,
    /// Which logs are written, such as warn or info,candlewick_api=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How logs are written: human or json [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A TOML file with any of these settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where trades come from, beside the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    None,
    Synthetic,
}

/// What was set.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) feed: Feed,
    pub(super) symbols: Vec<Symbol>,
    pub(super) rate: u32,
    pub(super) seed: u64,
    pub(super) folder: FolderOptions,
    pub(super) log: LogFilter,
    pub(super) log_format: LogFormat,
}

const SYMBOLS: [&str; 5] = ["EURUSD", "BTCUSDT", "ETHUSDT", "AAPL", "SPY"];

impl Config {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(flags: StandaloneArgs) -> Result<Self, ConfigErrors> {
        let mut layers = Layers::load(flags.config.as_deref())?;
        let defaults = FolderOptions::default();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        let feed = layers.parse_with("feed", flags.feed, "synthetic or none", |text| match text {
            "none" => Ok(Feed::None),
            "synthetic" => Ok(Feed::Synthetic),
            _ => Err(String::new()),
        });
        let symbols = layers.parse_with(
            "symbols",
            flags.symbols,
            "symbols separated by commas, such as EURUSD,BTCUSDT",
            |text| text.split(',').map(|one| one.trim().parse()).collect(),
        );
        let symbols = symbols.unwrap_or_else(|| {
            let known = SYMBOLS.into_iter().map(str::parse);
            known.collect::<Result<_, _>>().expect("these are symbols")
        });
        let mut folder = defaults;
        folder.partitions = layers.take("partitions", flags.partitions, defaults.partitions);
        if folder.partitions == 0 || folder.partitions > 256 {
            layers.reject("partitions", "a number from 1 to 256");
        }
        let age = Duration::from_nanos(defaults.retention.max_age_ns.unsigned_abs());
        let age: Duration = layers.take("log_max_age", flags.log_max_age, age);
        folder.retention.max_age_ns = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        folder.retention.max_bytes = layers.take(
            "log_max_bytes",
            flags.log_max_bytes,
            defaults.retention.max_bytes,
        );
        let config = Self {
            data: layers.take("data", flags.data, PathBuf::from("data")),
            listen: layers.take("listen", flags.listen, listen),
            feed: feed.unwrap_or(Feed::None),
            symbols,
            rate: layers.take("rate", flags.rate, 4),
            seed: layers.take("seed", flags.seed, 1),
            folder,
            log: layers.take("log", flags.log, LogFilter::default()),
            log_format: layers.take("log_format", flags.log_format, LogFormat::Human),
        };
        layers.finish()?;
        Ok(config)
    }
}
