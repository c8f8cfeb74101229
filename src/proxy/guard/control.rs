//! What the guard and the request's way tell each other. Reads and writes no byte.

use crate::forward::FramingError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// What the guard and the request's way tell each other.
#[derive(Default)]
pub(in crate::proxy) struct GuardControl {
    /// A request is being answered: the next head waits, and silence is not the client's.
    pub(super) busy: AtomicBool,
    /// A part of the next head is there.
    pub(super) head: AtomicBool,
    /// The connection has left HTTP.
    pub(super) tunnel: AtomicBool,
    /// No further request is taken.
    pub(super) closing: AtomicBool,
    shared: Mutex<Shared>,
}

#[derive(Default)]
pub(super) struct Shared {
    /// Interim answers, to go out before anything else.
    pub(super) interim: Vec<u8>,
    /// The request that may still have interim answers.
    pub(super) unanswered: Option<String>,
    /// Why the body that is being read is broken.
    pub(super) broken_body: Option<FramingError>,
    /// The connection's task.
    pub(super) task: Option<Waker>,
}

impl GuardControl {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request is answered; the next may be read.
    pub(in crate::proxy) fn request_is_over(&self) {
        self.head.store(false, Ordering::Release);
        self.busy.store(false, Ordering::Release);
        self.wake();
    }

    /// Whether a request has begun that is not handed on yet.
    pub(in crate::proxy) fn has_begun_head(&self) -> bool {
        self.head.load(Ordering::Acquire)
    }

    /// A client that is silent is told goodbye; one that is sending a request may finish.
    pub(in crate::proxy) fn take_no_more(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    /// From now on all bytes pass unread.
    pub(in crate::proxy) fn leave_http(&self) {
        self.tunnel.store(true, Ordering::Release);
        self.wake();
    }

    /// From now on this request, and no other, may have interim answers.
    pub(in crate::proxy) fn allow_interim(&self, request_id: &str) {
        self.lock().unanswered = Some(request_id.to_owned());
    }

    /// The final answer is here; an interim answer after it would tear it apart.
    pub(in crate::proxy) fn refuse_interim(&self) {
        self.lock().unanswered = None;
    }

    /// Sends an interim answer, unless it comes too late, or the client takes none of those before.
    pub(in crate::proxy) fn send_interim(&self, request_id: &str, head: &[u8]) {
        const MOST_WAITING: usize = 64 * 1024;
        let mut shared = self.lock();
        if shared.unanswered.as_deref() != Some(request_id) || shared.interim.len() > MOST_WAITING {
            return;
        }
        shared.interim.extend_from_slice(head);
        drop(shared);
        self.wake();
    }

    /// Why the body is broken, if the guard found it so.
    pub(in crate::proxy) fn broken_body(&self) -> Option<FramingError> {
        self.lock().broken_body
    }

    /// Wakes the connection's task. Its waker stays: the task may look elsewhere before it reads again.
    fn wake(&self) {
        // Not in one expression: the lock must not be held while a waker runs, which may drop what comes back here.
        let task = self.lock().task.clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}
