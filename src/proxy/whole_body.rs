//! Limits for a request body that is read completely because the decision depends on it. Both HTTP engines use them, and send
//! upstream exactly the bytes that were decided on. Reads nothing.

use crate::limit::BodyEnd;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Maximum length of a body that is read completely, in bytes. Icinga has the same limit. All of it is in memory.
const MAX_LENGTH: u64 = 1 << 20;

/// Number of bodies that the process reads at the same time. This bounds their memory for any number of connections.
static READERS: Semaphore = Semaphore::const_new(64);

/// Icinga has the same timeout for a body.
const READ_DEADLINE: Duration = Duration::from_secs(15);

/// Maximum length in bytes, on a route with this limit for bodies.
pub(super) fn max_length(limit: Option<u64>) -> u64 {
    limit.map_or(MAX_LENGTH, |limit| limit.min(MAX_LENGTH))
}

/// Runs a read once there is a place for it.
///
/// # Errors
/// Those of the read, and [`BodyEnd::Stalled`] at the deadline, which includes the wait for a place.
pub(super) async fn read_in_time<T, E: From<BodyEnd>>(
    read: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let read = async {
        let _place = READERS.acquire().await;
        read.await
    };
    match timeout(READ_DEADLINE, read).await {
        Ok(read) => read,
        Err(_) => Err(BodyEnd::Stalled.into()),
    }
}
