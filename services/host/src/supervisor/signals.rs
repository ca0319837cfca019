//! The signals that end the process.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where signals come from: the operating system, or a test.
pub(super) trait SignalSource: Send {
    /// Waits for the next signal and returns its name.
    fn next_signal(&mut self) -> impl Future<Output = &'static str> + Send;
}

/// SIGINT and SIGTERM.
pub(super) struct UnixSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl UnixSignals {
    /// Installs the handlers of SIGINT and SIGTERM.
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
    async fn next_signal(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
