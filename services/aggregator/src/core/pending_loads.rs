//! The load requests of the record that comes next.

use super::loading::LoadRequest;

/// The load requests of the record that comes next.
#[derive(Debug, Default)]
pub(crate) struct PendingLoadRequests {
    requests: Vec<LoadRequest>,
    /// Whether the next record waits before it has had any effect.
    is_before_record: bool,
}

impl PendingLoadRequests {
    pub(crate) fn requests(&self) -> &[LoadRequest] {
        &self.requests
    }

    /// Returns whether every effect so far belongs to a record that is applied.
    pub(crate) const fn is_between_records(&self) -> bool {
        self.requests.is_empty() || self.is_before_record
    }

    /// Requests data for a record that has begun to take effect: time has passed up to it.
    pub(crate) fn request_loads_for_begun_record(&mut self, requests: Vec<LoadRequest>) {
        self.requests = requests;
    }

    /// Requests data before the next record has any effect. Returns whether any is missing.
    pub(crate) fn block_next_record_if_missing(&mut self, requests: Vec<LoadRequest>) -> bool {
        self.is_before_record = !requests.is_empty();
        self.requests = requests;
        self.is_before_record
    }

    /// Returns the requests, for more to be added that later records will need.
    pub(crate) const fn requests_mut(&mut self) -> &mut Vec<LoadRequest> {
        &mut self.requests
    }

    /// Drops the requests, which were answered.
    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.is_before_record = false;
    }
}
