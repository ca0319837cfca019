//! Where a partition ends, and the waiting for it to grow.

use tokio::sync::watch;

use crate::{LogError, Offset};

/// The end of one partition as readers see it.
///
/// Built on a watch channel, which needs no runtime: any executor may poll a wait.
#[derive(Debug)]
pub(crate) struct Progress(watch::Sender<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    end: Offset,
    closed: bool,
}

impl Progress {
    /// A partition that ends at `end`.
    pub(crate) fn new(end: Offset) -> Self {
        Self(watch::Sender::new(State { end, closed: false }))
    }

    /// Moves the end and wakes those who wait for it.
    pub(crate) fn advance(&self, end: Offset) {
        self.0.send_modify(|state| state.end = end);
    }

    /// Tells everyone who waits, now or later, that nothing more comes.
    pub(crate) fn close(&self) {
        self.0.send_modify(|state| state.closed = true);
    }

    /// Fails once the partition is closed.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        if self.0.borrow().closed {
            return Err(LogError::Closed);
        }
        Ok(())
    }

    /// Waits until the end is beyond `offset`. Holds nothing while it waits, so it may be dropped.
    pub(crate) async fn wait_beyond(&self, offset: Offset) -> Result<(), LogError> {
        let mut receiver = self.0.subscribe();
        match receiver
            .wait_for(|state| state.closed || state.end > offset)
            .await
        {
            Ok(state) if !state.closed => Ok(()),
            _ => Err(LogError::Closed),
        }
    }
}
