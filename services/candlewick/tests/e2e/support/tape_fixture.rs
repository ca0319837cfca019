//! A process, and a folder of tapes to replay into it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Finished, TestClient, TestProcess, replay};

/// A process, and a folder of tapes to replay into it.
pub(crate) struct TapeFixture {
    pub(crate) standalone: TestProcess,
    pub(crate) client: TestClient,
    folder: TempDir,
}

impl TapeFixture {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let standalone = TestProcess::start(&folder.path().join("data"));
        Self {
            client: standalone.client(),
            standalone,
            folder,
        }
    }

    /// Returns the path of a file in the folder. The data of the process are in `data`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn replay(
        &self,
        venue: &str,
        tapes: &[impl AsRef<Path>],
        options: &[&str],
    ) -> Finished {
        let state = self.folder.path();
        let tapes: Vec<&Path> = tapes.iter().map(AsRef::as_ref).collect();
        Finished::of(&mut replay(&self.standalone, state, venue, &tapes, options))
    }
}
