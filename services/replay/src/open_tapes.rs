//! Opens the tapes of the command line and decides which ids their trades have.

use std::path::PathBuf;

use anyhow::bail;
use market::IdScheme;

use crate::arguments::ReplayArgs;
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::instruments::LineInstrumentDefaults;
use crate::merged_tapes::MergedTapes;
use crate::problems::LineProblems;
use crate::tape::Tape;
use crate::tape_reader::{TapeError, TapeReader};
use crate::unpack::ByteCounter;

/// Reads every file once to compute its digest.
///
/// # Errors
/// If any file cannot be read; the error names all of them.
pub(crate) fn digest_tapes(files: &[PathBuf]) -> anyhow::Result<Vec<Tape>> {
    let (mut tapes, mut errors) = (Vec::new(), Vec::new());
    for path in files {
        match Tape::digest_file(path) {
            Ok(tape) => tapes.push(tape),
            Err(error) => errors.push(format!("{}: {error}", path.display())),
        }
    }
    if errors.is_empty() {
        return Ok(tapes);
    }
    bail!("nothing was sent: {}", errors.join("; "))
}

/// Opens the tapes, and returns how their trades are numbered. A tape that cannot be opened
/// becomes one of the problems of the merged tapes; the others are sent without it.
///
/// # Errors
/// If the tapes number their trades in different ways and the command line does not say which way
/// is meant.
pub(crate) fn open_tapes(
    arguments: &ReplayArgs,
    tapes: &[Tape],
    bytes_read: &ByteCounter,
) -> anyhow::Result<(MergedTapes, IdSchemeAndScope)> {
    let mut problems = LineProblems::new(tapes.len());
    let mut readers = Vec::new();
    for (index, tape) in tapes.iter().enumerate() {
        let defaults = LineInstrumentDefaults {
            venue: arguments.venue.clone(),
            symbol: arguments
                .symbol
                .clone()
                .or_else(|| tape.symbol_from_file_name()),
        };
        match TapeReader::open(tape, index, arguments.format, defaults, bytes_read) {
            Ok(reader) => readers.push(reader),
            Err(error) => add_unsent_tape(&mut problems, index, &error),
        }
    }
    let id_scheme_and_scope = IdSchemeAndScope {
        scheme: choose_id_scheme(arguments.id_scheme, &readers)?,
        scope: arguments.id_scope,
    };
    readers.retain_mut(|reader| {
        let index = reader.tape_index();
        let outcome = reader.set_id_scheme_and_scope(id_scheme_and_scope, &tapes[index]);
        outcome
            .map_err(|error| add_unsent_tape(&mut problems, index, &error))
            .is_ok()
    });
    Ok((MergedTapes::new(readers, problems), id_scheme_and_scope))
}

fn add_unsent_tape(problems: &mut LineProblems, tape_index: usize, error: &TapeError) {
    let line = match error {
        TapeError::FirstLine { line, .. } => *line,
        _ => 0,
    };
    problems.add_lost_tape(tape_index, line, format!("{error}; nothing of it is sent"));
}

/// Returns the scheme of the command line, otherwise the one of the tapes' formats if it is the
/// same for all tapes.
fn choose_id_scheme(
    argument: Option<IdScheme>,
    readers: &[TapeReader],
) -> anyhow::Result<IdScheme> {
    if let Some(scheme) = argument {
        return Ok(scheme);
    }
    let mut schemes: Vec<_> = readers
        .iter()
        .filter_map(TapeReader::default_id_scheme)
        .collect();
    schemes.dedup();
    match schemes[..] {
        [] => Ok(IdScheme::Unique),
        [scheme] => Ok(scheme),
        _ => bail!(
            "the tapes number their trades in different ways: choose one of them with --id-scheme"
        ),
    }
}
