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
