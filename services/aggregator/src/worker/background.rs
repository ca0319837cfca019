//! Calls that make progress while their session waits for something else.
//!
//! A transaction that is not polled stays open, with its locks, until the server ends it; and a
//! half-open breaker that has let one call through rejects all others until that call has ended.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot};

type BoxedCall = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts calls that the session does not wait for at once.
pub(super) struct SessionCallStarter(mpsc::UnboundedSender<BoxedCall>);

/// Polls the calls, next to the session.
pub(super) struct SessionCallDriver(mpsc::UnboundedReceiver<BoxedCall>);

/// The answer to a background call. It arrives unless the driver is dropped.
pub(super) type PendingAnswer<T> = oneshot::Receiver<T>;

/// Returns the two ends: one to start calls, one to poll them.
pub(super) fn background_call_channel() -> (SessionCallStarter, SessionCallDriver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (SessionCallStarter(sender), SessionCallDriver(receiver))
}

impl SessionCallStarter {
    /// Hands a call to the driver and returns its pending answer.
    pub(super) fn start<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> PendingAnswer<T> {
        let (sender, answer) = oneshot::channel();
        let call = async move {
            // If the receiver was dropped, the session no longer needs the answer.
            let _ = sender.send(call.await);
        };
        // The session and the driver are dropped together.
        let _ = self.0.send(Box::pin(call));
        answer
    }
}

impl SessionCallDriver {
    /// Polls the calls for ever.
    pub(super) async fn drive(mut self) -> Infallible {
        let mut calls: Vec<BoxedCall> = Vec::new();
        poll_fn(move |context| {
            while let Poll::Ready(Some(call)) = self.0.poll_recv(context) {
                calls.push(call);
            }
            calls.retain_mut(|call| call.as_mut().poll(context).is_pending());
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    /// A half-open breaker lets one call through, and a pool lends its last connection once: the
    /// call that holds it must be able to end while the session waits for it.
    #[tokio::test]
    async fn a_background_call_makes_progress_while_the_session_waits_for_what_it_holds() {
        let only = Arc::new(Semaphore::new(1));
        let (background, driver) = background_call_channel();
        let session = async {
            let (held, (hold, held_now)) = (only.clone(), oneshot::channel());
            let answer = background.start(async move {
                let _permit = held.acquire().await.unwrap();
                hold.send(()).unwrap();
                tokio::task::yield_now().await;
                7
            });
            held_now.await.unwrap();
            let _permit = only.acquire().await.unwrap();
            answer.await.unwrap()
        };
        let outcome = tokio::select! {
            biased;
            never = driver.drive() => match never {},
            outcome = session => outcome,
        };
        assert_eq!(outcome, 7);
    }

    #[tokio::test]
    async fn background_calls_end_when_their_driver_is_dropped() {
        let (background, driver) = background_call_channel();
        let answer = background.start(std::future::pending::<()>());
        drop(driver);
        assert!(answer.await.is_err());
    }
}
