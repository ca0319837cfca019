//! Sending, on threads of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use crate::replay::chunk::{Chunk, Origin, Request};
use crate::replay::faults::Fault;
use crate::replay::link::Link;
use crate::replay::pace::Timer;

/// What became of a chunk.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// Its number in the run.
    pub(crate) sequence: u64,
    /// How many trades it held, by tape.
    pub(crate) counts: Vec<(usize, u64)>,
    /// The refused ones.
    pub(crate) rejected: Vec<Fault>,
    /// How many bytes of the files were read when it was cut.
    pub(crate) bytes_read: u64,
}

/// Sends chunks one after the other until there are no more, or one cannot be sent.
pub(crate) fn send_all(
    link: &Link<'_>,
    timer: &Timer,
    stop: &AtomicBool,
    chunks: &Mutex<Receiver<Chunk>>,
    outcomes: &Sender<anyhow::Result<Acknowledged>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let next = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(chunk) = next else {
            return;
        };
        let outcome = send(link, timer, &chunk);
        let is_failed = outcome.is_err();
        // The cause is told before others are told to stop, which fail then as well.
        let is_heard = outcomes.send(outcome).is_ok();
        if is_failed || !is_heard {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn send(link: &Link<'_>, timer: &Timer, chunk: &Chunk) -> anyhow::Result<Acknowledged> {
    let mut acknowledged = Acknowledged {
        sequence: chunk.sequence,
        counts: Vec::new(),
        rejected: Vec::new(),
        bytes_read: chunk.bytes_read,
    };
    for request in &chunk.requests {
        let answer = link.send(request, timer)?;
        acknowledged.count(request);
        for rejection in answer.rejected {
            let Origin { tape, line } = request.origins[rejection.index];
            acknowledged.rejected.push(Fault {
                tape,
                line,
                reason: rejection.message,
            });
        }
    }
    Ok(acknowledged)
}

impl Acknowledged {
    fn count(&mut self, request: &Request) {
        for origin in &request.origins {
            let known = self
                .counts
                .iter_mut()
                .find(|(tape, _)| *tape == origin.tape);
            match known {
                Some((_, count)) => *count += 1,
                None => self.counts.push((origin.tape, 1)),
            }
        }
    }

    /// How many trades it held.
    pub(crate) fn trades(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}
