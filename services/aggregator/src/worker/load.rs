//! Loading what a record needs and the core does not hold.

use backend::Backend;
use store::{BarKey, BarReader, IdSegmentKey};
use tokio_util::sync::CancellationToken;

use super::role::PartitionWorker;
use crate::core::{IdSetRequest, LoadRequest, LoadedData};
use crate::error::WorkerError;

/// Load requests, sorted by the calls that serve them.
#[derive(Default)]
pub(super) struct LoadPlan {
    bars: Vec<BarKey>,
    id_sets: Vec<IdSetRequest>,
    id_segments: Vec<IdSegmentKey>,
}

impl LoadPlan {
    pub(super) fn new(requests: &[LoadRequest]) -> Self {
        let mut plan = Self::default();
        for request in requests {
            match request {
                LoadRequest::Bar(key) => plan.bars.push(key.clone()),
                LoadRequest::IdSet(request) => plan.id_sets.push(request.clone()),
                LoadRequest::IdSegment(request) => plan.id_segments.push(request.key.clone()),
            }
        }
        plan
    }

    /// Loads everything. Returns `None` if the worker is stopped first.
    pub(super) async fn load<B: Backend>(
        self,
        worker: &PartitionWorker<B>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<LoadedData>>, WorkerError> {
        let store = &worker.stores.bars;
        let mut loaded = Vec::with_capacity(self.bars.len() + self.id_sets.len());
        if !self.bars.is_empty() {
            let read = || store.bars(&self.bars);
            let Some(rows) = worker.retry_store_call(stop, read).await? else {
                return Ok(None);
            };
            let rows = self.bars.iter().cloned().zip(rows);
            loaded.extend(rows.map(|(key, row)| LoadedData::Bar(key, row.map(Box::new))));
        }
        if !self.id_sets.is_empty() {
            let keys: Vec<_> = self.id_sets.iter().map(|set| set.key.clone()).collect();
            let Some(rows) = worker
                .retry_store_call(stop, || store.id_sets(&keys))
                .await?
            else {
                return Ok(None);
            };
            let rows = self.id_sets.into_iter().zip(rows);
            loaded.extend(rows.map(|(request, row)| LoadedData::IdSet(request, row)));
        }
        if !self.id_segments.is_empty() {
            let read = || store.id_segments(&self.id_segments);
            let Some(rows) = worker.retry_store_call(stop, read).await? else {
                return Ok(None);
            };
            let loaded_count = self.id_segments.len() as u64;
            worker.metrics.loaded_id_segments.increment(loaded_count);
            let rows = self.id_segments.into_iter().zip(rows);
            loaded.extend(rows.map(|(key, row)| LoadedData::IdSegment(key, row)));
        }
        Ok(Some(loaded))
    }
}
