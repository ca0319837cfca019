//! How much of sent bodies is in memory at once.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::body::BODY_LIMIT_BYTES;

/// The bodies that are held at once, together; each takes several times its size while it is
/// read.
const SHARED_KIB: usize = 48 * 1024;
const KIB: usize = 1024;

/// Room for bodies. A request takes it as its body arrives, and keeps it until it is answered,
/// so that many large ones cannot take all memory, and those that send nothing take none.
///
/// Bodies that have come in part and wait for more room would wait for one another for ever: so
/// room for one whole body is kept aside, and those that find none left take turns in it.
pub(crate) struct Intake {
    shared: Semaphore,
    turn: Semaphore,
}

/// The room that one body has.
pub(crate) struct Room<'a> {
    intake: &'a Intake,
    shared: Option<SemaphorePermit<'a>>,
    turn: Option<SemaphorePermit<'a>>,
}

impl Intake {
    /// Room for 64 MiB of bodies.
    pub(crate) fn new() -> Self {
        Self {
            shared: Semaphore::new(SHARED_KIB),
            turn: Semaphore::new(1),
        }
    }

    /// Room for a body of which nothing has come.
    pub(crate) const fn room(&self) -> Room<'_> {
        Room {
            intake: self,
            shared: None,
            turn: None,
        }
    }
}

impl Room<'_> {
    /// Waits for room for so much of the body as has come, at most [`BODY_LIMIT_BYTES`].
    pub(crate) async fn hold(&mut self, size_bytes: usize) {
        debug_assert!(size_bytes <= BODY_LIMIT_BYTES, "it is passed over");
        let held_kib = self.shared.as_ref().map_or(0, SemaphorePermit::num_permits);
        let missing_kib = size_bytes.div_ceil(KIB).saturating_sub(held_kib);
        if missing_kib == 0 || self.turn.is_some() {
            return;
        }
        let missing_kib = u32::try_from(missing_kib).expect("a body is below 4 TiB");
        tokio::select! {
            biased;
            more = self.intake.shared.acquire_many(missing_kib) => {
                let more = more.expect("the room is never closed");
                match &mut self.shared {
                    Some(shared) => shared.merge(more),
                    None => self.shared = Some(more),
                }
            }
            turn = self.intake.turn.acquire() => {
                self.turn = Some(turn.expect("the room is never closed"));
            }
        }
    }

    /// Gives the room back: nothing of the body is kept.
    pub(crate) fn leave(&mut self) {
        self.shared = None;
        self.turn = None;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_has_not_come_takes_no_room_and_all_of_it_is_given_back() {
        let intake = Intake::new();
        let mut rooms: Vec<_> = (0..48).map(|_| intake.room()).collect();
        for room in &mut rooms {
            room.hold(1).await;
            room.hold(1024 * KIB).await;
        }
        assert_eq!(intake.shared.available_permits(), 0);
        let mut turn = intake.room();
        turn.hold(BODY_LIMIT_BYTES).await;
        let mut late = intake.room();
        assert_eq!(late.hold(1).now_or_never(), None);
        rooms[0].leave();
        assert_eq!(late.hold(1).now_or_never(), Some(()));
        drop((rooms, turn, late));
        assert_eq!(intake.shared.available_permits(), SHARED_KIB);
        assert_eq!(intake.turn.available_permits(), 1);
    }

    #[tokio::test]
    async fn large_bodies_that_come_at_once_do_not_wait_for_one_another_for_ever() {
        let intake = Intake::new();
        let read = |()| async {
            let mut room = intake.room();
            for size_bytes in (0..=BODY_LIMIT_BYTES).step_by(64 * KIB) {
                room.hold(size_bytes).await;
                tokio::task::yield_now().await;
            }
        };
        join_all([(); 40].map(read)).await;
    }
}
