//! The gateway's HTTP/1 engine: one task for each connection reads a head, decides, forwards the request and sends the
//! response, request after request. Read `serve`, then `begin`, `exchange`, `upload` and `download`.

mod response_head_reader;
mod attempt;
mod begin;
mod body;
mod close;
mod download;
mod exchange;
mod forwarded;
mod head_decision;
mod outcome;
mod gateway_response;
mod rendered_response;
mod timer;
mod tunnel;
mod upload;
mod whole_body;

use super::Shared;
use super::client::ConnectedClient;
use super::connection_facts::ConnectionFacts;
use super::evidence::EvidenceCache;
use super::recheck::{LivePermit, RecheckWatch};
use super::watched_stream::TlsFailureRecorder;
use crate::buffer_pool::PooledFuture;
use crate::drain::{Drain, DrainWatch};
use crate::forward::{ClientAddress, HeadSearch, HttpVersion, ParsedHead};
use crate::listener::IdleWatch;
use crate::respond::{Rejection, Withdrawal};
use crate::snapshot::ConnectionLimits;
use crate::tls::record::{FillOutcome, ReceiveBuffer, Records};
pub(super) use close::EVICTED_CLOSE_TIMEOUT;
use forwarded::ForwardedRequest;
use outcome::{EarlierRounds, HeadOutcome, PendingDecision};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use timer::Timer;
use tokio::time::Instant;
use whole_body::WholeBody;

/// A client connection, with the state that its requests share.
pub(super) struct Connection<R: Records> {
    pub(super) records: R,
    /// Decrypted bytes that are not consumed yet.
    pub(super) input: ReceiveBuffer,
    /// The head of the next request, if it is longer than the input, or decided again after its body was read. Otherwise
    /// empty: the head is at the front of the input.
    held_head: Vec<u8>,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Rc<ConnectionFacts>,
    pub(super) client: ConnectedClient,
    pub(super) address: ClientAddress,
    pub(super) limits: ConnectionLimits,
    pub(super) drain: Drain,
    drain_watch: DrainWatch,
    pub(super) idle: IdleWatch,
    recheck_watch: RecheckWatch,
    timer: Timer,
    /// Time of the last event. The clock is read a few times per request, not at every poll.
    now: Instant,
}

/// A connection after one request, with what follows.
struct ServedRequest<R: Records> {
    connection: Box<Connection<R>>,
    next: NextStep,
}

/// What happens with the connection after a request.
enum NextStep {
    /// Wait for another request.
    AwaitRequest,
    /// Close orderly, so that the client can read what was sent.
    Close(UnreadInput),
    /// Drop the socket: the client is gone, or must notice that the response is incomplete.
    Drop,
    /// The connection becomes a tunnel.
    Tunnel(Box<tunnel::PendingTunnel>),
}

/// Whether the client has sent, or may still be sending, bytes that are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnreadInput {
    Absent,
    Possible,
}

/// Whether the connection stays open for another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeepAlive {
    Open,
    Close,
}

impl KeepAlive {
    /// Persistence as requested by the client: HTTP/1.1 keeps the connection open without `close`, HTTP/1.0 closes it without
    /// `keep-alive` (RFC 9112 section 9.3).
    fn of_request(head: &ParsedHead<'_, '_>) -> Self {
        let has_option = |name: &str| {
            let connection = head
                .fields
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case("connection"));
            connection
                .flat_map(|field| field.value.split(|byte| *byte == b','))
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        let closes = has_option("close")
            || (head.version == HttpVersion::Http10 && !has_option("keep-alive"));
        if closes { Self::Close } else { Self::Open }
    }

    /// The field that tells the client of this version. Empty where the version implies it.
    fn field(self, version: HttpVersion) -> &'static [u8] {
        match (self, version) {
            (Self::Close, _) => b"connection: close\r\n",
            (Self::Open, HttpVersion::Http10) => b"connection: keep-alive\r\n",
            (Self::Open, HttpVersion::Http11) => b"",
        }
    }
}

/// What ended the wait for input.
enum WaitOutcome {
    Filled(io::Result<FillOutcome>),
    TimedOut,
    /// The gateway drains or the connection is evicted, and no request has begun.
    Ending,
}

/// What a [`Connection`] is made of.
pub(super) struct ConnectionSetup<R: Records> {
    pub(super) records: R,
    /// Decrypted bytes that came with the handshake.
    pub(super) input: ReceiveBuffer,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Rc<ConnectionFacts>,
    pub(super) client: ConnectedClient,
    pub(super) limits: ConnectionLimits,
    pub(super) drain: Drain,
    pub(super) idle: IdleWatch,
}

impl<R: Records> Connection<R> {
    pub(super) fn new(setup: ConnectionSetup<R>) -> Self {
        Self {
            address: ClientAddress::new(setup.facts.client.ip()),
            drain_watch: setup.drain.watch(),
            recheck_watch: RecheckWatch::new(),
            timer: Timer::default(),
            now: Instant::now(),
            records: setup.records,
            input: setup.input,
            held_head: Vec::new(),
            shared: setup.shared,
            facts: setup.facts,
            client: setup.client,
            limits: setup.limits,
            drain: setup.drain,
            idle: setup.idle,
        }
    }

    /// Serves requests until the connection ends.
    pub(super) async fn serve(mut self: Box<Self>)
    where
        R: 'static,
    {
        loop {
            let next_step = if self.has_request().await {
                // The memory of a request is freed while the connection waits for the next one.
                let served = PooledFuture::new(self.serve_request()).await;
                self = served.connection;
                served.next
            } else {
                NextStep::Close(UnreadInput::Absent)
            };
            match self.check_tls_failure(next_step) {
                NextStep::AwaitRequest => {}
                NextStep::Close(unread) => return Box::pin(self.close(unread)).await,
                NextStep::Drop => return,
                NextStep::Tunnel(pending) => return Box::pin(self.tunnel(*pending)).await,
            }
        }
    }

    /// Waits for the first bytes of a request. `false` if none come.
    async fn has_request(&mut self) -> bool {
        if !self.input.is_empty() {
            return true;
        }
        self.timer
            .set(Some(self.now + self.limits.keep_alive_timeout));
        match std::future::poll_fn(|context| self.poll_input(context)).await {
            WaitOutcome::Filled(Ok(FillOutcome::Some)) => {
                self.now = Instant::now();
                true
            }
            WaitOutcome::Filled(_) | WaitOutcome::TimedOut | WaitOutcome::Ending => false,
        }
    }

    /// Serves one request. Its first bytes are in the input.
    async fn serve_request(mut self: Box<Self>) -> ServedRequest<R> {
        // Not moved between decision and response: the struct is large.
        let mut request = None;
        let next = match self.next_request(&mut request).await {
            HeadOutcome::Forward => self.forward(&mut request).await,
            HeadOutcome::Respond(response) => self.respond(*response).await,
            HeadOutcome::End | HeadOutcome::NeedsEvidence(_) => {
                NextStep::Close(UnreadInput::Absent)
            }
        };
        ServedRequest {
            connection: self,
            next,
        }
    }

    /// Records a TLS failure, if there was one. The client then gets time to read its alert.
    fn check_tls_failure(&self, next_step: NextStep) -> NextStep {
        let Some(failure) = self
            .records
            .failure()
            .filter(|_| !matches!(next_step, NextStep::Tunnel(_)))
        else {
            return next_step;
        };
        TlsFailureRecorder::new(&self.facts).record(&failure);
        if failure.reason.is_answered() {
            NextStep::Close(UnreadInput::Possible)
        } else {
            NextStep::Drop
        }
    }

    /// Waits for a request head and decides about it.
    async fn next_request(&mut self, slot: &mut Option<ForwardedRequest>) -> HeadOutcome {
        let idle_since = self.now;
        let mut search = HeadSearch::default();
        let mut head_since = None;
        loop {
            let due = if self.is_between_requests() {
                idle_since + self.limits.keep_alive_timeout
            } else {
                match self.begin(&mut search, slot, None) {
                    Some(HeadOutcome::NeedsEvidence(pending)) => {
                        return self.decide_with_evidence(*pending, slot).await;
                    }
                    Some(outcome) => return outcome,
                    // An empty line was skipped.
                    None if self.is_between_requests() => {
                        head_since = None;
                        idle_since + self.limits.keep_alive_timeout
                    }
                    None => *head_since.get_or_insert(self.now) + self.limits.head_timeout,
                }
            };
            self.timer.set(Some(due));
            match std::future::poll_fn(|context| self.poll_input(context)).await {
                WaitOutcome::Filled(Ok(FillOutcome::Some)) => self.now = Instant::now(),
                WaitOutcome::TimedOut if head_since.is_some() => {
                    return self.reject_unread(&Rejection::HeadTimeout);
                }
                WaitOutcome::Filled(_) | WaitOutcome::TimedOut | WaitOutcome::Ending => {
                    return HeadOutcome::End;
                }
            }
        }
    }

    /// Gathers evidence and decides again about the same head, until the decision is final.
    async fn decide_with_evidence(
        &mut self,
        mut pending: PendingDecision,
        slot: &mut Option<ForwardedRequest>,
    ) -> HeadOutcome {
        let mut evidence = EvidenceCache::default();
        let mut body = WholeBody::Unread;
        loop {
            let request_id = pending.request_id;
            let rounds = pending.rounds;
            Box::pin(self.gather_evidence(pending, &mut evidence, &mut body)).await;
            let earlier = EarlierRounds {
                evidence: &evidence,
                body: &body,
                request_id,
                rounds,
            };
            match self.begin(&mut HeadSearch::default(), slot, Some(earlier)) {
                Some(HeadOutcome::NeedsEvidence(more)) => pending = *more,
                Some(outcome) => {
                    self.now = Instant::now();
                    if let Some(request) = slot {
                        request.take_body(body);
                    }
                    return outcome;
                }
                None => break,
            }
        }
        self.reject_unread(&Rejection::Internal("the head is gone"))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<WaitOutcome> {
        if let Poll::Ready(filled) = self.records.poll_fill(context, &mut self.input) {
            self.idle.becomes_busy();
            return Poll::Ready(WaitOutcome::Filled(filled));
        }
        if self.is_between_requests() {
            // A connection that is evicted while a request arrives serves that request, and then closes.
            self.idle.becomes_idle(self.now);
            if self.drain_watch.poll_begun(context) || self.idle.poll_evicted(context).is_ready() {
                return Poll::Ready(WaitOutcome::Ending);
            }
        }
        self.timer.poll(context).map(|()| WaitOutcome::TimedOut)
    }

    /// Whether no byte of the next request was received.
    fn is_between_requests(&self) -> bool {
        self.input.is_empty() && self.held_head.is_empty()
    }

    /// Whether the connection accepts no further request.
    fn is_ending(&self) -> bool {
        self.drain_watch.has_begun() || self.idle.is_evicted()
    }

    /// Ready when the permit of the open request was withdrawn.
    fn poll_withdrawn(
        &mut self,
        context: &mut Context<'_>,
        live_permit: &mut LivePermit,
    ) -> Poll<Withdrawal> {
        live_permit.poll_withdrawn(context, &mut self.recheck_watch, &self.shared, &self.client)
    }

    /// Ready when the client is gone. Reads ahead as far as there is room, to notice the end of the stream.
    fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.input.is_full() {
            match self.records.poll_fill(context, &mut self.input) {
                Poll::Ready(Ok(FillOutcome::Some)) => {}
                // A half-closed client cannot be told from one that is gone; nearly all of them are gone.
                Poll::Ready(Ok(FillOutcome::Closed | FillOutcome::Cut) | Err(_)) => {
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
