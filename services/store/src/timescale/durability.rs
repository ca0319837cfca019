//! Whether the server waits for its disk.

use sqlx::{PgConnection, Row, query};

use super::database_error::DatabaseError;

/// The settings of a server that decide whether it waits for its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DurabilitySettings {
    synchronous_commit: String,
    fsync: String,
    full_page_writes: String,
}

impl DurabilitySettings {
    /// Reads the settings of a session.
    pub(super) async fn read(session: &mut PgConnection) -> Result<Self, DatabaseError> {
        let select = query(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
             current_setting('full_page_writes')",
        );
        let row = select.fetch_one(session).await?;
        Ok(Self {
            synchronous_commit: row.try_get(0)?,
            fsync: row.try_get(1)?,
            full_page_writes: row.try_get(2)?,
        })
    }

    /// Returns whether a commit is on disk when the server acknowledges it.
    pub(super) fn commits_are_synced(&self) -> bool {
        self.synchronous_commit != "off"
    }

    /// Returns a warning for each setting with which a crash can lose or damage data.
    pub(super) fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.fsync == "off" {
            warnings
                .push("fsync is off: a crash of the machine can damage the database beyond repair");
        }
        if self.full_page_writes == "off" {
            warnings.push(
                "full_page_writes is off: a crash of the machine can leave pages half written",
            );
        }
        if !self.commits_are_synced() {
            warnings.push(
                "synchronous_commit is off: a crash of the server loses the last commits; the log \
                 must keep the records that they were folded from",
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::DurabilitySettings;

    #[test]
    fn settings_that_are_not_durable_give_warnings() {
        let settings = |synchronous_commit: &str, fsync: &str, pages: &str| DurabilitySettings {
            synchronous_commit: synchronous_commit.to_owned(),
            fsync: fsync.to_owned(),
            full_page_writes: pages.to_owned(),
        };
        for (settings, warnings, synced) in [
            (settings("on", "on", "on"), 0, true),
            (settings("remote_apply", "on", "on"), 0, true),
            (settings("off", "on", "on"), 1, false),
            (settings("on", "off", "off"), 2, true),
        ] {
            assert_eq!(settings.warnings().len(), warnings, "{settings:?}");
            assert_eq!(settings.commits_are_synced(), synced, "{settings:?}");
        }
    }
}
