//! The memory that request bodies may take together.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The largest body that is read.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The memory of all bodies together, except for the one of [`BodyBudget::whole_body`]. Each body
/// takes several times its size while it is parsed.
const SHARED_KIB: usize = 48 * 1024;
const KIB: usize = 1024;

/// The memory that request bodies may take together: 64 MiB. A request takes some of it as its body
/// arrives and returns it with the response, so many large bodies cannot exhaust the memory, and
/// requests that send nothing take none.
///
/// Bodies that have arrived in part and wait for more memory could wait for one another forever.
/// So the memory of one whole body is reserved: one body at a time may grow in it if the rest is
/// exhausted.
pub(crate) struct BodyBudget {
    shared_kib: Semaphore,
    whole_body: Semaphore,
}

/// The memory that one body has taken from the budget. Dropping it returns the memory.
pub(crate) struct BodyPermit<'a> {
    budget: &'a BodyBudget,
    shared_kib: Option<SemaphorePermit<'a>>,
    whole_body: Option<SemaphorePermit<'a>>,
}

impl BodyBudget {
    /// Returns a budget of 64 MiB.
    pub(crate) fn new() -> Self {
        Self {
            shared_kib: Semaphore::new(SHARED_KIB),
            whole_body: Semaphore::new(1),
        }
    }

    /// Returns the permit of a body of which nothing has arrived.
    pub(crate) const fn empty_permit(&self) -> BodyPermit<'_> {
        BodyPermit {
            budget: self,
            shared_kib: None,
            whole_body: None,
        }
    }
}

impl BodyPermit<'_> {
    /// Waits until the permit covers `size_bytes` of the body, which are at most
    /// [`MAX_BODY_BYTES`].
    pub(crate) async fn grow_to(&mut self, size_bytes: usize) {
        debug_assert!(size_bytes <= MAX_BODY_BYTES, "larger bodies are discarded");
        let held_kib = self
            .shared_kib
            .as_ref()
            .map_or(0, SemaphorePermit::num_permits);
        let missing_kib = size_bytes.div_ceil(KIB).saturating_sub(held_kib);
        if missing_kib == 0 || self.whole_body.is_some() {
            return;
        }
        let missing_kib = u32::try_from(missing_kib).expect("a body is below 4 TiB");
        tokio::select! {
            biased;
            more = self.budget.shared_kib.acquire_many(missing_kib) => {
                let more = more.expect("the semaphore is never closed");
                match &mut self.shared_kib {
                    Some(held) => held.merge(more),
                    None => self.shared_kib = Some(more),
                }
            }
            permit = self.budget.whole_body.acquire() => {
                self.whole_body = Some(permit.expect("the semaphore is never closed"));
            }
        }
    }

    /// Returns the memory to the budget: the body is discarded.
    pub(crate) fn release(&mut self) {
        self.shared_kib = None;
        self.whole_body = None;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_body_takes_only_what_has_arrived_and_returns_all_of_it() {
        let budget = BodyBudget::new();
        let mut permits: Vec<_> = (0..48).map(|_| budget.empty_permit()).collect();
        for permit in &mut permits {
            permit.grow_to(1).await;
            permit.grow_to(1024 * KIB).await;
        }
        assert_eq!(budget.shared_kib.available_permits(), 0);
        let mut whole = budget.empty_permit();
        whole.grow_to(MAX_BODY_BYTES).await;
        let mut late = budget.empty_permit();
        assert_eq!(late.grow_to(1).now_or_never(), None);
        permits[0].release();
        assert_eq!(late.grow_to(1).now_or_never(), Some(()));
        drop((permits, whole, late));
        assert_eq!(budget.shared_kib.available_permits(), SHARED_KIB);
        assert_eq!(budget.whole_body.available_permits(), 1);
    }

    #[tokio::test]
    async fn large_bodies_that_arrive_together_do_not_wait_for_one_another_for_ever() {
        let budget = BodyBudget::new();
        let read = |()| async {
            let mut permit = budget.empty_permit();
            for size_bytes in (0..=MAX_BODY_BYTES).step_by(64 * KIB) {
                permit.grow_to(size_bytes).await;
                tokio::task::yield_now().await;
            }
        };
        join_all([(); 40].map(read)).await;
    }
}
