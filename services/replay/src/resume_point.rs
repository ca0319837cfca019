//! Where a run resumes an earlier one, and how far the current one has got.

use std::path::Path;
use std::time::Duration;

use crate::arguments::ReplayArgs;
use crate::id_scheme_and_scope::IdSchemeAndScope;
use crate::progress::StatusPrinter;
use crate::resume_file::{AcknowledgedTradeCounts, ResumeFile, RunKey};
use crate::tape::Tape;

/// How far the log has acknowledged these tapes.
pub(crate) struct ResumePoint {
    /// `None` if there is no folder for it, or it could not be written.
    file: Option<ResumeFile>,
    /// What an earlier, interrupted run has sent.
    pub(crate) sent_before: AcknowledgedTradeCounts,
}

impl ResumePoint {
    /// Loads how far an earlier run with the same tapes, options, server and log got. With
    /// `--restart`, or if there was none, it begins at zero.
    pub(crate) fn load(
        state_folder: Option<&Path>,
        arguments: &ReplayArgs,
        tapes: &[Tape],
        id_scheme_and_scope: IdSchemeAndScope,
        log_id: &str,
    ) -> Self {
        let key = run_key(arguments, tapes, id_scheme_and_scope, log_id);
        let file = state_folder.map(|folder| ResumeFile::new(folder, &key));
        let earlier = file.as_ref().filter(|_| !arguments.restart);
        Self {
            sent_before: earlier.and_then(ResumeFile::load).unwrap_or_default(),
            file,
        }
    }

    /// Prints a message if the run resumes an earlier one.
    pub(crate) fn report_resuming(&self, messages: &StatusPrinter, server: &str) {
        let trades = self.sent_before.trades;
        if trades > 0 {
            messages.print(&format!(
                "resuming after {trades} trades that {server} has acknowledged (--restart sends them again)"
            ));
        }
    }

    /// Saves how far the run got, unless it was saved less than a second ago.
    pub(crate) fn save_if_due(
        &mut self,
        acknowledged: AcknowledgedTradeCounts,
        now: Duration,
        messages: &StatusPrinter,
    ) {
        if self.file.as_ref().is_some_and(|file| file.is_save_due(now)) {
            self.save(acknowledged, now, messages);
        }
    }

    /// Saves how far the run got. If that fails, the run continues without saving.
    pub(crate) fn save(
        &mut self,
        acknowledged: AcknowledgedTradeCounts,
        now: Duration,
        messages: &StatusPrinter,
    ) {
        let Some(file) = &mut self.file else {
            return;
        };
        if let Err(error) = file.save(acknowledged, now) {
            messages.print(&format!(
                "cannot save how far this run got ({error}); if it is interrupted, the next one starts from the beginning"
            ));
            self.file = None;
        }
    }

    /// Removes the file, since the run is complete.
    pub(crate) fn remove_file(&self, messages: &StatusPrinter) {
        if let Some(Err(error)) = self.file.as_ref().map(ResumeFile::remove) {
            messages.print(&format!(
                "cannot remove the file that holds how far this run got: {error}"
            ));
        }
    }
}

/// Returns the key of everything that decides which trades are sent, in which order, to which log.
fn run_key(
    arguments: &ReplayArgs,
    tapes: &[Tape],
    id_scheme_and_scope: IdSchemeAndScope,
    log_id: &str,
) -> RunKey {
    let mut key = RunKey::new();
    let symbol = arguments.symbol.as_ref();
    let options = format!(
        "{:?} {symbol:?} {id_scheme_and_scope:?} {:?}",
        arguments.venue, arguments.format
    );
    for part in [arguments.server.base_url(), log_id, &options] {
        key.add_part(part.as_bytes());
    }
    for tape in tapes {
        key.add_part(&tape.digest);
        key.add_part(format!("{:?}", tape.symbol_from_file_name()).as_bytes());
    }
    key
}
