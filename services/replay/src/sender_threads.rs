//! The threads that send chunks.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use market::TieOrder;
use tokio_util::sync::CancellationToken;

use crate::chunk::{TradeOrigin, TradesChunk, TradesRequest};
use crate::chunk_order::ChunkOrder;
use crate::problems::LineProblem;
use crate::server_connection::ServerConnection;
use crate::thread_timer::ThreadTimer;
use schemas::api::{AppendedOffsetsJson, SubmissionResponseJson};

/// A chunk whose trades the log has acknowledged, apart from rejected ones.
#[derive(Debug)]
pub(crate) struct ChunkAcknowledgement {
    /// Its number in the run.
    pub(crate) sequence: u64,
    /// The number of its trades by tape, rejected ones included.
    pub(crate) trades_by_tape: Vec<(usize, u64)>,
    pub(crate) rejected: Vec<LineProblem>,
    /// Where the log holds the accepted ones.
    pub(crate) appended: Vec<AppendedOffsetsJson>,
    /// The number of bytes of the files that were read when the chunk was finished.
    pub(crate) bytes_read: u64,
}

/// Sends chunks one after the other until there are no more, one cannot be sent, or `stop` is
/// cancelled.
pub(crate) fn send_chunks(
    connection: &ServerConnection<'_>,
    order: &ChunkOrder,
    timer: &ThreadTimer,
    stop: &CancellationToken,
    chunks: &Mutex<Receiver<TradesChunk>>,
    outcomes: &Sender<anyhow::Result<ChunkAcknowledgement>>,
) {
    while !stop.is_cancelled() {
        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(chunk) = next else {
            return;
        };
        let outcome = send_chunk(connection, order, timer, stop, &chunk);
        let is_failed = outcome.is_err();
        if !is_failed {
            order.record_acknowledged(chunk.sequence);
        }
        // The cause is passed on before the other senders stop, which fail then as well.
        let is_received = outcomes.send(outcome).is_ok();
        if is_failed || !is_received {
            stop.cancel();
        }
    }
}

fn send_chunk(
    connection: &ServerConnection<'_>,
    order: &ChunkOrder,
    timer: &ThreadTimer,
    stop: &CancellationToken,
    chunk: &TradesChunk,
) -> anyhow::Result<ChunkAcknowledgement> {
    let mut acknowledged = ChunkAcknowledgement {
        sequence: chunk.sequence,
        trades_by_tape: Vec::new(),
        rejected: Vec::new(),
        appended: Vec::new(),
        bytes_read: chunk.bytes_read,
    };
    for request in &chunk.requests {
        if connection.declare_venue(&request.venue, timer)? == TieOrder::Log
            && !order.wait_for_turn(chunk.sequence, timer, stop)
        {
            anyhow::bail!("stopped before the trades could be sent in order");
        }
        let answer = connection.send_trades_batch(request, timer)?;
        acknowledged.count_trades(request);
        acknowledged.appended.extend(&answer.appended);
        acknowledged.add_rejected(request, answer);
    }
    Ok(acknowledged)
}

impl ChunkAcknowledgement {
    fn count_trades(&mut self, request: &TradesRequest) {
        for origin in &request.origins {
            let entry = self
                .trades_by_tape
                .iter_mut()
                .find(|(tape_index, _)| *tape_index == origin.tape_index);
            match entry {
                Some((_, count)) => *count += 1,
                None => self.trades_by_tape.push((origin.tape_index, 1)),
            }
        }
    }

    fn add_rejected(&mut self, request: &TradesRequest, answer: SubmissionResponseJson) {
        let unlisted = answer.rejected_total - answer.rejected.len() as u64;
        let next = answer.rejected.last().map_or(0, |last| last.index + 1);
        for rejection in answer.rejected {
            let TradeOrigin { tape_index, line } = request.origins[rejection.index];
            self.rejected.push(LineProblem {
                tape_index,
                line,
                reason: rejection.message.into_owned(),
            });
        }
        // The answer does not list which ones they are, only that they follow the listed ones.
        // They are counted as the next ones, so that no tape has more of them than trades.
        let unlisted = usize::try_from(unlisted).unwrap_or(usize::MAX);
        for origin in request.origins[next..].iter().take(unlisted) {
            self.rejected.push(LineProblem {
                tape_index: origin.tape_index,
                line: 0,
                reason: "one of more trades than the answer lists".to_owned(),
            });
        }
    }

    /// Returns the number of its trades, rejected ones included.
    pub(crate) fn trade_count(&self) -> u64 {
        self.trades_by_tape.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_trades_that_are_not_listed_are_counted() {
        let origin = |line| TradeOrigin {
            tape_index: usize::from(line > 4),
            line,
        };
        let request = TradesRequest {
            venue: "v".parse().unwrap(),
            body: Vec::new(),
            origins: (1..=8).map(origin).collect(),
        };
        let rejected_lines = |text: &str| {
            let mut acknowledged = ChunkAcknowledgement {
                sequence: 0,
                trades_by_tape: Vec::new(),
                rejected: Vec::new(),
                appended: Vec::new(),
                bytes_read: 0,
            };
            let answer: SubmissionResponseJson = serde_json::from_str(text).unwrap();
            let rejected_count = answer.rejected_total;
            acknowledged.add_rejected(&request, answer);
            assert_eq!(acknowledged.rejected.len() as u64, rejected_count);
            let problems = acknowledged.rejected.iter();
            problems
                .map(|problem| (problem.tape_index, problem.line))
                .collect::<Vec<_>>()
        };
        let listed = r#""rejected":[{"index":1,"field":"","code":"c","message":"a"},
            {"index":2,"field":"","code":"c","message":"b"}]"#;
        let few = format!(r#"{{"accepted":6,"rejected_total":2,{listed}}}"#);
        assert_eq!(rejected_lines(&few), [(0, 2), (0, 3)]);
        let many = format!(r#"{{"accepted":3,"rejected_total":5,{listed}}}"#);
        assert_eq!(
            rejected_lines(&many),
            [(0, 2), (0, 3), (0, 0), (1, 0), (1, 0)]
        );
    }
}
