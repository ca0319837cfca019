//! Trades as `replay` sends them.

use ingest::{BatchError, TradesBatch};
use schemas::DecodeError;

use super::submission::{Fault, FaultCode, Submission};
use crate::{ErrorCode, Problem};

/// Reads a [`TradesBatch`].
pub(crate) fn read(body: &[u8], sender: Option<[u8; 16]>) -> Result<Submission, Problem> {
    let trades = TradesBatch::decode(body).map_err(|error| {
        let field = match &error {
            BatchError::Malformed { field, .. } | BatchError::Name { field, .. } => *field,
            BatchError::Version { .. } => "version",
        };
        Problem::new(ErrorCode::InvalidBody, error.to_string())
            .field(field)
            .accepted("[1, venue, [symbol, …], [[place of the symbol, record], …]]")
    })?;
    let mut submission = Submission::new(sender, trades.len());
    for (index, trade) in trades.into_iter().enumerate() {
        submission.push(index, trade.map_err(|error| fault_of(&error)));
    }
    Ok(submission)
}

fn fault_of(error: &DecodeError) -> Fault {
    let field = match error {
        DecodeError::Malformed { field, .. } => *field,
        DecodeError::Version { .. } | DecodeError::Kind { .. } => "record",
    };
    Fault::new(field, FaultCode::Malformed, error.to_string())
}
