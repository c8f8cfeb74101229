//! Stands between TLS and hyper's HTTP/1.1: each request head and the framing of each body are read strictly before
//! hyper sees them, heads and silence are timed, and interim answers (1xx) are slipped in. Judges no request.

use crate::forward::{ChunkScanner, Framing, FramingError, HeadSummary, read_head};
use crate::respond::{Form, Refusal, refuse};
use crate::snapshot::ConnectionLimits;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What the guard and the request's way tell each other.
#[derive(Default)]
pub(super) struct GuardControl {
    /// A request is being answered: the next head waits, and silence is not the client's.
    busy: AtomicBool,
    /// The connection has left HTTP.
    tunnel: AtomicBool,
    /// No further request is taken.
    closing: AtomicBool,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Interim answers, to go out before anything else.
    interim: Vec<u8>,
    /// The request that may still have interim answers.
    unanswered: Option<String>,
    /// Why the body that is being read is broken.
    broken_body: Option<FramingError>,
    /// The connection's task.
    task: Option<Waker>,
}

impl GuardControl {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request is answered; the next may be read.
    pub(super) fn request_is_over(&self) {
        self.busy.store(false, Ordering::Release);
        self.wake();
    }

    /// A client that is silent is told goodbye; one that is sending a request may finish.
    pub(super) fn take_no_more(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake();
    }

    /// From now on all bytes pass unread.
    pub(super) fn leave_http(&self) {
        self.tunnel.store(true, Ordering::Release);
        self.wake();
    }

    /// From now on this request, and no other, may have interim answers.
    pub(super) fn allow_interim(&self, request_id: &str) {
        self.lock().unanswered = Some(request_id.to_owned());
    }

    /// The final answer is here; an interim answer after it would tear it apart.
    pub(super) fn refuse_interim(&self) {
        self.lock().unanswered = None;
    }

    /// Sends an interim answer, unless it comes too late, or the client takes none of those before.
    pub(super) fn send_interim(&self, request_id: &str, head: &[u8]) {
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
    pub(super) fn broken_body(&self) -> Option<FramingError> {
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

/// Told when a connection ends because of what the client sent, before there was a request to judge.
pub(super) type OnRefusal = Box<dyn Fn(&Refusal<'_>, &str) + Send>;

/// A guarded stream.
pub(super) struct Guard<S> {
    inner: S,
    control: Arc<GuardControl>,
    limits: ConnectionLimits,
    on_refusal: OnRefusal,
    state: State,
    /// Read, but not yet handed on. Bounded by the head's limit.
    buffer: Vec<u8>,
    /// Looking for the end of the head goes on here.
    searched: usize,
    /// A head without end is read strictly now and then, so that garbage is refused before it times out.
    next_check: usize,
    timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
    /// hyper has written what is not flushed.
    unflushed: bool,
    /// The last words on this connection.
    farewell: Vec<u8>,
    closing: Closing,
}

enum State {
    /// Between requests.
    Idle,
    /// Some bytes of a head are there.
    Head,
    /// A head is being handed on; so many bytes are left.
    Release(usize, Framing),
    /// Body bytes still to come.
    Length(u64),
    Chunked(ChunkScanner),
    /// Nothing more is read.
    Failed,
}

/// What a read gave.
enum Filled {
    Some,
    /// The end of the stream.
    End,
}

enum Closing {
    Open,
    ShutDown,
    Lingering { left: usize },
    Done,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guard<S> {
    pub(super) fn new(inner: S, limits: ConnectionLimits, on_refusal: OnRefusal) -> Self {
        Self {
            inner,
            control: Arc::default(),
            limits,
            on_refusal,
            state: State::Idle,
            buffer: Vec::new(),
            searched: 0,
            next_check: 0,
            timer: None,
            write_timer: None,
            unflushed: false,
            farewell: Vec::new(),
            closing: Closing::Open,
        }
    }

    pub(super) fn control(&self) -> Arc<GuardControl> {
        self.control.clone()
    }

    /// Refuses the connection: an answer, and then the end.
    fn fail(&mut self, refusal: &Refusal<'_>) {
        let id = super::request_id();
        (self.on_refusal)(refusal, &id);
        let answer = refuse(refusal, Form::Json, &id);
        let reason = answer.status.canonical_reason().unwrap_or("Error");
        self.farewell = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {id}\r\n\
             connection: close\r\n\r\n{}",
            answer.status.as_u16(),
            answer.content_type,
            answer.body.len(),
            answer.body
        )
        .into_bytes();
        self.state = State::Failed;
    }

    /// Reads more of a head.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Filled>> {
        let mut chunk = [0; 4096];
        // One byte beyond the limit is enough to see that it is exceeded.
        let room = (self.limits.head_size + 1)
            .saturating_sub(self.buffer.len())
            .min(chunk.len());
        let Some(space) = chunk.get_mut(..room).filter(|space| !space.is_empty()) else {
            return Poll::Pending;
        };
        let mut read = ReadBuf::new(space);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(if read.filled().is_empty() {
            Filled::End
        } else {
            Filled::Some
        }))
    }

    /// Ready when the timer for the present state has run out.
    fn poll_timer(&mut self, after: Duration, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        timer.as_mut().poll(context)
    }

    /// The head at the front of the buffer, if it is whole.
    fn head(&mut self) -> Result<Option<HeadSummary>, Refusal<'static>> {
        let whole = self.find_end();
        if !whole && self.buffer.len() > self.limits.head_size {
            return Err(Refusal::HeadTooLarge);
        }
        if !whole && self.buffer.len() < self.next_check {
            return Ok(None);
        }
        self.next_check = self.buffer.len().saturating_mul(2);
        match read_head(&self.buffer) {
            // What followed a chunked body can be longer than what is read at once for a head.
            Ok(Some(head)) if head.length > self.limits.head_size => Err(Refusal::HeadTooLarge),
            read => read.map_err(Refusal::Framing),
        }
    }

    fn find_end(&mut self) -> bool {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched.saturating_sub(END.len() - 1);
        self.searched = self.buffer.len();
        self.buffer
            .get(from..)
            .is_some_and(|tail| tail.windows(END.len()).any(|window| window == END))
    }

    /// One empty line before a request is forgiven (RFC 9112 section 2.2).
    fn skip_empty_line(&mut self) {
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.drain(..2);
            self.searched = 0;
        }
    }

    fn begin_head(&mut self) {
        self.state = State::Head;
        (self.searched, self.next_check, self.timer) = (0, 0, None);
    }

    /// Waits for the next request. `Ready(Ok(false))` is a clean end.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.buffer.is_empty() {
            match self.poll_fill(context)? {
                Poll::Ready(Filled::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(Filled::Some) => {}
                Poll::Pending => {
                    // While a request is answered, silence is what is expected of the client.
                    if self.control.busy.load(Ordering::Acquire) {
                        self.timer = None;
                        return Poll::Pending;
                    }
                    let told_to_end = self.control.closing.load(Ordering::Acquire);
                    if told_to_end || self.poll_timer(self.limits.keep_alive_timeout, context).is_ready() {
                        return Poll::Ready(Ok(false));
                    }
                    return Poll::Pending;
                }
            }
        }
        self.begin_head();
        Poll::Ready(Ok(true))
    }

    /// Collects a head until it may be handed on. `Ready(Ok(false))` ends the connection.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Not even looked at before the answer to the request before is out: it may be the first bytes of a tunnel.
        if self.control.busy.load(Ordering::Acquire) || self.unflushed {
            return self.poll_behind_answer(context);
        }
        self.skip_empty_line();
        loop {
            match self.head() {
                Err(refusal) => {
                    self.fail(&refusal);
                    return Poll::Ready(Ok(false));
                }
                Ok(Some(HeadSummary { length, framing })) => {
                    self.control.busy.store(true, Ordering::Release);
                    self.timer = None;
                    self.state = State::Release(length, framing);
                    return Poll::Ready(Ok(true));
                }
                Ok(None) => {}
            }
            match self.poll_fill(context)? {
                Poll::Ready(Filled::End) => return Poll::Ready(Ok(false)),
                Poll::Ready(Filled::Some) => {}
                Poll::Pending => {
                    ready!(self.poll_timer(self.limits.head_timeout, context));
                    self.fail(&Refusal::HeadTimeout);
                    return Poll::Ready(Ok(false));
                }
            }
        }
    }

    /// Bytes are here while an answer is still on its way. They wait, but an end of the stream is noticed.
    fn poll_behind_answer(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        match self.poll_fill(context)? {
            Poll::Ready(Filled::End) => Poll::Ready(Ok(false)),
            // More came; look again at once, until the buffer is full.
            Poll::Ready(Filled::Some) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn after_head(framing: Framing) -> State {
        match framing {
            Framing::Length(0) => State::Idle,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(ChunkScanner::default()),
        }
    }

    /// Hands on bytes of the buffer, or reads new ones, at most `most`.
    fn poll_pass(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>, most: usize) -> Poll<io::Result<usize>> {
        let most = most.min(out.remaining());
        if !self.buffer.is_empty() {
            let length = most.min(self.buffer.len());
            out.put_slice(self.buffer.get(..length).unwrap_or_default());
            self.buffer.drain(..length);
            return Poll::Ready(Ok(length));
        }
        let before = out.filled().len();
        if most == out.remaining() {
            ready!(Pin::new(&mut self.inner).poll_read(context, out))?;
            return Poll::Ready(Ok(out.filled().len() - before));
        }
        // Only the last part of a body: what follows it belongs to the next request.
        let mut part = ReadBuf::new(out.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut part))?;
        let length = part.filled().len();
        out.advance(length);
        Poll::Ready(Ok(length))
    }

    fn poll_chunked(
        &mut self,
        mut scanner: ChunkScanner,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let length = ready!(self.poll_pass(context, out, usize::MAX))?;
        let bytes = out.filled().get(before..).unwrap_or_default();
        match scanner.scan(bytes) {
            Ok(taken) => {
                if taken < length {
                    // What follows is the next request.
                    let mut rest = bytes.get(taken..).unwrap_or_default().to_vec();
                    rest.append(&mut self.buffer);
                    self.buffer = rest;
                    out.set_filled(before + taken);
                }
                self.state = if scanner.is_complete() {
                    State::Idle
                } else {
                    State::Chunked(scanner)
                };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                out.set_filled(before);
                self.control.lock().broken_body = Some(error);
                self.state = State::Failed;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
            }
        }
    }

    fn poll_before_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Said first: hyper has something to write, even if it must wait.
        self.unflushed = true;
        match self.poll_write_interim(context)? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => self.poll_stall(context, Poll::Pending),
        }
    }

    fn poll_write_interim(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let pending = std::mem::take(&mut self.control.lock().interim);
            if pending.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = match Pin::new(&mut self.inner).poll_write(context, &pending) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => 0,
            };
            let mut rest = pending.get(written..).unwrap_or_default().to_vec();
            let blocked = written == 0;
            let mut shared = self.control.lock();
            rest.append(&mut shared.interim);
            shared.interim = rest;
            if blocked {
                return Poll::Pending;
            }
        }
    }

    /// Whether the client has sent, or may still be sending, what nobody will read.
    fn has_unread(&self) -> bool {
        let between_requests = matches!(self.state, State::Idle) && self.buffer.is_empty();
        !between_requests && !self.control.tunnel.load(Ordering::Acquire)
    }

    /// A client that takes nothing for the idle timeout is cut.
    fn poll_stall<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.write_timer = None;
            return polled;
        }
        if let Some(timeout) = self.limits.idle_timeout {
            let timer = self
                .write_timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
            if timer.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Poll::Pending
    }

    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.farewell.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.farewell))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.farewell.drain(..written);
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Closing with unread bytes would reset the connection and could take the answer with it; so read a little.
    fn poll_linger(&mut self, mut left: usize, context: &mut Context<'_>) -> Poll<()> {
        const LINGER: Duration = Duration::from_secs(2);
        loop {
            let mut scratch = [0; 4096];
            let mut read = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                    left = left.saturating_sub(read.filled().len());
                    self.closing = Closing::Lingering { left };
                    if left == 0 {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.poll_timer(LINGER, context),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = this.control.lock().task.replace(context.waker().clone());
        drop(before);
        loop {
            if this.control.tunnel.load(Ordering::Acquire) {
                return this.poll_pass(context, out, usize::MAX).map_ok(drop);
            }
            match std::mem::replace(&mut this.state, State::Failed) {
                State::Idle => {
                    this.state = State::Idle;
                    if !ready!(this.poll_idle(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Head => {
                    this.state = State::Head;
                    if !ready!(this.poll_head(context))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Release(left, framing) => {
                    let length = left.min(out.remaining());
                    out.put_slice(this.buffer.get(..length).unwrap_or_default());
                    this.buffer.drain(..length);
                    let rest = left - length;
                    this.state = if rest == 0 {
                        Self::after_head(framing)
                    } else {
                        State::Release(rest, framing)
                    };
                    return Poll::Ready(Ok(()));
                }
                State::Length(left) => {
                    this.state = State::Length(left);
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let length = ready!(this.poll_pass(context, out, most))?;
                    let rest = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                    this.state = if rest == 0 { State::Idle } else { State::Length(rest) };
                    return Poll::Ready(Ok(()));
                }
                State::Chunked(scanner) => {
                    this.state = State::Chunked(scanner.clone());
                    return this.poll_chunked(scanner, context, out);
                }
                // The end of the stream, as far as hyper is concerned.
                State::Failed => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before_write(context))?;
        let polled = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.poll_stall(context, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before_write(context))?;
        let polled = Pin::new(&mut this.inner).poll_write_vectored(context, pieces);
        this.poll_stall(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.poll_write_interim(context)?.is_pending() {
            return this.poll_stall(context, Poll::Pending);
        }
        let polled = Pin::new(&mut this.inner).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) && std::mem::take(&mut this.unflushed) {
            // A head may have been waiting for this.
            context.waker().wake_by_ref();
        }
        this.poll_stall(context, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// What can be in flight when the answer goes out: the buffers of both sockets and of all between.
        const MOST_LINGERED: usize = 16 * 1024 * 1024;
        let this = self.get_mut();
        loop {
            match this.closing {
                Closing::Open => {
                    ready!(this.poll_farewell(context))?;
                    this.closing = Closing::ShutDown;
                }
                Closing::ShutDown => {
                    ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
                    this.timer = None;
                    this.closing = if this.has_unread() {
                        Closing::Lingering { left: MOST_LINGERED }
                    } else {
                        Closing::Done
                    };
                }
                Closing::Lingering { left } => {
                    ready!(this.poll_linger(left, context));
                    this.closing = Closing::Done;
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
