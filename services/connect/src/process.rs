//! Where a process listens, and how it writes its logs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use host::{ConfigErrors, ErrorCollectingConfigReader, LogFilter, LogFormat};

use crate::help::show_defaults_in_help;

/// The flags of every process that runs until a signal stops it. The role that contains them adds
/// the default of `--listen` to the help.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read_logging(reader);
}))]
pub struct ProcessArgs {
    /// The address to listen on: for `api` REST, the stream and probes, for other roles /healthz,
    /// /readyz and /metrics
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// A further address for /healthz, /readyz and /metrics alone, with connections of its own:
    /// many clients of the API then cannot keep a probe waiting
    #[arg(long, value_name = "ADDR")]
    pub probes_listen: Option<String>,
    /// Which logs are written, such as warn or info,candlewick_api=debug
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// How logs are written: human or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// A TOML file with any of these settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where a process listens, and how it writes its logs.
#[derive(Debug)]
pub struct ProcessSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// A further address to listen on, for probes and metrics alone.
    pub probes_listen: Option<SocketAddr>,
    /// Which events are logged.
    pub log: LogFilter,
    /// How events are logged.
    pub log_format: LogFormat,
}

impl ProcessArgs {
    /// Loads the file that `--config` names and the environment.
    ///
    /// # Errors
    /// If the file cannot be read or is not TOML, or a variable is not UTF-8.
    pub fn load_config(&self) -> Result<ErrorCollectingConfigReader, ConfigErrors> {
        ErrorCollectingConfigReader::load(self.config.as_deref())
    }

    /// Reads the settings of the process; errors are collected in `reader`.
    pub fn read(
        mut self,
        reader: &mut ErrorCollectingConfigReader,
        default_port: u16,
    ) -> ProcessSettings {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, default_port));
        let listen = reader.read_or("listen", self.listen.take(), address);
        let probes_listen = reader.read_optional("probes_listen", self.probes_listen.take());
        let (log, log_format) = self.read_logging(reader);
        ProcessSettings {
            listen,
            probes_listen,
            log,
            log_format,
        }
    }

    /// Reads how logs are written.
    fn read_logging(self, reader: &mut ErrorCollectingConfigReader) -> (LogFilter, LogFormat) {
        let log = reader.read_or("log", self.log, LogFilter::default());
        let log_format = reader.read_or("log_format", self.log_format, LogFormat::default());
        (log, log_format)
    }
}
