//! One HTTP/2 connection to an endpoint: handshake, the task that drives it, and the number of its streams.

use super::super::unprocessed::broken;
use crate::clock;
use crate::endpoint::{EndpointScheme, EndpointStream};
use crate::thread_state::WeakStateKey;
use crate::worker::LocalExecutor;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong};
use hyper::rt::Executor;
use pin_project_lite::pin_project;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{sleep, sleep_until, timeout};

/// Maximum streams of one connection, also if the upstream permits more.
const MAX_STREAMS: usize = 100;
/// Bytes of a response that a stream buffers while its client takes none.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Window of the connection. All its streams may stall at once, and none of them stops another.
const CONNECTION_WINDOW: u32 = 100 * STREAM_WINDOW;
/// Bytes of a request that a stream buffers.
const SEND_BUFFER: usize = 64 * 1024;
/// Maximum size of the fields of a response, in bytes.
const MAX_HEAD: u32 = 64 * 1024;
/// The stream limit before the upstream's settings arrive. No setting has this value, since settings have 32 bits.
const NO_SETTINGS: usize = usize::MAX - 1;
/// A connection with open streams that is silent for this time is checked by a PING. gRPC servers reject PINGs that are more
/// frequent than one in five minutes.
const SILENCE: Duration = Duration::from_secs(310);
/// Timeout of the response to a PING.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);
/// A stream that got no response for this time, on a connection that received nothing meanwhile, makes it suspect.
const SUSPICION: Duration = Duration::from_secs(5);

/// A connection that accepts streams.
pub(in crate::upstream) struct UpstreamConnection {
    sender: RefCell<SendRequest<Bytes>>,
    pub(super) scheme: EndpointScheme,
    /// The account that authenticated on it. `None` for the gateway's own connections.
    owner: Option<WeakStateKey>,
    /// Number of streams in use.
    streams: Cell<usize>,
    /// When the last stream ended.
    pub(super) idle_since: Cell<Instant>,
    state: Rc<ConnectionState>,
}

/// The part of a connection that its task shares. It keeps no connection open.
struct ConnectionState {
    last_read: Cell<Instant>,
    acceptance: Cell<Acceptance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acceptance {
    Accepting,
    /// It takes no further stream, and ends with its streams.
    Retired,
}

impl UpstreamConnection {
    /// Begins HTTP/2 on a new connection, and waits for the settings of the upstream. So an endpoint that does not speak HTTP/2
    /// fails before a request is sent, and its stream limit is known.
    ///
    /// # Errors
    /// If the connection ends, or no settings arrive in time.
    pub(in crate::upstream) async fn open(
        stream: EndpointStream,
        scheme: EndpointScheme,
        owner: Option<WeakStateKey>,
        limit: Duration,
    ) -> io::Result<Rc<Self>> {
        let now = clock::now();
        let state = Rc::new(ConnectionState {
            last_read: Cell::new(now),
            acceptance: Cell::new(Acceptance::Accepting),
        });
        let stream = WatchedRead {
            stream,
            state: state.clone(),
        };
        let (sender, driver) = timeout(limit, handshake(stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
            .map_err(broken)?;
        LocalExecutor.execute(drive(driver, state.clone()));
        Ok(Rc::new(Self {
            sender: RefCell::new(sender),
            scheme,
            owner,
            streams: Cell::new(0),
            idle_since: Cell::new(now),
            state,
        }))
    }

    /// The account that authenticated on it.
    pub(super) fn owner(&self) -> Option<&WeakStateKey> {
        self.owner.as_ref()
    }

    /// Whether it may carry another stream at some time.
    pub(super) fn is_usable(&self) -> bool {
        // A replaced certificate is another identity at the upstream.
        let is_owned = self.owner.as_ref().is_none_or(WeakStateKey::is_alive);
        is_owned && self.state.acceptance.get() == Acceptance::Accepting && self.is_open()
    }

    /// Whether neither side has closed it: no GOAWAY, no end of the socket.
    fn is_open(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let polled = self.sender.borrow_mut().poll_ready(&mut context);
        !matches!(polled, Poll::Ready(Err(_)))
    }

    /// Whether no stream is in use.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Counts another stream, and returns its sender, if there is room. The caller calls `stream_ended`.
    pub(super) fn begin_stream(&self) -> Option<SendRequest<Bytes>> {
        let limit = self.sender.borrow().current_max_send_streams();
        if self.streams.get() >= limit.min(MAX_STREAMS) || !self.is_usable() {
            return None;
        }
        self.streams.set(self.streams.get() + 1);
        Some(self.sender.borrow().clone())
    }

    /// A stream ended. `unanswered_since` is when its request was sent, if it got no response.
    pub(super) fn stream_ended(&self, unanswered_since: Option<Instant>) {
        self.streams.set(self.streams.get().saturating_sub(1));
        let now = clock::now();
        self.idle_since.set(now);
        // The connection may be dead. Other streams on it may still end by themselves.
        if unanswered_since.is_some_and(|since| {
            now.saturating_duration_since(since) >= SUSPICION && self.state.last_read.get() <= since
        }) {
            self.state.acceptance.set(Acceptance::Retired);
        }
    }
}

type Driver = h2::client::Connection<WatchedRead>;

async fn handshake(stream: WatchedRead) -> Result<(SendRequest<Bytes>, Driver), h2::Error> {
    let (sender, mut driver) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(NO_SETTINGS)
        .max_header_list_size(MAX_HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        .handshake(stream)
        .await?;
    poll_fn(|context| {
        let ended = Pin::new(&mut driver).poll(context);
        if sender.current_max_send_streams() != NO_SETTINGS {
            return Poll::Ready(Ok(()));
        }
        ended.map(|ended| ended.and(Err(h2::Error::from(h2::Reason::PROTOCOL_ERROR))))
    })
    .await?;
    Ok((sender, driver))
}

/// Drives a connection until its end, and checks it if it is silent.
async fn drive(mut driver: Driver, state: Rc<ConnectionState>) {
    let mut ping_pong = driver.ping_pong();
    let mut check = pin!(check_silence(ping_pong.as_mut(), &state));
    let ended = poll_fn(|context| {
        if let Poll::Ready(ended) = Pin::new(&mut driver).poll(context) {
            return Poll::Ready(ended);
        }
        check.as_mut().poll(context).map(|()| {
            tracing::debug!("an HTTP/2 upstream does not respond to PING");
            Ok(())
        })
    })
    .await;
    state.acceptance.set(Acceptance::Retired);
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection to an upstream ended");
    }
}

/// Ends if the upstream is silent and does not respond to a PING.
async fn check_silence(ping_pong: Option<&mut PingPong>, state: &ConnectionState) {
    let Some(ping_pong) = ping_pong else {
        return std::future::pending().await;
    };
    loop {
        let due = state.last_read.get() + SILENCE;
        if clock::now() < due {
            sleep_until(due.into()).await;
            continue;
        }
        let pong = async {
            ping_pong.send_ping(Ping::opaque())?;
            poll_fn(|context| ping_pong.poll_pong(context)).await
        };
        if !matches!(timeout(PONG_TIMEOUT, pong).await, Ok(Ok(_))) {
            return;
        }
        sleep(PONG_TIMEOUT).await;
    }
}

pin_project! {
    /// A connection that records when bytes arrive.
    struct WatchedRead {
        #[pin]
        stream: EndpointStream,
        state: Rc<ConnectionState>,
    }
}

impl AsyncRead for WatchedRead {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        let polled = this.stream.poll_read(context, buffer);
        if polled.is_ready() {
            this.state.last_read.set(clock::now());
        }
        polled
    }
}

impl AsyncWrite for WatchedRead {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(context)
    }
}
