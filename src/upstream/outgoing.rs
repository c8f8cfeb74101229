//! A request for an upstream, except its body. Sends nothing.

use super::thread_state::WeakStateKey;
use super::{Account, RetryPolicy};
use crate::buffer_pool::PooledBuffer;
use crate::forward::{Framing, RequestKind, Reuse, Upgrade};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// An upstream request, ready to be sent with its body.
pub struct OutgoingRequest {
    /// The head in wire format.
    pub head: PooledBuffer,
    /// Position of the host in the head.
    pub host: Range<usize>,
    /// Whether the connection may carry another request after this one.
    pub reuse: Reuse,
    /// The framing of the body according to the head.
    pub framing: Framing,
    /// The kind of the method in the head, which the response framing depends on.
    pub asked: RequestKind,
    /// The requested upgrade.
    pub upgrade: Upgrade,
    /// The retry policy.
    pub retry_policy: RetryPolicy,
    /// Maximum time without progress while the upstream has all available bytes of the request.
    pub response_timeout: Duration,
    /// The preface of a new connection: a PROXY header.
    pub preface: Option<Box<[u8]>>,
    /// The client's account at the upstream, in place of the gateway's.
    pub account: Option<Arc<Account>>,
}

impl OutgoingRequest {
    /// Whether the request may share an HTTP/2 connection with other requests. A PROXY header names one client for a whole
    /// connection, a login on the connection belongs to one user, and an upgrade needs HTTP/1.1.
    pub(super) fn may_share(&self) -> bool {
        self.preface.is_none() && self.reuse == Reuse::Keep && self.upgrade == Upgrade::None
    }

    /// The mark of the connections of the account, if it has its own.
    pub(super) fn owner(&self) -> Option<WeakStateKey> {
        self.account.as_deref().and_then(Account::mark)
    }

    /// The TLS config of the account, if it has its own.
    pub(super) fn tls(&self) -> Option<&Arc<rustls::ClientConfig>> {
        self.account.as_deref().and_then(Account::tls)
    }
}
