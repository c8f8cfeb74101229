//! A delayed close, so that a client can read the last alert: closing a socket with unread bytes resets the connection
//! and may discard the alert. Sends nothing itself.

use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Maximum duration of the close.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of bytes that are read and discarded.
const MAX_DISCARDED: usize = 256 * 1024;

/// Waits until the client closes its side.
#[derive(Debug)]
pub struct LingeringClose {
    timer: Pin<Box<Sleep>>,
    left: usize,
    sending: Sending,
}

#[derive(Debug, PartialEq, Eq)]
enum Sending {
    Open,
    Ended,
}

impl Default for LingeringClose {
    fn default() -> Self {
        Self::new()
    }
}

impl LingeringClose {
    /// Starts the timeout.
    pub fn new() -> Self {
        Self {
            timer: Box::pin(sleep(TIMEOUT)),
            left: MAX_DISCARDED,
            sending: Sending::Open,
        }
    }

    /// Shuts down sending, then reads until the client closes its side. Call it only when all data is sent.
    pub fn poll(&mut self, socket: &TcpStream, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if std::mem::replace(&mut self.sending, Sending::Ended) == Sending::Open {
            // Fails if the client has already closed.
            let _ = socket2::SockRef::from(socket).shutdown(Shutdown::Write);
        }
        let mut scratch = [0; 4096];
        while self.left > 0 {
            if ready!(socket.poll_read_ready(context)).is_err() {
                break;
            }
            match socket.try_read(&mut scratch) {
                Ok(count @ 1..) => self.left = self.left.saturating_sub(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}
