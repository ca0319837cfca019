//! The threads of a run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::link::Link;
use crate::pace::Timer;
use crate::place::Place;
use crate::progress::{Notices, Progress};
use crate::reading::{ReadOutcome, Reading};
use crate::send::{Acknowledged, send_all};
use crate::tally::Tally;

/// How often the progress is shown while nothing is acknowledged.
const SHOW_INTERVAL: Duration = Duration::from_millis(250);

/// What the threads of a run share.
pub(crate) struct Run<'a> {
    /// Where trades go.
    pub(crate) link: &'a Link<'a>,
    /// The first thread's clock.
    pub(crate) timer: &'a Timer,
    /// Where messages go.
    pub(crate) notices: &'a Notices,
    /// Set when the run ends early.
    pub(crate) stop: &'a AtomicBool,
    /// How many there are.
    pub(crate) tapes: usize,
}

impl Run<'_> {
    /// Sends everything.
    ///
    /// # Errors
    /// Where something cannot be sent; what was acknowledged until then is noted.
    pub(crate) fn send(
        &self,
        reading: Reading,
        connections: u32,
        place: &mut Place,
        progress: Progress,
    ) -> anyhow::Result<(Tally, ReadOutcome)> {
        let timers = (0..=connections).map(|_| Timer::new());
        let mut timers: Vec<_> = timers
            .collect::<Result<_, _>>()
            .context("cannot make a timer")?;
        thread::scope(|scope| {
            let (chunks, ahead) = sync_channel(connections as usize + 2);
            let (tell, outcomes) = channel();
            let reader_timer = timers.pop();
            let reader = scope.spawn(move || {
                let timer = reader_timer.expect("there is one more timer than senders");
                reading.run(self.tapes, &timer, self.stop, &chunks)
            });
            let ahead = Arc::new(Mutex::new(ahead));
            for timer in timers {
                let (ahead, tell) = (Arc::clone(&ahead), tell.clone());
                scope.spawn(move || send_all(self.link, &timer, self.stop, &ahead, &tell));
            }
            // The channels end with the threads that use them.
            drop((ahead, tell));
            let mut tally = Tally::new(self.tapes, place.before);
            let counted = self.count(&outcomes, &mut tally, place, progress);
            if counted.is_err() {
                place.reach(tally.reached, true, self.timer.now(), self.notices);
                self.stop.store(true, Ordering::Relaxed);
            }
            drop(outcomes);
            let read = reader.join();
            let read = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counted.map(|()| (tally, read))
        })
    }

    /// Counts what is acknowledged, until everything is.
    fn count(
        &self,
        outcomes: &Receiver<anyhow::Result<Acknowledged>>,
        tally: &mut Tally,
        place: &mut Place,
        mut progress: Progress,
    ) -> anyhow::Result<()> {
        let mut bytes = 0;
        loop {
            match outcomes.recv_timeout(SHOW_INTERVAL) {
                Ok(outcome) => {
                    let chunk = outcome?;
                    bytes = chunk.bytes_read.max(bytes);
                    tally.add(chunk);
                    place.reach(tally.reached, false, self.timer.now(), self.notices);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            progress.show(bytes, tally.trades(), self.timer.now());
        }
        Ok(())
    }
}
