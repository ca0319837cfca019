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
    /// A write beyond the limit of file sizes fails with an error, which names the file, and does
    /// not end the process.
    _file_size: Signal,
}

impl UnixSignals {
    /// Installs the handlers of SIGINT and SIGTERM, and one of SIGXFSZ that does nothing.
    pub(super) fn listen() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
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
