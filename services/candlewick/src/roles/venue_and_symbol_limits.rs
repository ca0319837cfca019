//! How many venues and symbols a process accepts.

use std::num::NonZeroUsize;

use clap::Args;
use connect::show_defaults_in_help;
use host::ErrorCollectingConfigReader;
use ingest::VenueAndSymbolLimits;

/// The flags of the numbers of venues and symbols.
#[derive(Debug, Default, Args)]
#[command(mut_args = show_defaults_in_help(|reader| {
    Self::default().read(reader);
}))]
pub(crate) struct VenueAndSymbolLimitArgs {
    /// The number of venues that there may be; trades and settings of one more are refused
    #[arg(long, value_name = "N")]
    max_venues: Option<String>,
    /// The number of symbols of all venues that there may be; trades of one more are refused
    #[arg(long, value_name = "N")]
    max_symbols: Option<String>,
}

impl VenueAndSymbolLimitArgs {
    /// Reads the limits; errors are collected in `reader`.
    pub(crate) fn read(self, reader: &mut ErrorCollectingConfigReader) -> VenueAndSymbolLimits {
        let limits = VenueAndSymbolLimits::default();
        let mut read = |key, flag, default: usize| {
            let default = NonZeroUsize::new(default).expect("a default above 0");
            reader.read_or(key, flag, default).get()
        };
        VenueAndSymbolLimits {
            venues: read("max_venues", self.max_venues, limits.venues),
            symbols: read("max_symbols", self.max_symbols, limits.symbols),
        }
    }
}
