//! One request on hyper, from head to last byte: judged, answered by us or forwarded, and recorded. The order of the
//! functions is the way of the request; `up` and `down` render its two halves.

mod down;
mod up;

pub(super) use down::RecordedBody;

use up::Received;

use super::Shared;
use super::activity::Activity;
use super::client::{ClientView, ConnectedClient};
use super::credentials::{Checked, JudgingBy, Looked, unchecked};
use super::guard::GuardControl;
use super::own_answer::own_answer;
use super::present::OpenExchanges;
use super::record::{ConnectionFacts, Record};
use super::request::{Judgement, decide_presented};
use crate::authorize::Permit;
use crate::drain::Drain;
use crate::forward::{Asked, Upgrade, requested_upgrade};
use crate::head::RequestHead;
use crate::limit::BodyEnd;
use crate::listener::ConnectionPlace;
use crate::respond::{Consequence, Form, Refusal, refuse};
use crate::route::{Route, Target};
use crate::snapshot::Snapshot;
use crate::upstream::{Answer, Behind, Upstream, UpstreamError};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What all requests of a connection share.
pub(super) struct ConnectionContext {
    pub(super) shared: Arc<Shared>,
    pub(super) facts: Rc<ConnectionFacts>,
    pub(super) client: ConnectedClient,
    /// Counts as an open connection; a tunnel holds it with the rest of this when HTTP is over.
    pub(super) _place: ConnectionPlace,
    pub(super) drain: Drain,
    /// HTTP/1.1 only.
    pub(super) guard: Option<Arc<GuardControl>>,
    /// A client that takes no byte of an answer of our own.
    pub(super) idle_timeout: Option<Duration>,
    /// Ends the connection after the answers that are on their way.
    pub(super) close: CancellationToken,
    /// Whether requests are under way, and answers are taken.
    pub(super) activity: Arc<Activity>,
    /// Whose rights are looked after.
    pub(super) open: OpenExchanges,
}

/// Answers one request.
pub(super) async fn answer(context: Rc<ConnectionContext>, request: Request<Incoming>) -> Response<RecordedBody> {
    let (shared, client) = (&context.shared, &context.client);
    let (first, nothing) = (JudgingBy::at(shared, client, request.headers(), Instant::now()), Checked::default());
    let (mut judging, mut checked) = (&first, &nothing);
    let mut record = context.new_record(&first.in_force.snapshot, &request);
    let form = Form::of_accept(request.headers());
    let head = RequestHead {
        method: request.method().as_str(),
        target: request.uri().path_and_query().map_or("", |target| target.as_str()),
        authority: request.uri().authority().map(|authority| authority.as_str()),
        fields: request.headers(),
    };
    let mut judgement = judged(judging, checked, &head);
    let (then, found);
    if let Some(shown) = judgement.as_ref().and_then(|judgement| unchecked(judgement, head.fields)) {
        let looked = Looked::at(shared, &first, shown, context.facts.client.ip()).await;
        then = JudgingBy::at(shared, client, head.fields, Instant::now());
        found = looked.counted(&then.in_force.snapshot);
        (judging, checked) = (&then, &found);
        judgement = judged(judging, checked, &head);
        record.showed(checked);
    }
    let JudgingBy { in_force, view } = judging;
    record.client_is(view.clone());
    let exchange = Exchange { context: &context, snapshot: &in_force.snapshot, view, checked, form };
    let Some(judgement) = judgement else { return exchange.refused(record, &Refusal::ListenerGone) };
    record.judged(&judgement, in_force);
    let Judgement { method, target, route, outcome, .. } = judgement;
    match (outcome, route, target) {
        (Err(refusal), _, _) => exchange.refused(record, &refusal),
        (Ok(permit), Some(route), Some(target)) => {
            let permitted = Permitted { route, permit, method: method.to_owned(), target: target.to_string() };
            exchange.permitted(record, request, permitted).await
        }
        (Ok(_), _, _) => exchange.refused(record, &Refusal::Internal("a permit without a route")),
    }
}

/// `None` if the listener is gone.
fn judged<'s: 'h, 'h>(
    judging: &'s JudgingBy,
    checked: &'s Checked,
    head: &RequestHead<'h, HeaderMap>,
) -> Option<Judgement<'s, 'h>> {
    let client = judging.view.client()?;
    Some(decide_presented(&judging.in_force.snapshot, client, &checked.presented, head))
}

impl ConnectionContext {
    fn new_record(&self, snapshot: &Snapshot, request: &Request<Incoming>) -> Record {
        let said = (request.method().as_str(), request.uri().path());
        let mut record = Record::new(
            self.facts.clone(),
            protocol(request.version()),
            snapshot.generation,
            super::request_id(),
            said,
        );
        self.activity.request_begins();
        let (activity, guard) = (self.activity.clone(), self.guard.clone());
        record.on_end(move || {
            activity.request_ends();
            if let Some(guard) = guard {
                guard.request_is_over();
            }
        });
        record
    }
}

/// A request that may go on.
struct Permitted<'s> {
    route: &'s Arc<Route>,
    permit: Permit<'s>,
    method: String,
    target: String,
}

/// One request and everything around it.
struct Exchange<'a> {
    context: &'a Rc<ConnectionContext>,
    snapshot: &'a Arc<Snapshot>,
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
                response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }

    async fn permitted(
        &self,
        record: Record,
        request: Request<Incoming>,
        permitted: Permitted<'_>,
    ) -> Response<RecordedBody> {
        let target = &permitted.route.target;
        if let Some(own) = own_answer(target, &permitted.method, self.snapshot, (self.view, self.checked), self.form) {
            return match own {
                Ok(answer) => self.own_answer(record, answer),
                Err(refusal) => self.refused(record, &refusal),
            };
        }
        let upstream = match target {
            Target::Upstream(name) => self.snapshot.upstreams.get(name),
            Target::Whoami | Target::Jwks => None,
        };
        match upstream {
            Some(upstream) => self.forward(record, request, permitted, upstream).await,
            None => self.refused(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    async fn forward(
        &self,
        mut record: Record,
        mut request: Request<Incoming>,
        permitted: Permitted<'_>,
        upstream: &Arc<Upstream>,
    ) -> Response<RecordedBody> {
        let limits = permitted.route.limits;
        if limits.body_size.is_some_and(|limit| request.body().size_hint().lower() > limit) {
            return self.refused(record, &Refusal::Body(BodyEnd::TooLarge));
        }
        let upgrade = match request.version() {
            // A body would run into the tunnel.
            Version::HTTP_11 if request.body().is_end_stream() => {
                requested_upgrade(&permitted.method, request.headers())
            }
            _ => Upgrade::None,
        };
        let leaving = (upgrade == Upgrade::WebSocket).then(|| hyper::upgrade::on(&mut request));
        let (wanted, version) = (Asked::by(request.method().as_str()), request.version());
        let Some((outgoing, right)) = self.outgoing(&mut record, request, &permitted, upstream, upgrade) else {
            return self.refused(record, &Refusal::Internal("a head that cannot be written"));
        };
        let open = self.context.open.begin(right);
        let interim = self.interim(version, &record);
        let outcome = tokio::select! {
            biased;
            withdrawal = poll_fn(|context| open.poll_withdrawn(context)) => Err(Refusal::Withdrawn(withdrawal)),
            outcome = upstream.send(outgoing, |came| Received::of(came, wanted, &record, interim.as_ref())) => {
                outcome.map_err(|error| self.failure(error))
            }
        };
        if let Some(guard) = &self.context.guard {
            guard.refuse_interim();
        }
        let Answer { head, endpoint, behind } = match outcome {
            Err(refusal) => {
                if let Refusal::Withdrawn(withdrawal) = &refusal {
                    record.cut("stream", withdrawal);
                }
                return self.refused(record, &refusal);
            }
            Ok(answer) => answer,
        };
        record.answered_by(upstream.endpoint_name(endpoint));
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
            (Behind::Stream(_), None) => {
                self.refused(record, &Refusal::Internal("the upstream left HTTP without being asked"))
            }
        }
    }

    /// A request body that failed is the client's doing, and has its own answers.
    fn failure(&self, error: UpstreamError) -> Refusal<'static> {
        match error {
            UpstreamError::RequestBody(end) => {
                let broken = self.context.guard.as_ref().and_then(|guard| guard.broken_body());
                broken.map_or(Refusal::Body(end), Refusal::Framing)
            }
            error => Refusal::Upstream(error),
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
