//! `candlewick dead-letters`: what was not counted, shown and sent again.

mod again;
mod arguments;
mod chosen;
mod found;
mod letters;
mod newest;
mod place;
mod show;
mod source;
mod table;
mod undecoded;
#[cfg(test)]
mod world;

use std::process::ExitCode;

use eventlog::Log;

pub use self::arguments::DeadLettersArgs;
use self::arguments::Deed;
use self::found::Item;
use self::source::Logs;

/// Does what the command line says.
pub fn run(arguments: DeadLettersArgs) -> anyhow::Result<ExitCode> {
    let (deed, source) = arguments.read().map_err(host::Error::from)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match source {
            source::Source::Folder(path) => {
                let logs = source::folder(&path)?;
                let outcome = act(&deed, &logs).await;
                logs.letters.close();
                logs.trades.close();
                outcome
            }
            source::Source::Cluster(config, names) => {
                let logs = source::cluster(*config, &names).await?;
                let outcome = act(&deed, &logs).await;
                let (letters, trades) = (logs.letters, logs.trades);
                let closing = move || {
                    letters.close();
                    trades.close();
                };
                tokio::task::spawn_blocking(closing).await?;
                outcome
            }
        }
    })
}

async fn act<L: Log>(deed: &Deed, logs: &Logs<L>) -> anyhow::Result<ExitCode> {
    match deed {
        Deed::List { filter, limit } => {
            let rows = newest::newest(&logs.letters, filter, *limit, undecoded::tell).await?;
            print!("{}", table::of(rows));
            Ok(ExitCode::SUCCESS)
        }
        Deed::Show { place, raw } => {
            let (text, value, code) = match found::at(&logs.letters, *place).await? {
                Item::Letter(found) => (show::of(&found), found.letter.value, ExitCode::SUCCESS),
                // What it is can be seen, but it is not what was asked for.
                Item::Other(other) => (show::other(&other), other.value, ExitCode::FAILURE),
            };
            print!("{text}");
            if let Some(path) = raw {
                show::write_raw(&value, path)?;
            }
            Ok(code)
        }
        Deed::Replay { which, yes } => again::replay(logs, which, *yes).await,
    }
}
