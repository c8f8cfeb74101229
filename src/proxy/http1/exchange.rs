//! One permitted request: a connection to its upstream, the request up, the answer's head, and whether it may go again.
//! Both directions are polled in one task. Judges nothing.

use super::answer::Reading;
use super::begin::{Own, OwnBody};
use super::own::SendFailure;
use super::render::{Forwarding, Rendered};
use super::tunnel::Leaving;
use super::up::{State, Upload, Uploaded};
use super::{After, Connection, Keep, Rest};
use crate::forward::{Asked, Framing, Upgrade, replace_host};
use crate::limit::BodyEnd;
use crate::respond::{Consequence, Refusal, Slow, Withdrawal, refuse};
use crate::tls::record::Records;
use crate::upstream::{Again, Failure, Link, Origin, UpstreamError};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// What a request came to.
enum Event {
    WantsContinue,
    Answer(Rendered),
    /// It may not go on.
    Withdrawn(Withdrawal),
}

/// What an answer led to.
enum Answered {
    Over(After),
    /// Both sides leave HTTP.
    Left(Box<Rendered>, Reading, Link),
    /// It may not go on, and there is no answer yet.
    Withdrawn(Withdrawal),
}

/// What came of connecting to the upstream.
enum Connected {
    Link(Link),
    ClientGone,
    Withdrawn(Withdrawal),
}

/// The parts of one attempt.
struct Attempt {
    upload: Upload,
    reading: Reading,
    link: Link,
}

impl<R: Records> Connection<R> {
    /// Sends a request up and its answer down. Empties the place where the request stands.
    pub(super) async fn forward(&mut self, place: &mut Option<Forwarding>) -> After {
        let Some(forwarding) = place.as_mut() else { return After::Drop };
        self.rounds.begin();
        let outcome = self.exchange(forwarding).await;
        self.rounds.end();
        // Recorded when it is dropped, which is now, unless somebody takes it over.
        let Some(forwarding) = place.take_if(|_| !matches!(outcome, Ok(Answered::Over(_)))) else {
            *place = None;
            return if let Ok(Answered::Over(after)) = outcome { after } else { After::Drop };
        };
        match outcome {
            Err(Some(refusal)) => self.failed(forwarding, refusal).await,
            Ok(Answered::Left(answer, reading, link)) => {
                let Forwarding { record, right, limits, .. } = forwarding;
                let idle_timeout = limits.idle_timeout;
                After::Tunnel(Box::new(Leaving { record, right, answer, reading, link, idle_timeout }))
            }
            Ok(Answered::Withdrawn(withdrawal)) => {
                let mut forwarding = forwarding;
                forwarding.record.cut("stream", &withdrawal);
                self.failed(forwarding, Refusal::Withdrawn(withdrawal)).await
            }
            Ok(Answered::Over(_)) | Err(None) => After::Drop,
        }
    }

    /// As many attempts as are safe. Fails with what the client is told, if there still is one.
    async fn exchange(&mut self, forwarding: &mut Forwarding) -> Result<Answered, Option<Refusal<'static>>> {
        let choice = forwarding.upstream.choose();
        let mut link = forwarding.upstream.pooled_link(choice, forwarding.account.as_deref());
        loop {
            let mut next = match link.take() {
                Some(link) => link,
                None => match self.connect(forwarding, choice).await {
                    Ok(Connected::Link(link)) => link,
                    Ok(Connected::ClientGone) => return Err(None),
                    Ok(Connected::Withdrawn(withdrawal)) => return Ok(Answered::Withdrawn(withdrawal)),
                    Err(error) => return Err(Some(Refusal::Upstream(error))),
                },
            };
            next.carry(forwarding.reuse);
            let (origin, endpoint) = (next.origin(), next.endpoint());
            forwarding.upstream.series.connection_used(origin.word());
            forwarding.record.sent_to(forwarding.upstream.endpoint_name(endpoint));
            let failure = match self.attempt(forwarding, next).await {
                Ok(answered) => return Ok(answered),
                Err(failure) => failure,
            };
            if !failure.was_sent() {
                forwarding.record.was_not_sent();
            }
            match forwarding.repeat.after(&failure, origin) {
                Again::OnPooled => link = forwarding.upstream.pooled_link(choice, forwarding.account.as_deref()),
                Again::OnNew => forwarding.upstream.series.retried(),
                Again::Never => {
                    let endpoint = forwarding.upstream.endpoint_name(endpoint).to_owned();
                    return Err(refusal(failure, endpoint));
                }
            }
        }
    }

    /// A new connection, while client and right are watched.
    async fn connect(&mut self, forwarding: &mut Forwarding, choice: usize) -> Result<Connected, UpstreamError> {
        forwarding.record.connects_to(forwarding.upstream.endpoint_name(choice));
        let Forwarding { upstream, right, preface, account, .. } = forwarding;
        let mut connecting = Box::pin(upstream.new_link(choice, preface.as_deref(), account.as_deref()));
        poll_fn(|context| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(context) {
                return Poll::Ready(connected.map(Connected::Link));
            }
            if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, right) {
                return Poll::Ready(Ok(Connected::Withdrawn(withdrawal)));
            }
            self.poll_client(context).map(|()| Ok(Connected::ClientGone))
        })
        .await
    }

    async fn attempt(&mut self, forwarding: &mut Forwarding, link: Link) -> Result<Answered, Failure> {
        // Only now is it certain which endpoint it is.
        if let Some(host) = forwarding.upstream.own_host(link.endpoint()) {
            replace_host(&mut forwarding.head, &mut forwarding.host, host);
        }
        if link.origin() == Origin::New {
            self.now = Instant::now();
        }
        let upload = Upload::new(forwarding, self.now);
        let mut attempt = Attempt { upload, reading: Reading::default(), link };
        loop {
            let event = poll_fn(|context| self.poll_attempt(context, forwarding, &mut attempt)).await;
            self.now = Instant::now();
            match event {
                Ok(Event::WantsContinue) => {
                    let sent = self.send_by(Some(&mut forwarding.right), b"HTTP/1.1 100 Continue\r\n\r\n").await;
                    if let Some(withdrawal) = withdrawn(sent)? {
                        return Ok(Answered::Withdrawn(withdrawal));
                    }
                    attempt.upload.progress = Instant::now();
                }
                Ok(Event::Answer(answer)) if answer.status == 101 => {
                    let asked = forwarding.upgrade != Upgrade::None && forwarding.upgrade == answer.upgrade;
                    if !asked || !attempt.upload.is_whole() {
                        return Err(Failure::Upgraded);
                    }
                    forwarding.record.answered_at(self.now.into_std());
                    let Attempt { reading, link, .. } = attempt;
                    return Ok(Answered::Left(Box::new(answer), reading, link));
                }
                Ok(Event::Answer(mut answer)) if answer.status < 200 => {
                    if answer.status != 100 {
                        answer.head.extend_from_slice(b"\r\n");
                        let sent = self.send_by(Some(&mut forwarding.right), &answer.head).await;
                        if let Some(withdrawal) = withdrawn(sent)? {
                            return Ok(Answered::Withdrawn(withdrawal));
                        }
                    }
                    attempt.reading.pass_head(answer.length);
                }
                Ok(Event::Answer(answer)) => {
                    let Attempt { upload, reading, link } = attempt;
                    forwarding.record.answered_at(self.now.into_std());
                    forwarding.record.status(answer.status);
                    let after = self.pass_down(forwarding, (upload, link), reading, answer).await;
                    return Ok(Answered::Over(after));
                }
                Ok(Event::Withdrawn(withdrawal)) => {
                    forwarding.record.moved(attempt.upload.taken, 0);
                    return Ok(Answered::Withdrawn(withdrawal.while_waiting_for(attempt.upload.waits_for())));
                }
                Err(failure) => {
                    forwarding.record.moved(attempt.upload.taken, 0);
                    attempt.upload.give_back(forwarding);
                    return Err(failure);
                }
            }
        }
    }

    fn poll_attempt(
        &mut self,
        context: &mut Context<'_>,
        forwarding: &mut Forwarding,
        attempt: &mut Attempt,
    ) -> Poll<Result<Event, Failure>> {
        let Attempt { upload, reading, link } = attempt;
        // Before anything moves.
        if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, &mut forwarding.right) {
            return Poll::Ready(Ok(Event::Withdrawn(withdrawal)));
        }
        let forwarding = &*forwarding;
        match upload.poll(context, &mut self.records, &mut self.input, link) {
            Poll::Ready(Ok(Uploaded::WantsContinue)) => return Poll::Ready(Ok(Event::WantsContinue)),
            Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
            Poll::Ready(Ok(Uploaded::Whole)) | Poll::Pending => {}
        }
        let held_back = match forwarding.wanted {
            Asked::Head => 0,
            Asked::Other => forwarding.repeat.holds_back(&forwarding.upstream.manners),
        };
        let closing = forwarding.keep == Keep::Close || self.is_ending();
        if let Poll::Ready(read) = reading.poll_head(context, link, (forwarding.asked, held_back), |came| {
            // Who answers early with an error wants no more of the request.
            let unwanted = !upload.is_whole() && came.status >= 400;
            let keep = if closing || unwanted { Keep::Close } else { Keep::Open };
            super::render::answer(&came, forwarding, keep)
        }) {
            return Poll::Ready(read.map(Event::Answer));
        }
        // An upload that waits for the client watches it already.
        if upload.is_whole() && self.poll_client(context).is_ready() {
            return Poll::Ready(Err(Failure::ClientGone));
        }
        let (patience, late) = match upload.state {
            State::Client => (forwarding.limits.idle_timeout, Failure::Body(BodyEnd::Stalled)),
            _ => (Some(forwarding.limits.response_timeout), Failure::ResponseTimeout),
        };
        self.timer.set(patience.map(|patience| upload.progress + patience));
        ready!(self.timer.poll(context));
        Poll::Ready(Err(late))
    }

    /// The client is told why there is no answer.
    async fn failed(&mut self, forwarding: Forwarding, refusal: Refusal<'static>) -> After {
        let Forwarding { mut record, form, wanted, framing, keep, upstream, .. } = forwarding;
        if let Refusal::Upstream(error) = &refusal {
            upstream.series.failed(error.word());
        }
        record.failed(&refusal);
        let answer = refuse(&refusal, form, record.request_id());
        // What is left of a body that nobody took cannot be told from a request.
        let bodiless = framing == Framing::Length(0);
        let (mut keep, rest) = if bodiless { (keep, Rest::Nothing) } else { (Keep::Close, Rest::Unread) };
        if refusal.consequence() == Consequence::ConnectionEnds {
            keep = Keep::Close;
        }
        let body = if wanted == Asked::Head { OwnBody::Announced } else { OwnBody::Shown };
        self.answer(Own { record, answer, keep, body, rest }).await
    }
}

/// Whether what was sent before the answer was stopped, since the request may not go on.
fn withdrawn(sent: Result<(), SendFailure>) -> Result<Option<Withdrawal>, Failure> {
    match sent {
        Ok(()) => Ok(None),
        Err(SendFailure::Withdrawn(withdrawal)) => Ok(Some(withdrawal.while_waiting_for(Slow::Client))),
        Err(SendFailure::ClientGone) => Err(Failure::ClientGone),
    }
}

/// What a failure is for the client. `None` if there is no client any more.
fn refusal(failure: Failure, endpoint: String) -> Option<Refusal<'static>> {
    match failure {
        Failure::Framing(error) => Some(Refusal::Framing(error)),
        Failure::ClientGone => None,
        failure => Some(match failure.into_error(endpoint) {
            UpstreamError::RequestBody(end) => Refusal::Body(end),
            error => Refusal::Upstream(error),
        }),
    }
}
