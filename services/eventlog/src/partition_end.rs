//! Where a partition ends, and waiting until it grows.

use tokio::sync::watch;

use crate::error::LogError;
use crate::record::Offset;

/// The end of one partition as readers see it.
///
/// It is built on a watch channel, which needs no runtime: any executor may poll a wait.
#[derive(Debug)]
pub(crate) struct PartitionEnd(watch::Sender<EndAndClosedFlag>);

#[derive(Debug, Clone, Copy)]
struct EndAndClosedFlag {
    end: Offset,
    is_closed: bool,
}

impl PartitionEnd {
    /// Returns the end of a partition whose next record gets the offset `end`.
    pub(crate) fn new(end: Offset) -> Self {
        Self(watch::Sender::new(EndAndClosedFlag {
            end,
            is_closed: false,
        }))
    }

    /// Moves the end and wakes the tasks that wait for it.
    pub(crate) fn advance(&self, end: Offset) {
        self.0.send_modify(|state| state.end = end);
    }

    /// Fails every current and later wait with [`LogError::Closed`].
    pub(crate) fn close(&self) {
        self.0.send_modify(|state| state.is_closed = true);
    }

    /// Returns [`LogError::Closed`] if the partition is closed.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        if self.0.borrow().is_closed {
            return Err(LogError::Closed);
        }
        Ok(())
    }

    /// Waits until the end is greater than `offset`. Dropping the future loses nothing.
    pub(crate) async fn wait_beyond(&self, offset: Offset) -> Result<(), LogError> {
        let mut receiver = self.0.subscribe();
        match receiver
            .wait_for(|state| state.is_closed || state.end > offset)
            .await
        {
            Ok(state) if !state.is_closed => Ok(()),
            _ => Err(LogError::Closed),
        }
    }
}
