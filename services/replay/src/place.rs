//! Where in its tapes a run is.

use std::path::Path;
use std::time::Duration;

use crate::arguments::ReplayArgs;
use crate::progress::Notices;
use crate::resume::{Reached, ResumeFile, RunKey};
use crate::source::Numbering;
use crate::tape::Tape;

/// How far the log has got with these tapes.
pub(crate) struct Place {
    file: Option<ResumeFile>,
    /// How far an earlier run got.
    pub(crate) before: Reached,
}

impl Place {
    /// Looks for what an earlier run noted, unless it is to be ignored.
    pub(crate) fn find(
        state: Option<&Path>,
        arguments: &ReplayArgs,
        tapes: &[Tape],
        numbering: Numbering,
        log_id: &str,
    ) -> Self {
        let mut key = RunKey::new();
        let symbol = arguments.symbol.as_ref();
        let options = format!(
            "{:?} {symbol:?} {numbering:?} {:?}",
            arguments.venue, arguments.format
        );
        for part in [arguments.to.base_url(), log_id, &options] {
            key.add(part.as_bytes());
        }
        for tape in tapes {
            key.add(&tape.digest);
            key.add(format!("{:?}", tape.symbol()).as_bytes());
        }
        let file = state.map(|folder| ResumeFile::new(folder, &key));
        let found = file.as_ref().filter(|_| !arguments.restart);
        Self {
            before: found.and_then(ResumeFile::load).unwrap_or_default(),
            file,
        }
    }

    /// Says so where the run goes on after an earlier one.
    pub(crate) fn tell(&self, notices: &Notices, server: &str) {
        let trades = self.before.trades;
        if trades > 0 {
            notices.say(&format!(
                "going on after {trades} trades that {server} has acknowledged (--restart sends them again)"
            ));
        }
    }

    /// Keeps note of how far the log has got, now and then, or now where it `is_last`. A run that
    /// cannot do so goes on without.
    pub(crate) fn reach(
        &mut self,
        reached: Reached,
        is_last: bool,
        now: Duration,
        notices: &Notices,
    ) {
        let Some(file) = &mut self.file else {
            return;
        };
        if !is_last && !file.is_due(now) {
            return;
        }
        if let Err(error) = file.save(reached, now) {
            notices.say(&format!(
                "cannot keep note of how far this is ({error}); interrupted, it would begin again"
            ));
            self.file = None;
        }
    }

    /// The run is done.
    pub(crate) fn forget(&self, notices: &Notices) {
        if let Some(Err(error)) = self.file.as_ref().map(ResumeFile::remove) {
            notices.say(&format!(
                "cannot remove the note of how far this is: {error}"
            ));
        }
    }
}
