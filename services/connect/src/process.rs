//! Where a process is watched, and how it writes its logs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use host::{ConfigErrors, Layers, LogFilter, LogFormat};

/// The flags of every process that runs until it is told to stop.
#[derive(Debug, Default, Args)]
pub struct ProcessArgs {
    /// The address it listens on: for `api` REST, the stream and probes, for the others
    /// /healthz, /readyz and /metrics [default: 127.0.0.1 and 8080 for api, 8081 for aggregator,
    /// 8082 for archiver]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Which logs are written, such as warn or info,candlewick_api=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// How logs are written: human or json [default: human]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// A TOML file with any of these settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What was set.
#[derive(Debug)]
pub struct ProcessSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Which events are logged.
    pub log: LogFilter,
    /// How events are logged.
    pub log_format: LogFormat,
}

impl ProcessArgs {
    /// The layers below these flags.
    pub fn load_layers(&self) -> Result<Layers, ConfigErrors> {
        Layers::load(self.config.as_deref())
    }

    /// Reads what every process has; `port` is the default of `listen`.
    pub fn read(self, layers: &mut Layers, port: u16) -> ProcessSettings {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        ProcessSettings {
            listen: layers.take("listen", self.listen, listen),
            log: layers.take("log", self.log, LogFilter::default()),
            log_format: layers.take("log_format", self.log_format, LogFormat::Human),
        }
    }
}
