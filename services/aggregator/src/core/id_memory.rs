//! How much memory ids use, and how much they may use.

/// The least limit of the segments that are loaded at once. Without it, a partition whose budget is
/// tiny would call the store for each record, and could fall behind for good.
const MIN_PREFETCH_BYTES: u64 = 64 << 10;

/// The memory of the ids that are kept one by one, and its limit.
#[derive(Debug)]
pub(crate) struct IdMemory {
    limit_bytes: usize,
    /// What they used when it was last counted, and what was loaded since.
    resident_bytes: usize,
    /// Whether the next record has to wait for a commit, because only that makes room for ids.
    is_commit_needed: bool,
}

/// What an eviction of segments of ids has come to.
#[derive(Debug)]
pub(crate) struct IdEvictionOutcome {
    /// The memory that ids use now, in bytes.
    pub(crate) left_bytes: usize,
    /// How many segments have left memory.
    pub(crate) evicted_segments: u64,
    /// Whether more can leave memory once everything is committed.
    pub(crate) commit_frees_memory: bool,
}

impl IdMemory {
    /// Returns memory without a limit.
    pub(crate) const fn unlimited() -> Self {
        Self {
            limit_bytes: usize::MAX,
            resident_bytes: 0,
            is_commit_needed: false,
        }
    }

    pub(crate) const fn set_limit(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    /// Returns how many bytes of segments may be loaded for records that come later: a quarter of
    /// the limit, but never so few that each record would load its own segment by a call of its
    /// own.
    pub(crate) const fn max_prefetch_bytes(&self) -> u64 {
        let quarter_bytes = self.limit_bytes as u64 / 4;
        if quarter_bytes < MIN_PREFETCH_BYTES {
            MIN_PREFETCH_BYTES
        } else {
            quarter_bytes
        }
    }

    pub(crate) const fn resident_bytes(&self) -> usize {
        self.resident_bytes
    }

    pub(crate) const fn record_counted(&mut self, resident_bytes: usize) {
        self.resident_bytes = resident_bytes;
    }

    pub(crate) const fn record_loaded(&mut self, bytes: usize) {
        self.resident_bytes += bytes;
    }

    /// Returns how much may stay if `needed_bytes` more are needed, or `None` if there is room for
    /// them. It is less than the limit, so that not every load has to make room again.
    pub(crate) const fn target_bytes_if_exceeded(&self, needed_bytes: usize) -> Option<usize> {
        if self.resident_bytes.saturating_add(needed_bytes) <= self.limit_bytes {
            return None;
        }
        let target_bytes = self.limit_bytes - self.limit_bytes / 8;
        Some(target_bytes.saturating_sub(needed_bytes))
    }

    /// Records that what may leave memory has left it. If there is still no room for
    /// `needed_bytes` more, and a commit would make some, the next record waits for one.
    pub(crate) const fn record_evicted(
        &mut self,
        eviction: &IdEvictionOutcome,
        needed_bytes: usize,
    ) {
        self.resident_bytes = eviction.left_bytes;
        let is_exceeded = eviction.left_bytes.saturating_add(needed_bytes) > self.limit_bytes;
        self.is_commit_needed = is_exceeded && eviction.commit_frees_memory;
    }

    /// Returns whether the next record has to wait for a commit.
    pub(crate) const fn is_commit_needed(&self) -> bool {
        self.is_commit_needed
    }

    /// Records that everything so far is committed.
    pub(crate) const fn record_awaited_commit(&mut self) {
        self.is_commit_needed = false;
    }
}
