//! Trades as `replay` sends them.

use schemas::DecodeError;
use schemas::{BatchError, TradesBatch};

use super::submission::{Fault, FaultCode, Submission};
use crate::{ErrorCode, Problem};

/// What a trade takes in this form, roughly.
const TRADE_BYTES: usize = 32;

/// Reads a [`TradesBatch`].
pub(crate) fn read(body: &[u8], sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    let mut submission = Submission::new(sender, body.len() / TRADE_BYTES);
    let mut index = 0;
    let read = TradesBatch::decode_each(body, |trade| {
        submission.push(index, trade.map_err(|error| fault_of(&error)));
        index += 1;
    });
    read.map_err(|error| {
        let field = match &error {
            BatchError::Malformed { field, .. } | BatchError::Name { field, .. } => *field,
            BatchError::Version { .. } => "version",
        };
        Problem::new(ErrorCode::InvalidBody, error.to_string())
            .field(field)
            .accepted("[1, venue, [symbol, …], [[place of the symbol, record], …]]")
    })?;
    Ok(submission)
}

fn fault_of(error: &DecodeError) -> Fault {
    let field = match error {
        DecodeError::Malformed { field, .. } => *field,
        DecodeError::Version { .. } | DecodeError::Kind { .. } => "record",
    };
    Fault::new(field, FaultCode::Malformed, error.to_string())
}
