//! `candlewick replay`: tapes of trades into a running process.
//!
//! A reader thread merges the tapes, parses and encodes ahead; sender threads post what it made;
//! the first thread counts what the log has acknowledged and keeps note of how far it got.

mod arguments;
mod binance;
mod cells;
mod chunk;
mod faults;
mod format;
mod lines;
mod link;
mod merge;
mod names;
mod pace;
mod place;
mod plain;
mod progress;
mod reading;
mod report;
mod resume;
mod run;
mod send;
mod source;
mod tally;
mod tape;
mod unpack;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use market::IdScheme;

pub use self::arguments::ReplayArgs;
use self::faults::Faults;
use self::link::{Link, Patience};
use self::merge::Merged;
use self::names::Defaults;
use self::pace::Timer;
use self::place::Place;
use self::progress::Progress;
use self::reading::Reading;
use self::report::Report;
use self::run::Run;
use self::source::{Numbering, Source, SourceError};
use self::tape::Tape;
use self::unpack::BytesRead;

/// Sends tapes; fails where they cannot be sent at all.
pub fn run(arguments: ReplayArgs) -> anyhow::Result<ExitCode> {
    let state = resume::folder(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
    let report = replay(&arguments, state.as_deref())?;
    drop(arguments);
    Ok(tell(&report))
}

/// Sends tapes, keeping note of how far that is in the folder `state`.
fn replay(arguments: &ReplayArgs, state: Option<&Path>) -> anyhow::Result<Report> {
    let tapes = identify(arguments)?;
    let timer = Timer::new().context("cannot make a timer")?;
    let bytes_read = BytesRead::default();
    let (merged, numbering) = open(arguments, &tapes, &bytes_read)?;
    let total_bytes = tapes.iter().map(|tape| tape.size_bytes).sum();
    let (progress, notices) = Progress::new(total_bytes, arguments.no_progress, timer.now());
    let stop = AtomicBool::new(false);
    let patience = Patience {
        give_up: arguments.give_up,
        notices: &notices,
        stop: &stop,
    };
    let link = Link::connect(arguments.to.clone(), numbering, patience, &timer)?;
    let mut place = Place::find(state, arguments, &tapes, numbering, link.log_id());
    place.tell(&notices, arguments.to.base_url());
    let reading = Reading {
        merged,
        skip: place.before.trades,
        batch: arguments.batch as usize,
        speed: arguments.speed,
        bytes_read,
    };
    let begin = timer.now();
    let run = Run {
        link: &link,
        timer: &timer,
        notices: &notices,
        stop: &stop,
        tapes: tapes.len(),
    };
    let (tally, read) = run.send(reading, arguments.connections, &mut place, progress)?;
    place.forget(&notices);
    Ok(Report {
        names: tapes.iter().map(Tape::name).collect(),
        bad: read.faults,
        rejected: tally.rejected,
        sent: tally.sent,
        skipped: read.skipped,
        before: place.before,
        time: timer.now().saturating_sub(begin),
    })
}

/// Reads every file once; all that cannot be read are told at once.
fn identify(arguments: &ReplayArgs) -> anyhow::Result<Vec<Tape>> {
    let (mut tapes, mut wrong) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        match Tape::identify(path) {
            Ok(tape) => tapes.push(tape),
            Err(error) => wrong.push(format!("{}: {error}", path.display())),
        }
    }
    if wrong.is_empty() {
        return Ok(tapes);
    }
    bail!("nothing was sent: {}", wrong.join("; "))
}

/// Opens the tapes, and tells how their trades are numbered. A tape that cannot be opened is
/// one of the faults, and the others go on without it.
fn open(
    arguments: &ReplayArgs,
    tapes: &[Tape],
    bytes_read: &BytesRead,
) -> anyhow::Result<(Merged, Numbering)> {
    let mut faults = Faults::new(tapes.len());
    let mut sources = Vec::new();
    for (place, tape) in tapes.iter().enumerate() {
        let defaults = Defaults {
            venue: arguments.venue.clone(),
            symbol: arguments.symbol.clone().or_else(|| tape.symbol()),
        };
        match Source::open(tape, place, arguments.format, defaults, bytes_read) {
            Ok(source) => sources.push(source),
            Err(error) => lose(&mut faults, place, &error),
        }
    }
    let numbering = Numbering {
        scheme: id_scheme(arguments.id_scheme, &sources)?,
        scope: arguments.id_scope,
    };
    sources.retain_mut(|source| {
        let place = source.place();
        let numbered = source.set_numbering(numbering, &tapes[place]);
        numbered
            .map_err(|error| lose(&mut faults, place, &error))
            .is_ok()
    });
    Ok((Merged::new(sources, faults), numbering))
}

fn lose(faults: &mut Faults, place: usize, error: &SourceError) {
    let line = match error {
        SourceError::FirstLine { line, .. } => *line,
        _ => 0,
    };
    faults.add_loss(place, line, format!("{error}; nothing of it is sent"));
}

/// What was asked for, else what the tapes' formats say, if that is the same for all.
fn id_scheme(asked: Option<IdScheme>, sources: &[Source]) -> anyhow::Result<IdScheme> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let mut schemes: Vec<_> = sources.iter().filter_map(Source::id_scheme).collect();
    schemes.dedup();
    match schemes[..] {
        [] => Ok(IdScheme::Unique),
        [scheme] => Ok(scheme),
        _ => bail!(
            "the tapes number their trades in different ways; --id-scheme says which is meant"
        ),
    }
}

/// Prints what became of it.
fn tell(report: &Report) -> ExitCode {
    eprint!("{}", report.faults());
    // Nobody may be there to read it, which changes nothing.
    let _ = std::io::stdout().write_all(report.table().as_bytes());
    match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
