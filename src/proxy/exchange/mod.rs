//! One request on hyper, from head to last byte: judged, answered by us or forwarded, and recorded. The order of the
//! functions is the way of the request; `up` and `down` render its two halves.

mod content;
mod context;
mod down;
mod up;

pub(super) use context::ConnectionContext;
pub(super) use down::RecordedBody;

use content::Content;
use up::ForwardObserver;

use super::client::ClientView;
use super::credentials::{Checked, JudgingBy, Looked, wanted};
use super::in_force::{InForce, UpstreamHere};
use super::limits::{self, Allowance};
use super::own_answer::own_answer;
use super::record::Record;
use super::request::{Decision, DecisionRounds, RequestDecision, decide_with};
use crate::authorize::Permit;
use crate::clock;
use crate::forward::{Asked, Upgrade, requested_upgrade};
use crate::head::RequestHead;
use crate::limit::BodyEnd;
use crate::respond::{Consequence, Form, Refusal, Slow, refuse};
use crate::route::{CanonicalTarget, Route};
use crate::upstream::{Answer, Behind, UpstreamError};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

/// Answers one request: decides about it, gathers what the decision needs, decides again, and carries the decision out.
pub(super) async fn answer(
    context: Rc<ConnectionContext>,
    mut request: Request<Incoming>,
) -> Response<RecordedBody> {
    let leaving = upgrade_of(&mut request);
    let (parts, body) = request.into_parts();
    // Shared with the right to the request, so that what is decided on is borrowed from one place.
    let parts = Rc::new(parts);
    let head = request_head(&parts);
    let mut content = Content::Coming(body);
    let mut looked = Looked::default();
    let mut rounds = DecisionRounds::default();
    let mut body_end = None;
    let first = context.judging_by(&head);
    let mut record = context.new_record(&first.in_force.snapshot, &parts);
    let mut next = Some(first);
    loop {
        let judging = next.take().unwrap_or_else(|| context.judging_by(&head));
        let checked = looked.counted(&judging.in_force.snapshot);
        let decided = decide(&judging, &checked, &head);
        let wanted = decided
            .as_ref()
            .filter(|_| body_end.is_none())
            .and_then(|decided| {
                let need = rounds.next_need(&decided.decision)?;
                let asker = context.asker(parts.version, record.request_id());
                wanted(need, decided, head.fields, &judging, &checked, asker)
            });
        if let Some(wanted) = wanted {
            let gathering = context.find_out(&mut looked, wanted, &judging, &mut content);
            body_end = Box::pin(gathering).await.err();
            continue;
        }
        record.showed(&checked);
        record.client_is(judging.view.clone());
        let exchange = Exchange {
            context: &context,
            in_force: &judging.in_force,
            view: &judging.view,
            checked: &checked,
            form: Form::of_accept(&parts.headers),
        };
        let Some(mut decided) = decided else {
            return exchange.refused(record, &Refusal::ListenerGone);
        };
        if let Some(end) = body_end {
            decided.decision = Decision::Deny(exchange.body_failure(end));
        }
        let asked = AskedRequest {
            head: &parts,
            content,
            leaving,
        };
        return exchange.carry_out(record, asked, decided).await;
    }
}

fn request_head(parts: &Parts) -> RequestHead<'_, HeaderMap> {
    let target = parts.uri.path_and_query();
    RequestHead {
        method: parts.method.as_str(),
        target: target.map_or("", |target| target.as_str()),
        authority: parts.uri.authority().map(|authority| authority.as_str()),
        fields: &parts.headers,
    }
}

/// Where the connection leaves HTTP, if this request may ask for that.
fn upgrade_of(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    match request.version() {
        // A body would run into the tunnel.
        Version::HTTP_11 if request.body().is_end_stream() => Some(hyper::upgrade::on(request)),
        _ => None,
    }
}

/// `None` if the listener is gone.
fn decide<'s: 'h, 'h>(
    judging: &'s JudgingBy,
    checked: &'s Checked,
    head: &RequestHead<'h, HeaderMap>,
) -> Option<RequestDecision<'s, 'h>> {
    let client = judging.view.client()?;
    Some(decide_with(
        &judging.in_force.snapshot,
        client,
        &checked.evidence,
        head,
    ))
}

/// A request that may go on.
struct Permitted<'s, 'h> {
    route: &'s Arc<Route>,
    permit: Permit<'s>,
    method: &'h str,
    target: CanonicalTarget<'h>,
    allowance: Allowance,
}

/// A request as the client sent it.
struct AskedRequest<'h> {
    head: &'h Rc<Parts>,
    content: Content,
    /// Where the connection leaves HTTP, if it can.
    leaving: Option<OnUpgrade>,
}

/// One request and everything around it.
struct Exchange<'a> {
    context: &'a Rc<ConnectionContext>,
    in_force: &'a InForce,
    view: &'a Rc<ClientView>,
    checked: &'a Checked,
    form: Form,
}

impl Exchange<'_> {
    fn refused(&self, mut record: Record, refusal: &Refusal<'_>) -> Response<RecordedBody> {
        record.failed(refusal);
        let answer = refuse(refusal, self.form, record.request_id());
        let mut response = self.own_answer(record, answer);
        let shares_bytes = self.context.guard.is_some();
        let ends = match refusal.consequence() {
            Consequence::None => false,
            Consequence::SharedBytesEnd => shares_bytes,
            Consequence::ConnectionEnds => true,
        };
        if ends {
            self.context.close.cancel();
            if shares_bytes {
                response
                    .headers_mut()
                    .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }

    /// Answers the request or forwards it, as was decided.
    async fn carry_out(
        &self,
        mut record: Record,
        asked: AskedRequest<'_>,
        decided: RequestDecision<'_, '_>,
    ) -> Response<RecordedBody> {
        record.decided(&decided, self.in_force);
        let RequestDecision {
            method,
            target,
            route,
            decision,
            ..
        } = decided;
        let permit = match decision.into_result() {
            Ok(permit) => permit,
            Err(refusal) => return self.refused(record, &refusal),
        };
        let (Some(route), Some(target)) = (route, target) else {
            return self.refused(record, &Refusal::Internal("a permit without a route"));
        };
        let user = self.checked.user(self.view);
        let announced = Some(asked.content.size_hint().lower());
        let snapshot = &self.in_force.snapshot;
        match limits::take(&mut record, snapshot, (route, user), announced) {
            Err(refusal) => self.refused(record, &refusal),
            Ok(allowance) => {
                let permitted = Permitted {
                    route,
                    permit,
                    method,
                    target,
                    allowance,
                };
                self.permitted(record, asked, permitted).await
            }
        }
    }

    async fn permitted(
        &self,
        record: Record,
        asked: AskedRequest<'_>,
        permitted: Permitted<'_, '_>,
    ) -> Response<RecordedBody> {
        let (target, snapshot) = (&permitted.route.target, &self.in_force.snapshot);
        if let Some(own) = own_answer(
            target,
            permitted.method,
            snapshot,
            (self.view, self.checked),
            self.form,
        ) {
            return match own {
                Ok(answer) => self.own_answer(record, answer),
                Err(refusal) => self.refused(record, &refusal),
            };
        }
        match self
            .in_force
            .route(&self.context.facts, permitted.route)
            .upstream
            .clone()
        {
            Some(upstream) => self.forward(record, asked, permitted, &upstream).await,
            None => self.refused(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    async fn forward(
        &self,
        mut record: Record,
        mut asked: AskedRequest<'_>,
        permitted: Permitted<'_, '_>,
        upstream: &UpstreamHere,
    ) -> Response<RecordedBody> {
        let limits = permitted.allowance.limits;
        let body = record.meters().request.clone();
        let head = asked.head;
        let upgrade = match asked.leaving {
            Some(_) => requested_upgrade(permitted.method, &head.headers),
            None => Ok(Upgrade::None),
        };
        let upgrade = match upgrade {
            Ok(upgrade) => upgrade,
            Err(bad) => return self.refused(record, &Refusal::Upgrade(bad)),
        };
        let leaving = asked.leaving.take().filter(|_| upgrade != Upgrade::None);
        let (wanted, version) = (Asked::by(head.method.as_str()), head.version);
        let Some((outgoing, right)) =
            self.outgoing(&mut record, asked, &permitted, upstream, upgrade)
        else {
            return self.refused(record, &Refusal::Internal("a head that cannot be written"));
        };
        let open = self.context.open.begin(right);
        let interim = self.interim(version, &record);
        let observer = ForwardObserver {
            record: &mut record,
            wanted,
            interim: interim.as_ref(),
        };
        let outcome = tokio::select! {
            biased;
            withdrawal = poll_fn(|context| open.poll_withdrawn(context)) => {
                let slow = if body.waits_for_sender() { Slow::Client } else { Slow::Upstream };
                Err(Refusal::Withdrawn(withdrawal.while_waiting_for(slow)))
            }
            outcome = upstream.send(outgoing, observer) => outcome.map_err(|error| self.failure(error)),
        };
        if let Some(guard) = &self.context.guard {
            guard.refuse_interim();
        }
        let Answer { head, behind, .. } = match outcome {
            Err(refusal) => {
                if let Refusal::Withdrawn(withdrawal) = &refusal {
                    record.cut("stream", withdrawal);
                }
                return self.refused(record, &refusal);
            }
            Ok(answer) => answer,
        };
        record.answered_at(clock::now());
        match (behind, leaving) {
            (Behind::Body(mut body), _) => {
                // Another method than the client's may be the one that was sent.
                if wanted == Asked::Head && !body.is_end_stream() {
                    body.discard();
                }
                self.pass_down((record, open), head, body, limits)
            }
            (Behind::Stream(stream), Some(leaving)) => {
                self.tunnel((record, open), head.fields, (leaving, stream), limits)
            }
            (Behind::Stream(_), None) => self.refused(
                record,
                &Refusal::Internal("the upstream left HTTP without being asked"),
            ),
        }
    }

    /// A request body that failed is the client's doing, and has its own answers.
    fn failure(&self, error: UpstreamError) -> Refusal<'static> {
        match error {
            UpstreamError::RequestBody(end) => self.body_failure(end),
            error => Refusal::Upstream(error),
        }
    }

    fn body_failure(&self, end: BodyEnd) -> Refusal<'static> {
        let broken = self
            .context
            .guard
            .as_ref()
            .and_then(|guard| guard.broken_body());
        broken.map_or(Refusal::Body(end), Refusal::Framing)
    }
}
