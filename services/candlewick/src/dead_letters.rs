//! `candlewick dead-letters`: what was not counted, shown and sent again.

mod again;
mod arguments;
mod found;
mod place;
mod show;
mod source;
mod table;

use std::process::ExitCode;

use eventlog::Log;

pub(crate) use self::arguments::DeadLettersArgs;
use self::arguments::Deed;
use self::source::Logs;

/// Does what the command line says.
pub(crate) fn run(arguments: DeadLettersArgs) -> anyhow::Result<ExitCode> {
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
        Deed::List(wanted) => {
            let found = found::matching(&logs.letters, wanted).await?;
            print!("{}", table::of(&found));
            Ok(ExitCode::SUCCESS)
        }
        Deed::Show { place, raw } => {
            let found = found::at(&logs.letters, *place).await?;
            print!("{}", show::of(&found));
            if let Some(path) = raw {
                show::write_raw(&found, path)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Deed::Replay { which, yes } => again::replay(logs, which, *yes).await,
    }
}
