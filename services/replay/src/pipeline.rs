//! The threads of a run: one reader, several senders, and the caller, which counts.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::chunk_order::ChunkOrder;
use crate::progress::{ProgressDisplay, StatusPrinter};
use crate::reader_thread::{ReaderThread, ReaderThreadOutcome};
use crate::resume_point::ResumePoint;
use crate::send_counts::SendCounts;
use crate::sender_threads::{ChunkAcknowledgement, send_chunks};
use crate::server_connection::ServerConnection;
use crate::thread_timer::ThreadTimer;

/// How often the progress is shown while the server acknowledges nothing.
const SHOW_INTERVAL: Duration = Duration::from_millis(250);

/// What the threads of a run share.
pub(crate) struct ReplayPipeline<'a> {
    pub(crate) connection: &'a ServerConnection<'a>,
    /// The timer of the calling thread.
    pub(crate) timer: &'a ThreadTimer,
    pub(crate) messages: &'a StatusPrinter,
    /// Cancelled if the run ends early.
    pub(crate) stop: &'a CancellationToken,
    pub(crate) tape_count: usize,
}

impl ReplayPipeline<'_> {
    /// Reads and sends everything, over `connections` sender threads.
    ///
    /// # Errors
    /// If a request fails for good. What was acknowledged until then is saved.
    pub(crate) fn run(
        &self,
        reader: ReaderThread,
        connections: u32,
        resume_point: &mut ResumePoint,
        progress: ProgressDisplay,
    ) -> anyhow::Result<(SendCounts, ReaderThreadOutcome)> {
        let timers = (0..=connections).map(|_| ThreadTimer::new());
        let mut timers: Vec<_> = timers
            .collect::<Result<_, _>>()
            .context("cannot create a timer")?;
        thread::scope(|scope| {
            let (chunk_sender, chunks) = sync_channel(connections as usize + 2);
            let (outcome_sender, outcomes) = channel();
            let reader_timer = timers.pop();
            let reader = scope.spawn(move || {
                let timer = reader_timer.expect("there is one more timer than senders");
                reader.run(self.tape_count, &timer, self.stop, &chunk_sender)
            });
            let order = Arc::new(ChunkOrder::new());
            let chunks = Arc::new(Mutex::new(chunks));
            for timer in timers {
                let (chunks, outcomes) = (Arc::clone(&chunks), outcome_sender.clone());
                let order = Arc::clone(&order);
                scope.spawn(move || {
                    let connection = self.connection;
                    send_chunks(connection, &order, &timer, self.stop, &chunks, &outcomes);
                });
            }
            // Each channel closes once the threads that use it have ended.
            drop((chunks, outcome_sender));
            let mut counts = SendCounts::new(self.tape_count, resume_point.sent_before);
            let counted = self.count_outcomes(&outcomes, &mut counts, resume_point, progress);
            if counted.is_err() {
                resume_point.save(counts.contiguous, self.timer.now(), self.messages);
                self.stop.cancel();
            }
            drop(outcomes);
            let read = reader.join();
            let read = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counted.map(|()| (counts, read))
        })
    }

    /// Counts acknowledged chunks until all senders have ended.
    fn count_outcomes(
        &self,
        outcomes: &Receiver<anyhow::Result<ChunkAcknowledgement>>,
        counts: &mut SendCounts,
        resume_point: &mut ResumePoint,
        mut progress: ProgressDisplay,
    ) -> anyhow::Result<()> {
        let mut bytes_read = 0;
        loop {
            match outcomes.recv_timeout(SHOW_INTERVAL) {
                Ok(outcome) => {
                    let chunk = outcome?;
                    bytes_read = chunk.bytes_read.max(bytes_read);
                    counts.add_chunk(chunk);
                    let now = self.timer.now();
                    resume_point.save_if_due(counts.contiguous, now, self.messages);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.show(bytes_read, counts.total_sent(), self.timer.now());
        }
        Ok(())
    }
}
