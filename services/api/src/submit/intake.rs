//! How much of sent bodies is in memory at once.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::body::BODY_LIMIT_BYTES;

/// The bodies that are held at once, together; each takes several times its size while it is
/// read.
const ROOM_KIB: usize = 64 * 1024;
const KIB: usize = 1024;

/// Room for bodies. A request waits for its share before its body is read, and keeps it until
/// it is answered, so that many large ones cannot take all memory.
pub(crate) struct Intake(Semaphore);

impl Intake {
    /// Room for 64 MiB of bodies.
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(ROOM_KIB))
    }

    /// Waits for room for a body: of the length that the headers give, else of the largest.
    pub(crate) async fn room(&self, headers: &HeaderMap) -> SemaphorePermit<'_> {
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let size_bytes = length.unwrap_or(BODY_LIMIT_BYTES).min(BODY_LIMIT_BYTES);
        let share = u32::try_from(size_bytes.div_ceil(KIB)).expect("a body is below 4 TiB");
        let room = self.0.acquire_many(share).await;
        room.expect("the room is never closed")
    }
}
