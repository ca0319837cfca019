//! The memory that request bodies may take together.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The largest body that is read.
pub(crate) const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The largest size of a small body. Small bodies have memory of their own.
pub(crate) const SMALL_BODY_BYTES: usize = 64 * KIB;
/// How many small bodies have reserved memory at once: 16 MiB of them.
const SMALL_BODIES: usize = 256;

/// The memory of all bodies together, except for small ones and for the one of
/// [`BodyBudget::whole_body`]. Each body takes several times its size while it is parsed.
const SHARED_KIB: usize = 32 * 1024;
const KIB: usize = 1024;

/// The memory that request bodies may take together: 64 MiB. A request takes some of it as its body
/// arrives and returns it with the response, so many large bodies cannot exhaust the memory, and
/// requests that send nothing take none.
///
/// Bodies that have arrived in part and wait for more memory could wait for one another forever.
/// So the memory of one whole body is reserved: one body at a time may grow in it if the rest is
/// exhausted.
///
/// Large bodies that arrive slowly hold the shared memory for as long as a request may take. So
/// there is memory of its own for bodies whose `Content-Length` says that they are small.
pub(crate) struct BodyBudget {
    small_bodies: Semaphore,
    shared_kib: Semaphore,
    whole_body: Semaphore,
}

/// The memory that one body has taken from the budget. Dropping it returns the memory.
pub(crate) struct BodyPermit<'a> {
    budget: &'a BodyBudget,
    small_body: Option<SemaphorePermit<'a>>,
    shared_kib: Option<SemaphorePermit<'a>>,
    whole_body: Option<SemaphorePermit<'a>>,
}

impl BodyBudget {
    /// Returns a budget of 64 MiB.
    pub(crate) fn new() -> Self {
        Self {
            small_bodies: Semaphore::new(SMALL_BODIES),
            shared_kib: Semaphore::new(SHARED_KIB),
            whole_body: Semaphore::new(1),
        }
    }

    /// Returns the permit of a body of which nothing has arrived.
    pub(crate) const fn empty_permit(&self) -> BodyPermit<'_> {
        BodyPermit {
            budget: self,
            small_body: None,
            shared_kib: None,
            whole_body: None,
        }
    }
}

impl BodyPermit<'_> {
    /// Waits until the permit covers `size_bytes` of the body, which are at most
    /// [`MAX_BODY_BYTES`]. `is_small` says that the body will have at most [`SMALL_BODY_BYTES`].
    pub(crate) async fn grow_to(&mut self, size_bytes: usize, is_small: bool) {
        debug_assert!(size_bytes <= MAX_BODY_BYTES, "larger bodies are discarded");
        debug_assert!(
            !is_small || size_bytes <= SMALL_BODY_BYTES,
            "it is not small"
        );
        let held_kib = self
            .shared_kib
            .as_ref()
            .map_or(0, SemaphorePermit::num_permits);
        let missing_kib = size_bytes.div_ceil(KIB).saturating_sub(held_kib);
        let holds_enough = self.small_body.is_some() || self.whole_body.is_some();
        if missing_kib == 0 || holds_enough {
            return;
        }
        let missing_kib = u32::try_from(missing_kib).expect("a body is below 4 TiB");
        tokio::select! {
            biased;
            permit = self.budget.small_bodies.acquire(), if is_small => {
                self.small_body = Some(permit.expect("the semaphore is never closed"));
            }
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
        self.small_body = None;
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
        let mut permits: Vec<_> = (0..32).map(|_| budget.empty_permit()).collect();
        for permit in &mut permits {
            permit.grow_to(1, false).await;
            permit.grow_to(1024 * KIB, false).await;
        }
        assert_eq!(budget.shared_kib.available_permits(), 0);
        let mut whole = budget.empty_permit();
        whole.grow_to(MAX_BODY_BYTES, false).await;
        let mut late = budget.empty_permit();
        assert_eq!(late.grow_to(1, false).now_or_never(), None);
        permits[0].release();
        assert_eq!(late.grow_to(1, false).now_or_never(), Some(()));
        drop((permits, whole, late));
        assert_eq!(budget.shared_kib.available_permits(), SHARED_KIB);
        assert_eq!(budget.whole_body.available_permits(), 1);
    }

    #[tokio::test]
    async fn small_bodies_have_bounded_memory_that_large_ones_do_not_take() {
        let budget = BodyBudget::new();
        let mut large = [budget.empty_permit(), budget.empty_permit()];
        large[0].grow_to(MAX_BODY_BYTES, false).await;
        large[1].grow_to(MAX_BODY_BYTES, false).await;
        let mut whole = budget.empty_permit();
        whole.grow_to(MAX_BODY_BYTES, false).await;
        let mut waiting = budget.empty_permit();
        let mut waits = Box::pin(waiting.grow_to(1, false));
        assert_eq!((&mut waits).now_or_never(), None);
        let mut small: Vec<_> = (0..SMALL_BODIES).map(|_| budget.empty_permit()).collect();
        for permit in &mut small {
            // A task that never yields is soon made to.
            tokio::task::yield_now().await;
            assert_eq!(permit.grow_to(1, true).now_or_never(), Some(()));
            let all = permit.grow_to(SMALL_BODY_BYTES, true);
            assert_eq!(all.now_or_never(), Some(()));
        }
        let mut late = budget.empty_permit();
        assert_eq!(late.grow_to(1, true).now_or_never(), None);
        small[0].release();
        assert_eq!(late.grow_to(1, true).now_or_never(), Some(()));
        drop((small, late));
        assert_eq!(budget.small_bodies.available_permits(), SMALL_BODIES);
    }

    #[tokio::test]
    async fn large_bodies_that_arrive_together_do_not_wait_for_one_another_for_ever() {
        let budget = BodyBudget::new();
        let read = |()| async {
            let mut permit = budget.empty_permit();
            for size_bytes in (0..=MAX_BODY_BYTES).step_by(64 * KIB) {
                permit.grow_to(size_bytes, false).await;
                tokio::task::yield_now().await;
            }
        };
        join_all([(); 40].map(read)).await;
    }
}
