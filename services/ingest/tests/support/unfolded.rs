//! A store that no aggregator has written to yet.

use market::{BarRow, Instrument, Venue, VenueSettings};
use store::{
    BarKey, BarQuery, BarReader, IdKey, IdQuery, IdRanges, IdRow, Progress, RejectedRange,
    StoreError, SymbolQuery, SymbolRow, VenueRow,
};

/// A store that no aggregator has written to yet.
#[derive(Clone, Default)]
pub struct Unfolded;

impl BarReader for Unfolded {
    async fn progress(&self) -> Result<Vec<Progress>, StoreError> {
        Ok(Vec::new())
    }

    async fn bars(&self, keys: &[BarKey]) -> Result<Vec<Option<BarRow>>, StoreError> {
        Ok(vec![None; keys.len()])
    }

    async fn bar_range(&self, _: &BarQuery) -> Result<Vec<BarRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn ids(&self, _: &IdKey) -> Result<IdRow, StoreError> {
        Ok(IdRow {
            ranges: Vec::new(),
            exact: Vec::new(),
            last_append_ns: 0,
        })
    }

    async fn id_ranges(&self, _: &IdQuery) -> Result<Vec<(IdKey, IdRanges)>, StoreError> {
        Ok(Vec::new())
    }

    async fn symbol(&self, _: &Instrument) -> Result<Option<SymbolRow>, StoreError> {
        Ok(None)
    }

    async fn symbols(&self, _: &SymbolQuery) -> Result<Vec<SymbolRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn venue(&self, _: &Venue, _: u32) -> Result<Option<VenueSettings>, StoreError> {
        Ok(None)
    }

    async fn venues(&self) -> Result<Vec<VenueRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn rejected(
        &self,
        _: u32,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<Vec<RejectedRange>, StoreError> {
        Ok(Vec::new())
    }
}
