//! Shared state of the guard and the processing of requests. Reads and writes no byte.

use crate::forward::FramingError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// Shared state of the guard and the processing of requests.
#[derive(Default)]
pub(in crate::proxy) struct GuardControl {
    /// A request is open: the next head waits, and the client may be silent.
    pub(super) busy: AtomicBool,
    /// A part of the next head was read.
    pub(super) head: AtomicBool,
    /// The connection is a tunnel.
    pub(super) tunnel: AtomicBool,
    /// No further request is accepted.
    pub(super) closing: AtomicBool,
    shared: Mutex<ControlState>,
}

#[derive(Default)]
pub(super) struct ControlState {
    /// Interim responses, which are written before other bytes.
    pub(super) interim: Vec<u8>,
    /// Id of the request that may still get interim responses.
    pub(super) interim_request: Option<String>,
    /// The framing error of the body that is being read.
    pub(super) broken_body: Option<FramingError>,
    /// Waker of the connection's task.
    pub(super) task: Option<Waker>,
}

impl GuardControl {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, ControlState> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request is finished. The next may be read.
    pub(in crate::proxy) fn request_finished(&self) {
        self.head.store(false, Ordering::Release);
        self.busy.store(false, Ordering::Release);
        self.wake();
    }

    /// Whether a head was begun and is not forwarded yet.
    pub(in crate::proxy) fn has_begun_head(&self) -> bool {
        self.head.load(Ordering::Acquire)
    }

    /// Closes the connection if its client is idle. A request that is being received is still served.
    pub(in crate::proxy) fn stop_requests(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    /// Makes the connection a tunnel: bytes are forwarded without parsing.
    pub(in crate::proxy) fn leave_http(&self) {
        self.tunnel.store(true, Ordering::Release);
        self.wake();
    }

    /// Allows interim responses for this request only.
    pub(in crate::proxy) fn allow_interim(&self, request_id: &str) {
        self.lock().interim_request = Some(request_id.to_owned());
    }

    /// Forbids interim responses. One inside the final response would corrupt it.
    pub(in crate::proxy) fn forbid_interim(&self) {
        self.lock().interim_request = None;
    }

    /// Sends an interim response. Drops it after the final response began, or if too many bytes are waiting.
    pub(in crate::proxy) fn send_interim(&self, request_id: &str, head: &[u8]) {
        const MAX_INTERIM_BYTES: usize = 64 * 1024;
        let mut shared = self.lock();
        if shared.interim_request.as_deref() != Some(request_id)
            || shared.interim.len() > MAX_INTERIM_BYTES
        {
            return;
        }
        shared.interim.extend_from_slice(head);
        drop(shared);
        self.wake();
    }

    /// The framing error of the request's body.
    pub(in crate::proxy) fn broken_body(&self) -> Option<FramingError> {
        self.lock().broken_body
    }

    /// Wakes the connection's task. The waker is kept, as the task may poll something else before it reads again.
    fn wake(&self) {
        // Two statements: the lock must not be held while a waker runs, because that may drop a value that locks it.
        let task = self.lock().task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}
