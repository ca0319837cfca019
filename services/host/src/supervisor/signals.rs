//! The signals that ask the process to end.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where requests to end come from: the operating system, or a test.
pub(super) trait SignalSource: Send {
    /// The name of the next one.
    fn next(&mut self) -> impl Future<Output = &'static str> + Send;
}

pub(super) struct UnixSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl UnixSignals {
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }
}

impl SignalSource for UnixSignals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
