//! The end of a connection in peace: the goodbye, and a little patience for a client that is still sending. Sends no
//! answer.

use super::{Connection, Rest};
use crate::tls::record::Records;
use socket2::SockRef;
use std::future::poll_fn;
use std::net::Shutdown;
use std::time::Duration;
use tokio::time::timeout;

/// For TLS's goodbye, which is a few bytes.
const GOODBYE: Duration = Duration::from_secs(10);
/// The same where a new connection waits for the place.
pub(in crate::proxy) const GOODBYE_GIVING_WAY: Duration = Duration::from_millis(200);
/// How long and how much is read that nobody wants.
const LINGER: Duration = Duration::from_secs(2);
/// What can be in flight when the answer goes out: the buffers of both sockets and of all between.
const MOST_LINGERED: usize = 16 * 1024 * 1024;

impl<R: Records> Connection<R> {
    /// Says goodbye and closes. With unread bytes that would reset the connection and could take the last answer with
    /// it, so a little is read first.
    pub(super) async fn close(mut self: Box<Self>, rest: Rest) {
        let goodbye = poll_fn(|context| self.records.poll_close(context));
        let patience = if self.idle.is_evicted() {
            GOODBYE_GIVING_WAY
        } else {
            GOODBYE
        };
        let said = matches!(timeout(patience, goodbye).await, Ok(Ok(())));
        let nothing_comes = rest == Rest::Nothing && self.input.is_empty();
        if !said || nothing_comes {
            return;
        }
        // The client may have gone first.
        let _ = SockRef::from(self.records.socket()).shutdown(Shutdown::Write);
        let _ = timeout(LINGER, self.linger()).await;
    }

    /// Reads until the client closes, too.
    async fn linger(&mut self) {
        let (socket, mut scratch, mut left) = (self.records.socket(), [0; 4096], MOST_LINGERED);
        while left > 0 && socket.readable().await.is_ok() {
            match socket.try_read(&mut scratch) {
                Ok(count @ 1..) => left = left.saturating_sub(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
