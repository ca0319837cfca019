//! The columns that name a set of ids, and ids as text.

use std::sync::Arc;

use market::TradeId;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::column::read_parsed_text;
use super::database_error::DatabaseError;
use crate::IdSetKey;

/// The keys of some sets as columns, to be bound to parameters of `unnest`.
pub(super) struct IdSetKeyColumns<'a> {
    pub(super) instruments: Vec<&'a str>,
    pub(super) scopes: Vec<&'a str>,
    pub(super) buckets_ns: Vec<i64>,
}

impl<'a> IdSetKeyColumns<'a> {
    pub(super) fn from_keys(keys: impl Iterator<Item = &'a IdSetKey> + Clone) -> Self {
        Self {
            instruments: keys.clone().map(|key| key.instrument.key()).collect(),
            scopes: keys.clone().map(|key| &*key.scope).collect(),
            buckets_ns: keys.map(|key| key.bucket_ns).collect(),
        }
    }
}

/// Reads the first three columns of a row: instrument, scope, `bucket_ns`.
pub(super) fn read_id_set_key(row: &PgRow) -> Result<IdSetKey, DatabaseError> {
    let scope: &str = row.try_get(1)?;
    Ok(IdSetKey {
        instrument: read_parsed_text(row, 0, "instrument")?,
        scope: Arc::from(scope),
        bucket_ns: row.try_get(2)?,
    })
}

/// Parses an id that a TEXT column holds.
pub(super) fn parse_trade_id(text: &str) -> Result<TradeId, DatabaseError> {
    TradeId::parse(text).map_err(|error| DatabaseError::malformed_value("id", error))
}
