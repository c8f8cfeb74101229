//! Our own HTTP/1.1 engine: one task for each connection that waits for a head, judges it, forwards it and passes the
//! answer down, request after request. Read `serve`, then `begin`, `exchange`, `up` and `down`. What it does not take,
//! it hands over with every byte that it has read.

mod answer;
mod attempt;
mod begin;
mod body;
mod close;
mod down;
mod exchange;
mod judging;
mod outcome;
mod own;
mod render;
mod timer;
mod tunnel;
mod up;

use super::Shared;
use super::client::ConnectedClient;
use super::connection_facts::ConnectionFacts;
use super::credentials::Looked;
use super::present::{Right, RoundWatch};
use super::watched_stream::TlsFailureRecorder;
use crate::drain::{Drain, DrainWatch};
use crate::forward::{ClientAddress, HeadSearch, ParsedHead};
use crate::listener::IdleWatch;
use crate::recycled::RecycledFuture;
use crate::respond::{Refusal, Withdrawal};
use crate::snapshot::ConnectionLimits;
use crate::tls::record::{Filled, Input, Records};
pub(super) use close::GOODBYE_GIVING_WAY;
use outcome::{Begun, EarlierRounds, Unchecked};
use render::Forwarding;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use timer::Timer;
use tokio::time::Instant;

/// A connection and all that its requests share.
pub(super) struct Connection<R: Records> {
    pub(super) records: R,
    /// Decrypted, and not yet taken.
    pub(super) input: Input,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Rc<ConnectionFacts>,
    pub(super) client: ConnectedClient,
    pub(super) address: ClientAddress,
    pub(super) limits: ConnectionLimits,
    pub(super) drain: Drain,
    ending: DrainWatch,
    pub(super) idle: IdleWatch,
    rounds: RoundWatch,
    timer: Timer,
    /// When something last happened: read from the clock a few times for each request, and not at every turn.
    now: Instant,
}

/// How a served connection ends.
pub(super) enum Served<R: Records> {
    /// It is closed.
    Over,
    /// The next request on it is not for this engine.
    Elsewhere(Box<Connection<R>>, Elsewhere),
}

/// Why a request goes to hyper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Its client may know neither chunks nor kept connections.
    Http10,
    /// Not a path: absolute form, `*`, an authority.
    TargetForm,
    /// Its head is longer than a slab.
    HeadSize,
    /// What it needs depends on its body, which is to be read as a whole first.
    BodyDecides,
}

impl Elsewhere {
    /// The word in metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Http10 => "http_1_0",
            Self::TargetForm => "target_form",
            Self::HeadSize => "head_size",
            Self::BodyDecides => "body_decides",
        }
    }
}

/// A connection whose request is over, or is not for this engine.
struct ServedRequest<R: Records> {
    connection: Box<Connection<R>>,
    next: Result<After, Elsewhere>,
}

/// What becomes of the connection behind a request.
enum After {
    /// Another request may come.
    Next,
    /// It is closed in peace: the client reads what was sent.
    Close(Rest),
    /// The client is gone, or must see that something is missing.
    Drop,
    /// It has left HTTP.
    Tunnel(Box<tunnel::Leaving>),
}

/// Whether the client has sent, or may still be sending, what nobody will read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    Unread,
}

/// Whether a connection takes another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Open,
    Close,
}

impl Keep {
    /// What the client wants: in HTTP/1.1 it keeps the connection unless it says `close` (RFC 9112 section 9.3).
    fn of_request(head: &ParsedHead<'_, '_>) -> Self {
        let closes = |value: &[u8]| {
            value
                .split(|byte| *byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
        };
        let mut connection = head
            .fields
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case("connection"));
        if connection.any(|field| closes(field.value)) {
            Self::Close
        } else {
            Self::Open
        }
    }
}

/// What came while waiting for the client.
enum Waited {
    Filled(io::Result<Filled>),
    TimedOut,
    /// The gateway drains, or the connection gives way to a new one, and no request has begun.
    Ending,
}

impl<R: Records> Connection<R> {
    pub(super) fn new(
        (records, input): (R, Input),
        (shared, facts, client): (Arc<Shared>, Rc<ConnectionFacts>, ConnectedClient),
        limits: ConnectionLimits,
        drain: Drain,
        idle: IdleWatch,
    ) -> Self {
        let address = ClientAddress::new(facts.client.ip());
        let ending = drain.watch();
        let (timer, now) = (Timer::default(), Instant::now());
        let rounds = RoundWatch::new();
        Self {
            records,
            input,
            shared,
            facts,
            client,
            address,
            limits,
            drain,
            ending,
            idle,
            rounds,
            timer,
            now,
        }
    }

    /// Serves requests until the connection ends, or one comes that is not for this engine.
    pub(super) async fn serve(mut self: Box<Self>) -> Served<R>
    where
        R: 'static,
    {
        loop {
            let after = if self.has_request().await {
                // A connection that waits for a request holds no memory for one.
                let served = RecycledFuture::new(self.serve_request()).await;
                self = served.connection;
                match served.next {
                    Ok(after) => after,
                    Err(why) => return Served::Elsewhere(self, why),
                }
            } else {
                After::Close(Rest::Nothing)
            };
            match self.after_failure(after) {
                After::Next => {}
                After::Close(rest) => {
                    Box::pin(self.close(rest)).await;
                    return Served::Over;
                }
                After::Drop => return Served::Over,
                After::Tunnel(leaving) => {
                    Box::pin(self.tunnel(*leaving)).await;
                    return Served::Over;
                }
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
            Waited::Filled(Ok(Filled::Some)) => {
                self.now = Instant::now();
                true
            }
            Waited::Filled(_) | Waited::TimedOut | Waited::Ending => false,
        }
    }

    /// Serves one request, of which something is here.
    async fn serve_request(mut self: Box<Self>) -> ServedRequest<R> {
        // Stays where it is from judgement to answer.
        let mut forwarding = None;
        let next = match self.next(&mut forwarding).await {
            Begun::Forward => Ok(self.forward(&mut forwarding).await),
            Begun::Own(own) => Ok(self.answer(*own).await),
            Begun::Elsewhere(why) => Err(why),
            Begun::End | Begun::Unchecked(_) => Ok(After::Close(Rest::Nothing)),
        };
        ServedRequest {
            connection: self,
            next,
        }
    }

    /// What becomes of the connection if the client broke TLS: that is told, and the client gets the time to read its alert.
    fn after_failure(&self, after: After) -> After {
        let Some(failure) = self
            .records
            .failure()
            .filter(|_| !matches!(after, After::Tunnel(_)))
        else {
            return after;
        };
        TlsFailureRecorder::new(&self.facts).record(&failure);
        if failure.reason.is_answered() {
            After::Close(Rest::Unread)
        } else {
            After::Drop
        }
    }

    /// Waits for a request's head, and judges it.
    async fn next(&mut self, place: &mut Option<Forwarding>) -> Begun {
        let idle_since = self.now;
        let mut search = HeadSearch::default();
        let mut head_since = None;
        loop {
            let due = if self.input.is_empty() {
                idle_since + self.limits.keep_alive_timeout
            } else {
                match self.begin(&mut search, place, None) {
                    Some(Begun::Unchecked(unchecked)) => {
                        return self.begin_checked(*unchecked, place).await;
                    }
                    Some(begun) => return begun,
                    None => {}
                }
                let since = *head_since.get_or_insert(self.now);
                if self.input.is_full() {
                    return Begun::Elsewhere(Elsewhere::HeadSize);
                }
                since + self.limits.head_timeout
            };
            self.timer.set(Some(due));
            match std::future::poll_fn(|context| self.poll_input(context)).await {
                Waited::Filled(Ok(Filled::Some)) => self.now = Instant::now(),
                Waited::TimedOut if head_since.is_some() => {
                    return self.refuse_unread(&Refusal::HeadTimeout);
                }
                Waited::Filled(_) | Waited::TimedOut | Waited::Ending => return Begun::End,
            }
        }
    }

    /// Gathers what the decision about the request at the front of the input needs, and decides again, until it is final.
    async fn begin_checked(
        &mut self,
        mut unchecked: Unchecked,
        place: &mut Option<Forwarding>,
    ) -> Begun {
        let mut looked = Looked::default();
        loop {
            let request_id = unchecked.request_id;
            let rounds = unchecked.rounds;
            Box::pin(self.find_out(unchecked, &mut looked)).await;
            let earlier = EarlierRounds {
                looked: &looked,
                request_id,
                rounds,
            };
            match self.begin(&mut HeadSearch::default(), place, Some(earlier)) {
                Some(Begun::Unchecked(more)) => unchecked = *more,
                Some(begun) => {
                    self.now = Instant::now();
                    return begun;
                }
                None => break,
            }
        }
        self.refuse_unread(&Refusal::Internal("the head is gone"))
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Waited> {
        if let Poll::Ready(filled) = self.records.poll_fill(context, &mut self.input) {
            self.idle.becomes_busy();
            return Poll::Ready(Waited::Filled(filled));
        }
        if self.input.is_empty() {
            // A connection that is told to give way and gets a request at the same time answers it, and then closes.
            self.idle.becomes_idle(self.now);
            if self.ending.poll_begun(context) || self.idle.poll_evicted(context).is_ready() {
                return Poll::Ready(Waited::Ending);
            }
        }
        self.timer.poll(context).map(|()| Waited::TimedOut)
    }

    /// Whether the connection takes no further request.
    fn is_ending(&self) -> bool {
        self.ending.has_begun() || self.idle.is_evicted()
    }

    /// Ready when a request that is under way may not go on.
    fn poll_withdrawn(&mut self, context: &mut Context<'_>, right: &mut Right) -> Poll<Withdrawal> {
        right.poll_withdrawn(context, &mut self.rounds, (&self.shared, &self.client))
    }

    /// Ready when the client is gone. What it sends ahead is taken, as far as there is room, so that an end is seen.
    fn poll_client(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.input.is_full() {
            match self.records.poll_fill(context, &mut self.input) {
                Poll::Ready(Ok(Filled::Some)) => {}
                // A client that went away says the same as one that only sends no more; nearly all went away.
                Poll::Ready(Ok(Filled::Closed | Filled::Cut) | Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
