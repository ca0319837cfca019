//! Trades, and the responses to requests that append to the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::problem::ProblemJson;

/// A trade, with its edits applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeJson {
    /// The venue's id, or the trade's position if the venue gave it none.
    pub id: String,
    /// When the trade happened, in RFC 3339 UTC.
    pub time: String,
    /// The price, an exact decimal.
    pub price: String,
    /// The quantity, an exact decimal.
    pub quantity: Option<String>,
    /// The aggressor: `buy` or `sell`.
    pub side: Option<Cow<'static, str>>,
    /// What the id is unique within, if the venue's id scope is `exchange` or `file`.
    pub scope: Option<String>,
    /// Where the log holds the trade: `epoch-partition-offset`.
    pub position: String,
    /// When the log stored the trade, in RFC 3339 UTC.
    pub append_time: String,
}

/// The response to `POST /api/v1/trades`: the log holds all trades that are not rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionResponseJson {
    /// The number of trades that the log holds now.
    pub accepted: u64,
    /// The number of rejected elements, listed or not.
    pub rejected_total: u64,
    /// The first rejected elements, ascending by index.
    pub rejected: Vec<RejectedTradeJson>,
    /// Where the log holds the accepted trades, ascending by partition.
    #[serde(default)]
    pub appended: Vec<AppendedOffsetsJson>,
}

/// Where a partition of the log holds the accepted trades of a request. Records of other senders
/// may lie between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedOffsetsJson {
    /// The partition.
    pub partition: u32,
    /// The epoch of the log.
    pub epoch: u64,
    /// The offset of the first of them.
    pub first_offset: u64,
    /// One past the offset of the last of them.
    pub end_offset: u64,
}

/// The response to `POST /api/v1/trades` if every element was rejected: a problem with the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedSubmissionProblemJson {
    /// The problem; its members are those of this object.
    #[serde(flatten)]
    pub problem: ProblemJson,
    /// The number of rejected elements, listed or not.
    pub rejected_total: u64,
    /// The first rejected elements, ascending by index.
    pub rejected: Vec<RejectedTradeJson>,
}

/// An element of `POST /api/v1/trades` that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedTradeJson {
    /// Its index in the request, from 0; the line in NDJSON.
    pub index: usize,
    /// The field at fault; empty if it is the whole element.
    pub field: Cow<'static, str>,
    /// The reason, one of a closed set.
    pub code: Cow<'static, str>,
    /// What is wrong and what would be accepted, for people.
    pub message: Cow<'static, str>,
}

/// The response to `PUT` and `DELETE /api/v1/trades/{venue}/{symbol}/{id}`: the log holds the edit
/// or cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentResponseJson {
    /// The amendment's own id.
    pub amendment: String,
    /// Where the log holds the amendment: `epoch-partition-offset`.
    pub position: String,
}

/// The response to `POST /api/v1/repairs`: the log holds the repair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairResponseJson {
    /// The number of records that were appended.
    pub records: u64,
    /// The number of minutes that these records mark for refolding.
    pub minutes: u64,
    /// The number of minutes left out because their hours are beyond the horizon and cannot
    /// change any more.
    pub beyond_horizon: u64,
}
