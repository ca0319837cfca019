//! The settings of `standalone`: flags over environment over a TOML file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use aggregator::IdMemoryBudget;
use clap::Args;
use connect::{DataFolderOptions, show_defaults_in_help};
use host::{ConfigErrors, ErrorCollectingConfigReader, LogFilter, LogFormat, SettingValue};
use ingest::VenueAndSymbolLimits;
use market::Symbol;

use crate::roles::VenueAndSymbolLimitArgs;

/// Every flag is also a variable, `--log-max-age` being `CANDLEWICK_LOG_MAX_AGE`, and a key of
/// the file, `log_max_age`. Flags win over variables, variables over the file.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_and_collect_errors(reader);
}))]
pub(crate) struct StandaloneArgs {
    /// The data folder; created if it does not exist
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The address of REST and the live stream
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The feed of trades: synthetic (a seeded random walk) or none
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// The symbols of the synthetic feed, separated by commas
    #[arg(long, value_name = "SYMBOLS")]
    symbols: Option<String>,
    /// Trades a second for each symbol of the synthetic feed
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// The seed of the synthetic feed
    #[arg(long, value_name = "N")]
    seed: Option<String>,
    /// The number of partitions of a new data folder
    #[arg(long, value_name = "N")]
    partitions: Option<String>,
    /// How long the log keeps records that are folded and archived, such as 12h or 7d
    #[arg(long, value_name = "TIME")]
    log_max_age: Option<String>,
    /// The largest size of these records in the log
    #[arg(long, value_name = "BYTES")]
    log_max_bytes: Option<String>,
    #[command(flatten)]
    limits: VenueAndSymbolLimitArgs,
    /// How much memory the ids of unique trades may use, in bytes; the least used ones leave it and
    /// are read from the data folder when they are needed
    #[arg(long, value_name = "BYTES")]
    id_memory_bytes: Option<String>,
    /// Which logs are written, such as warn or info,candlewick_api=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How logs are written: human or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A TOML file with any of these settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where trades come from, in addition to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedKind {
    None,
    Synthetic,
}

impl SettingValue for FeedKind {
    const ACCEPTS: &'static str = "synthetic or none";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "synthetic" => Ok(Self::Synthetic),
            _ => Err(String::new()),
        }
    }

    fn to_help_text(&self) -> String {
        match self {
            Self::None => "none",
            Self::Synthetic => "synthetic",
        }
        .to_owned()
    }
}

/// The symbols of the synthetic feed.
struct FeedSymbols(Vec<Symbol>);

impl Default for FeedSymbols {
    fn default() -> Self {
        Self::parse("EURUSD,BTCUSDT,ETHUSDT,AAPL,SPY").expect("these are symbols")
    }
}

impl SettingValue for FeedSymbols {
    const ACCEPTS: &'static str = "symbols separated by commas, such as EURUSD,BTCUSDT";

    fn parse(text: &str) -> Result<Self, String> {
        let symbols = text.split(',').map(|one| one.trim().parse::<Symbol>());
        let symbols: Result<_, _> = symbols.collect();
        symbols.map(Self).map_err(|error| error.to_string())
    }

    fn to_help_text(&self) -> String {
        let symbols: Vec<_> = self.0.iter().map(Symbol::as_str).collect();
        symbols.join(",")
    }
}

/// What `standalone` is configured with.
#[derive(Debug)]
pub(crate) struct StandaloneConfig {
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) feed: FeedKind,
    pub(super) symbols: Vec<Symbol>,
    pub(super) rate: u32,
    pub(super) seed: u64,
    pub(super) folder: DataFolderOptions,
    pub(super) limits: VenueAndSymbolLimits,
    pub(super) id_memory_bytes: usize,
    pub(super) log: LogFilter,
    pub(super) log_format: LogFormat,
}

impl StandaloneArgs {
    /// Reads every layer; all errors are found at once.
    pub(super) fn read(self) -> Result<StandaloneConfig, ConfigErrors> {
        let mut reader = ErrorCollectingConfigReader::load(self.config.as_deref())?;
        let config = self.read_and_collect_errors(&mut reader);
        reader.finish()?;
        Ok(config)
    }

    /// Reads the settings, but does not check the file for unknown keys.
    pub(crate) fn read_and_collect_errors(
        self,
        reader: &mut ErrorCollectingConfigReader,
    ) -> StandaloneConfig {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        StandaloneConfig {
            folder: self.read_folder_options(reader),
            limits: self.limits.read(reader),
            data: reader.read_or("data", self.data, PathBuf::from("data")),
            listen: reader.read_or("listen", self.listen, listen),
            feed: reader.read_or("feed", self.feed, FeedKind::None),
            symbols: reader
                .read_or("symbols", self.symbols, FeedSymbols::default())
                .0,
            rate: reader.read_or("rate", self.rate, 4),
            seed: reader.read_or("seed", self.seed, 1),
            id_memory_bytes: reader.read_or(
                "id_memory_bytes",
                self.id_memory_bytes,
                IdMemoryBudget::DEFAULT_BYTES,
            ),
            log: reader.read_or("log", self.log, LogFilter::default()),
            log_format: reader.read_or("log_format", self.log_format, LogFormat::default()),
        }
    }

    fn read_folder_options(&self, reader: &mut ErrorCollectingConfigReader) -> DataFolderOptions {
        let mut options = DataFolderOptions::default();
        let key = "partitions";
        options.partitions = reader.read_or(key, self.partitions.clone(), options.partitions);
        if !(1..=256).contains(&options.partitions) {
            reader.reject(key, "a number from 1 to 256");
        }
        let retention = &mut options.retention;
        let max_age = Duration::from_nanos(retention.max_age_ns.unsigned_abs());
        let max_age = reader.read_or("log_max_age", self.log_max_age.clone(), max_age);
        retention.max_age_ns = i64::try_from(max_age.as_nanos()).unwrap_or(i64::MAX);
        let key = "log_max_bytes";
        retention.max_bytes = reader.read_or(key, self.log_max_bytes.clone(), retention.max_bytes);
        options
    }
}
