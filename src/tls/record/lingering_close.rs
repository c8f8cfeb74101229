//! Time for a client to read our last alert: closing a socket with unread bytes resets the connection, and that can take the
//! alert with it. Says nothing itself.

use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long, and how much is read that nobody wants.
const LONGEST: Duration = Duration::from_secs(2);
const MOST_READ: usize = 256 * 1024;

/// Waits until the client has closed, too.
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
    /// Begins now.
    pub fn new() -> Self {
        Self {
            timer: Box::pin(sleep(LONGEST)),
            left: MOST_READ,
            sending: Sending::Open,
        }
    }

    /// Ends our side, of which all must have been sent, then reads until the client ends its own.
    pub fn poll(&mut self, socket: &TcpStream, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if std::mem::replace(&mut self.sending, Sending::Ended) == Sending::Open {
            // The client may have gone first.
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
