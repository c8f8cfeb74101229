//! Unused connections to one endpoint, newest first. A connection comes back only if both messages on it are whole.

use super::RequestBody;
use hyper::client::conn::http1::SendRequest;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Unused connections to one endpoint.
#[derive(Debug)]
pub(super) struct Pool {
    unused: Mutex<Vec<Unused>>,
    capacity: usize,
    idle_timeout: Duration,
}

/// An open connection to an endpoint.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<RequestBody>,
    /// Reads and writes; ends by itself once the sender is gone and nothing is on its way.
    pub(super) task: AbortHandle,
}

#[derive(Debug)]
struct Unused {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(capacity: usize, idle_timeout: Duration) -> Self {
        Self { unused: Mutex::new(Vec::new()), capacity, idle_timeout }
    }

    /// The connection used last, which is the least likely to be stale.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Unused { connection, since }) = unused.pop() {
            if since.elapsed() < self.idle_timeout && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    pub(super) fn put(&self, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest stand in front; they go first, when they are too old or too many.
        let fresh_from = unused.iter().position(|idle| idle.since.elapsed() < self.idle_timeout);
        let stale = fresh_from.unwrap_or(unused.len());
        unused.drain(..stale);
        if unused.len() >= self.capacity && !unused.is_empty() {
            unused.remove(0);
        }
        if unused.len() < self.capacity {
            unused.push(Unused { connection, since: Instant::now() });
        }
    }

    /// Closes what has been unused for too long, also where no request comes by any more.
    pub(super) fn close_stale(&self) {
        let mut unused = self.unused.lock().unwrap_or_else(PoisonError::into_inner);
        unused.retain(|idle| idle.since.elapsed() < self.idle_timeout && !idle.connection.sender.is_closed());
    }
}
