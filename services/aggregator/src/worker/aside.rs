//! Calls that go on whatever their session waits for itself.
//!
//! A transaction that nobody polls stands open, with its locks, until the server ends it; and a
//! breaker that has let one call through turns all others away until that call has ended.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot};

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a session leaves calls that it does not wait for now.
pub(super) struct Aside(mpsc::UnboundedSender<Call>);

/// Who makes them go on, beside the session.
pub(super) struct Driver(mpsc::UnboundedReceiver<Call>);

/// The answer to such a call. It comes as long as the driver lives.
pub(super) type Answer<T> = oneshot::Receiver<T>;

pub(super) fn aside() -> (Aside, Driver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Aside(sender), Driver(receiver))
}

impl Aside {
    /// Begins a call.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let call = async move {
            // Who does not want to know any more has dropped the other end.
            let _ = answer.send(call.await);
        };
        // Session and driver are dropped together.
        let _ = self.0.send(Box::pin(call));
        answered
    }
}

impl Driver {
    /// Polls the calls for ever.
    pub(super) async fn drive(mut self) -> Infallible {
        let mut calls: Vec<Call> = Vec::new();
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

    /// A breaker that is half open lets one call through, and a pool lends its last connection
    /// once: whoever holds it must come to its end while the session waits for it.
    #[tokio::test]
    async fn a_call_goes_on_while_the_session_waits_for_what_it_holds() {
        let only = Arc::new(Semaphore::new(1));
        let (aside, driver) = aside();
        let session = async {
            let (held, (hold, held_now)) = (only.clone(), oneshot::channel());
            let answer = aside.begin(async move {
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
    async fn calls_end_with_their_driver() {
        let (aside, driver) = aside();
        let answer = aside.begin(std::future::pending::<()>());
        drop(driver);
        assert!(answer.await.is_err());
    }
}
