//! Sending, on threads of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use crate::chunk::{Chunk, Origin, Request};
use crate::faults::Fault;
use crate::link::Link;
use crate::pace::Timer;
use schemas::api::SubmissionJson;

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
        acknowledged.refuse(request, answer);
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

    fn refuse(&mut self, request: &Request, answer: SubmissionJson) {
        let unlisted = answer.rejected_total - answer.rejected.len() as u64;
        let next = answer.rejected.last().map_or(0, |last| last.index + 1);
        for rejection in answer.rejected {
            let Origin { tape, line } = request.origins[rejection.index];
            self.rejected.push(Fault {
                tape,
                line,
                reason: rejection.message.into_owned(),
            });
        }
        // Which ones they are is not told: some of those that follow. They are counted as the
        // very next, so that no tape has more of them than trades.
        let unlisted = usize::try_from(unlisted).unwrap_or(usize::MAX);
        for origin in request.origins[next..].iter().take(unlisted) {
            self.rejected.push(Fault {
                tape: origin.tape,
                line: 0,
                reason: "one of more trades than the answer lists".to_owned(),
            });
        }
    }

    /// How many trades it held.
    pub(crate) fn trades(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_trades_that_are_not_listed_are_counted() {
        let origin = |line| Origin {
            tape: usize::from(line > 4),
            line,
        };
        let request = Request {
            venue: "v".parse().unwrap(),
            body: Vec::new(),
            origins: (1..=8).map(origin).collect(),
        };
        let refuse = |text: &str| {
            let mut acknowledged = Acknowledged {
                sequence: 0,
                counts: Vec::new(),
                rejected: Vec::new(),
                bytes_read: 0,
            };
            let answer: SubmissionJson = serde_json::from_str(text).unwrap();
            let refused = answer.rejected_total;
            acknowledged.refuse(&request, answer);
            assert_eq!(acknowledged.rejected.len() as u64, refused);
            let faults = acknowledged.rejected.iter();
            faults
                .map(|fault| (fault.tape, fault.line))
                .collect::<Vec<_>>()
        };
        let listed = r#""rejected":[{"index":1,"field":"","code":"c","message":"a"},
            {"index":2,"field":"","code":"c","message":"b"}]"#;
        let few = format!(r#"{{"accepted":6,"rejected_total":2,{listed}}}"#);
        assert_eq!(refuse(&few), [(0, 2), (0, 3)]);
        let many = format!(r#"{{"accepted":3,"rejected_total":5,{listed}}}"#);
        assert_eq!(refuse(&many), [(0, 2), (0, 3), (0, 0), (1, 0), (1, 0)]);
    }
}
