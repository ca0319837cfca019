//! Connections that hold a permit for as long as they are open, and end if they are not read.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use clock::{Clock, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

/// How long a client may leave what was written to it unread. It is longer than a stall of a mobile
/// network, and short enough that clients that never read do not hold all connections.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A stream that holds one of a limited number of permits until it is dropped. The stream of an
/// upgraded connection outlives its HTTP connection, and so does the permit.
pub(super) struct PermitHoldingStream<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
    /// Completes when the write that waits now has waited for too long; none if none waits.
    write_deadline: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<S> PermitHoldingStream<S> {
    /// Returns a stream that holds `permit`.
    pub(super) const fn new(stream: S, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            _permit: permit,
            write_deadline: None,
        }
    }

    /// Returns the outcome of a write, or an error if writes have waited for too long.
    fn fail_if_write_deadline_passed<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(SystemClock.sleep(WRITE_TIMEOUT)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                ErrorKind::TimedOut,
                "the client does not read what it requested",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PermitHoldingStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PermitHoldingStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.fail_if_write_deadline_passed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.fail_if_write_deadline_passed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.fail_if_write_deadline_passed(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::*;

    fn seconds_since(begin_ns: u64) -> u64 {
        Duration::from_nanos(SystemClock.monotonic_ns() - begin_ns).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_ends_once_the_client_has_not_read_for_too_long() {
        let permits = Arc::new(Semaphore::new(1));
        let (near, mut far) = tokio::io::duplex(64);
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let mut stream = PermitHoldingStream::new(near, permit);
        // A slow reader is served as long as it reads something in time.
        let begin_ns = SystemClock.monotonic_ns();
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 64];
            for _ in 0..5 {
                SystemClock
                    .sleep(WRITE_TIMEOUT - Duration::from_secs(1))
                    .await;
                far.read_exact(&mut buffer).await.unwrap();
            }
            far
        });
        stream.write_all(&[7; 5 * 64]).await.unwrap();
        let mut far = reader.await.unwrap();
        let error = stream.write_all(&[7; 1_000]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(seconds_since(begin_ns), 5 * 29 + 30);
        drop(stream);
        assert_eq!(permits.available_permits(), 1);
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
    }
}
