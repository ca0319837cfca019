//! What the server offers, and what it promises.

use sqlx::{PgConnection, Row, query, query_scalar};

use super::failure::Failure;

/// What the server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimescaleEdition {
    /// PostgreSQL without TimescaleDB: bars are in an ordinary table.
    Plain,
    /// Hypertables: old bars go by whole chunks.
    Apache,
    /// Compression as well.
    Community,
}

impl TimescaleEdition {
    /// What a database offers now.
    pub(super) async fn find(session: &mut PgConnection) -> Result<Self, Failure> {
        let license: Option<Option<String>> = query_scalar(
            "SELECT current_setting('timescaledb.license', TRUE) \
             FROM pg_extension WHERE extname = 'timescaledb'",
        )
        .fetch_optional(session)
        .await?;
        Ok(match license {
            None => Self::Plain,
            Some(Some(license)) if license == "timescale" => Self::Community,
            Some(_) => Self::Apache,
        })
    }
}

/// Whether the server waits for its disk, as its settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Durability {
    synchronous_commit: String,
    fsync: String,
    full_page_writes: String,
}

impl Durability {
    pub(super) async fn find(session: &mut PgConnection) -> Result<Self, Failure> {
        let row = query(
            "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
             current_setting('full_page_writes')",
        );
        let row = row.fetch_one(session).await?;
        Ok(Self {
            synchronous_commit: row.try_get(0)?,
            fsync: row.try_get(1)?,
            full_page_writes: row.try_get(2)?,
        })
    }

    /// Whether a commit that was answered is on the disk.
    pub(super) fn commits_are_synced(&self) -> bool {
        self.synchronous_commit != "off"
    }

    /// What a loss of power may do, where it may do anything.
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
                "synchronous_commit is off: a crash of the server takes back the last commits; \
                 the log has to keep what they were folded from",
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::Durability;

    #[test]
    fn what_is_not_durable_is_told() {
        let settings = |synchronous_commit: &str, fsync: &str, pages: &str| Durability {
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
