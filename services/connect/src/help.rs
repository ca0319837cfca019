//! Defaults in help.

use std::collections::BTreeMap;

use clap::Arg;
use host::ErrorCollectingConfigReader;

/// Returns a function that adds the default of a flag to its help, as `[default: 30s]`.
///
/// `read` reads the settings with a reader that has no layers. The defaults that it uses there are
/// the ones that help prints, so a default is written once: where the setting is read. Use the
/// function as `#[command(mut_args = show_defaults_in_help(…))]` of the type whose flags they are.
pub fn show_defaults_in_help(
    read: impl FnOnce(&mut ErrorCollectingConfigReader),
) -> impl FnMut(Arg) -> Arg {
    let mut reader = ErrorCollectingConfigReader::default();
    read(&mut reader);
    let defaults: BTreeMap<String, String> = reader
        .defaults_by_flag()
        .filter(|(_, text)| !text.is_empty())
        .map(|(flag, text)| (flag, format!("[default: {text}]")))
        .collect();
    move |arg| {
        let flag = arg.get_long().map(|long| format!("--{long}"));
        match flag.and_then(|flag| defaults.get(&flag)) {
            Some(default) => add_default_to_help(arg, default),
            None => arg,
        }
    }
}

/// Adds a default to the short and the long help of a flag, unless it is there already: a type may
/// contain another that adds it.
fn add_default_to_help(mut arg: Arg, default: &str) -> Arg {
    if let Some(help) = arg.get_help().map(ToString::to_string)
        && !help.ends_with(default)
    {
        arg = arg.help(format!("{help} {default}"));
    }
    if let Some(help) = arg.get_long_help().map(ToString::to_string)
        && !help.ends_with(default)
    {
        arg = arg.long_help(format!("{help} {default}"));
    }
    arg
}
