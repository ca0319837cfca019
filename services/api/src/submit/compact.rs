//! Trades as `replay` sends them.

use schemas::TradesBatch;

use super::submission::{ElementFault, FaultCode, TradeSubmission};
use crate::problem::{ErrorCode, Problem};

/// The approximate size of a trade in this form.
const TRADE_BYTES: usize = 32;

/// Reads a [`TradesBatch`].
///
/// # Errors
/// A [`Problem`] if the bytes around the trades cannot be read.
pub(crate) fn read_compact_trades(
    body: &[u8],
    sender_key: Option<[u8; 16]>,
) -> Result<TradeSubmission, Problem> {
    let mut submission = TradeSubmission::new(sender_key, body.len() / TRADE_BYTES);
    let mut index = 0;
    let read = TradesBatch::decode_each(body, |trade| {
        let element = trade.map_err(|error| {
            ElementFault::new(error.field(), FaultCode::Malformed, error.to_string())
        });
        submission.push(index, element);
        index += 1;
    });
    read.map_err(|error| {
        Problem::new(ErrorCode::InvalidBody, error.to_string())
            .with_field(error.field())
            .with_accepted("[1, venue, [symbol, …], [[index of the symbol, record], …]]")
    })?;
    Ok(submission)
}
