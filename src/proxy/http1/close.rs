//! Orderly close of a connection: TLS close_notify, then a lingering read for a client that is still sending. Sends no
//! response.

use super::rendered_response::BodyDelimiter;
use super::{Connection, UnreadInput};
use crate::tls::record::Records;
use socket2::SockRef;
use std::future::poll_fn;
use std::net::Shutdown;
use std::time::Duration;
use tokio::time::timeout;

/// Timeout for sending close_notify, which is a few bytes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for an evicted connection: a new connection waits for its place.
pub(in crate::proxy) const EVICTED_CLOSE_TIMEOUT: Duration = Duration::from_millis(200);
/// Maximum time of the lingering read.
const LINGER: Duration = Duration::from_secs(2);
/// Maximum bytes of the lingering read: what the buffers of both sockets and of all hops between can hold.
const MAX_LINGER_BYTES: usize = 16 * 1024 * 1024;

/// What the client sees when the socket is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketClose {
    /// The end of the data.
    Orderly,
    /// A reset. Data that the client has not acknowledged is lost.
    Reset,
}

impl<R: Records> Connection<R> {
    /// Sets how the socket is closed, for a response whose body ends with the connection. Many clients ignore a missing
    /// close_notify, and would take the beginning of such a body for all of it. So the socket is reset, whatever ends the
    /// response before its end, also a panic or the end of the gateway. Other responses are not affected.
    pub(super) fn set_socket_close(&self, delimiter: BodyDelimiter, close: SocketClose) {
        if delimiter != BodyDelimiter::Close {
            return;
        }
        let linger = match close {
            SocketClose::Orderly => None,
            SocketClose::Reset => Some(Duration::ZERO),
        };
        // This fails only if the connection has ended already.
        let _ = SockRef::from(self.records.socket()).set_linger(linger);
    }

    /// Sends close_notify and closes. Closing a socket with unread bytes resets the connection, which can destroy the last
    /// response, so such bytes are read first, within limits.
    pub(super) async fn close(mut self: Box<Self>, unread: UnreadInput) {
        let close_notify = poll_fn(|context| self.records.poll_close(context));
        let close_timeout = if self.idle.is_evicted() {
            EVICTED_CLOSE_TIMEOUT
        } else {
            CLOSE_TIMEOUT
        };
        let is_sent = matches!(timeout(close_timeout, close_notify).await, Ok(Ok(())));
        let nothing_comes = unread == UnreadInput::Absent && self.input.is_empty();
        if !is_sent || nothing_comes {
            return;
        }
        // This fails if the client closed first.
        let _ = SockRef::from(self.records.socket()).shutdown(Shutdown::Write);
        let _ = timeout(LINGER, self.linger()).await;
    }

    /// Reads until the client closes or a limit is reached.
    async fn linger(&mut self) {
        let socket = self.records.socket();
        let mut scratch = [0; 4096];
        let mut left = MAX_LINGER_BYTES;
        while left > 0 && socket.readable().await.is_ok() {
            match socket.try_read(&mut scratch) {
                Ok(count @ 1..) => left = left.saturating_sub(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
