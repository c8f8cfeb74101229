//! One permitted request: a connection to its upstream, the request up, the answer's head, and whether it may go again.
//! Both directions are polled in one task. Judges nothing.

use super::answer::Reading;
use super::attempt::{Attempt, Event};
use super::outcome::{Own, OwnBody};
use super::own::SendFailure;
use super::render::{Forwarding, Rendered};
use super::tunnel::Leaving;
use super::{After, Connection, Keep, Rest};
use crate::forward::{Asked, Framing, Upgrade};
use crate::respond::{Consequence, Refusal, Slow, Withdrawal, refuse};
use crate::tls::record::Records;
use crate::upstream::{Again, Failure, Link, UpstreamError};
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::Instant;

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

impl<R: Records> Connection<R> {
    /// Sends a request up and its answer down. Empties the place where the request stands.
    pub(super) async fn forward(&mut self, place: &mut Option<Forwarding>) -> After {
        let Some(forwarding) = place.as_mut() else {
            return After::Drop;
        };
        self.rounds.begin();
        let outcome = self.exchange(forwarding).await;
        self.rounds.end();
        // Recorded when it is dropped, which is now, unless somebody takes it over.
        let Some(forwarding) = place.take_if(|_| !matches!(outcome, Ok(Answered::Over(_)))) else {
            *place = None;
            return if let Ok(Answered::Over(after)) = outcome {
                after
            } else {
                After::Drop
            };
        };
        match outcome {
            Err(Some(refusal)) => self.failed(forwarding, refusal).await,
            Ok(Answered::Left(answer, reading, link)) => {
                let Forwarding {
                    record,
                    right,
                    limits,
                    ..
                } = forwarding;
                let idle_timeout = limits.idle_timeout;
                After::Tunnel(Box::new(Leaving {
                    record,
                    right,
                    answer,
                    reading,
                    link,
                    idle_timeout,
                }))
            }
            Ok(Answered::Withdrawn(withdrawal)) => {
                let mut forwarding = forwarding;
                forwarding.record.cut("stream", &withdrawal);
                self.failed(forwarding, Refusal::Withdrawn(withdrawal))
                    .await
            }
            Ok(Answered::Over(_)) | Err(None) => After::Drop,
        }
    }

    /// As many attempts as are safe. Fails with what the client is told, if there still is one.
    async fn exchange(
        &mut self,
        forwarding: &mut Forwarding,
    ) -> Result<Answered, Option<Refusal<'static>>> {
        let choice = forwarding.upstream.choose();
        let mut link = forwarding
            .upstream
            .pooled_link(choice, forwarding.account.as_deref());
        loop {
            let mut next = match link.take() {
                Some(link) => link,
                None => match self.connect(forwarding, choice).await {
                    Ok(Connected::Link(link)) => link,
                    Ok(Connected::ClientGone) => return Err(None),
                    Ok(Connected::Withdrawn(withdrawal)) => {
                        return Ok(Answered::Withdrawn(withdrawal));
                    }
                    Err(error) => return Err(Some(Refusal::Upstream(error))),
                },
            };
            next.carry(forwarding.reuse);
            let (origin, endpoint) = (next.origin(), next.endpoint());
            forwarding.upstream.series.connection_used(origin.word());
            forwarding
                .record
                .sent_to(forwarding.upstream.endpoint_name(endpoint));
            let failure = match self.attempt(forwarding, next).await {
                Ok(answered) => return Ok(answered),
                Err(failure) => failure,
            };
            if !failure.was_sent() {
                forwarding.record.was_not_sent();
            }
            match forwarding.repeat.after(&failure, origin) {
                Again::OnPooled => {
                    link = forwarding
                        .upstream
                        .pooled_link(choice, forwarding.account.as_deref())
                }
                Again::OnNew => forwarding.upstream.series.retried(),
                Again::Never => {
                    let endpoint = forwarding.upstream.endpoint_name(endpoint).to_owned();
                    return Err(refusal(failure, endpoint));
                }
            }
        }
    }

    /// A new connection, while client and right are watched.
    async fn connect(
        &mut self,
        forwarding: &mut Forwarding,
        choice: usize,
    ) -> Result<Connected, UpstreamError> {
        forwarding
            .record
            .connects_to(forwarding.upstream.endpoint_name(choice));
        let Forwarding {
            upstream,
            right,
            preface,
            account,
            ..
        } = forwarding;
        let mut connecting =
            Box::pin(upstream.new_link(choice, preface.as_deref(), account.as_deref()));
        poll_fn(|context| {
            if let Poll::Ready(connected) = connecting.as_mut().poll(context) {
                return Poll::Ready(connected.map(Connected::Link));
            }
            if let Poll::Ready(withdrawal) = self.poll_withdrawn(context, right) {
                return Poll::Ready(Ok(Connected::Withdrawn(withdrawal)));
            }
            self.poll_client(context)
                .map(|()| Ok(Connected::ClientGone))
        })
        .await
    }

    async fn attempt(
        &mut self,
        forwarding: &mut Forwarding,
        link: Link,
    ) -> Result<Answered, Failure> {
        let mut attempt = self.begin_attempt(forwarding, link);
        loop {
            let event =
                poll_fn(|context| self.poll_attempt(context, forwarding, &mut attempt)).await;
            self.now = Instant::now();
            match event {
                Ok(Event::WantsContinue) => {
                    let sent = self
                        .send_by(
                            Some(&mut forwarding.right),
                            b"HTTP/1.1 100 Continue\r\n\r\n",
                        )
                        .await;
                    if let Some(withdrawal) = withdrawn(sent)? {
                        return Ok(Answered::Withdrawn(withdrawal));
                    }
                    attempt.upload.progress = Instant::now();
                }
                Ok(Event::Answer(answer)) if answer.status == 101 => {
                    return self.leave(forwarding, attempt, answer);
                }
                Ok(Event::Answer(mut answer)) if answer.status < 200 => {
                    if answer.status != 100 {
                        answer.head.extend_from_slice(b"\r\n");
                        let sent = self
                            .send_by(Some(&mut forwarding.right), &answer.head)
                            .await;
                        if let Some(withdrawal) = withdrawn(sent)? {
                            return Ok(Answered::Withdrawn(withdrawal));
                        }
                    }
                    attempt.reading.pass_head(answer.length);
                }
                Ok(Event::Answer(answer)) => {
                    let up = (attempt.upload, attempt.link);
                    forwarding.record.answered_at(self.now.into_std());
                    forwarding.record.status(answer.status);
                    let after = self
                        .pass_down(forwarding, up, attempt.reading, answer)
                        .await;
                    return Ok(Answered::Over(after));
                }
                Ok(Event::Withdrawn(withdrawal)) => {
                    forwarding.record.moved(attempt.upload.taken, 0);
                    return Ok(Answered::Withdrawn(
                        withdrawal.while_waiting_for(attempt.upload.waits_for()),
                    ));
                }
                Err(failure) => {
                    forwarding.record.moved(attempt.upload.taken, 0);
                    attempt.upload.give_back(forwarding);
                    return Err(failure);
                }
            }
        }
    }

    /// Both sides leave HTTP, if that was asked for and nothing of the request is left.
    fn leave(
        &mut self,
        forwarding: &mut Forwarding,
        attempt: Attempt,
        answer: Rendered,
    ) -> Result<Answered, Failure> {
        let asked = forwarding.upgrade != Upgrade::None && forwarding.upgrade == answer.upgrade;
        if !asked || !attempt.upload.is_whole() {
            return Err(Failure::Upgraded);
        }
        forwarding.record.answered_at(self.now.into_std());
        let Attempt { reading, link, .. } = attempt;
        Ok(Answered::Left(Box::new(answer), reading, link))
    }

    /// The client is told why there is no answer.
    async fn failed(&mut self, forwarding: Forwarding, refusal: Refusal<'static>) -> After {
        let Forwarding {
            mut record,
            form,
            wanted,
            framing,
            keep,
            upstream,
            ..
        } = forwarding;
        if let Refusal::Upstream(error) = &refusal {
            upstream.series.failed(error.word());
        }
        record.failed(&refusal);
        let answer = refuse(&refusal, form, record.request_id());
        // What is left of a body that nobody took cannot be told from a request.
        let bodiless = framing == Framing::Length(0);
        let (mut keep, rest) = if bodiless {
            (keep, Rest::Nothing)
        } else {
            (Keep::Close, Rest::Unread)
        };
        if refusal.consequence() == Consequence::ConnectionEnds {
            keep = Keep::Close;
        }
        let body = if wanted == Asked::Head {
            OwnBody::Announced
        } else {
            OwnBody::Shown
        };
        self.answer(Own {
            record,
            answer,
            keep,
            body,
            rest,
        })
        .await
    }
}

/// Whether what was sent before the answer was stopped, since the request may not go on.
fn withdrawn(sent: Result<(), SendFailure>) -> Result<Option<Withdrawal>, Failure> {
    match sent {
        Ok(()) => Ok(None),
        Err(SendFailure::Withdrawn(withdrawal)) => {
            Ok(Some(withdrawal.while_waiting_for(Slow::Client)))
        }
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
