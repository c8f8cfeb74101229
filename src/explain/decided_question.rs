//! Decides the request of a question, with the evidence that the decision needs. Finds no reasons.

use super::client::ExplainedClient;
use super::context::{ExplainedRequest, QuestionContext};
use crate::authorize::Trace;
use crate::head::RequestHead;
use crate::limit::{Bounds, Limiter, smaller};
use crate::proxy::{
    Client, ClientIdentity, DecisionRounds, Evidence, Need, PresentedCredentials, RequestDecision,
    decide_traced, unless_denied,
};
use crate::route::Admission;
use crate::route::icinga2::EventTypes;
use crate::tls::FailureReason;
use std::sync::Arc;

/// A question with the decision about its request.
pub(super) struct DecidedQuestion<'a> {
    pub(super) context: &'a QuestionContext<'a>,
    pub(super) client: Client<'a>,
    pub(super) evidence: &'a Evidence,
    pub(super) decided: &'a RequestDecision<'a, 'a>,
    fields: &'a [(&'a str, &'a [u8])],
}

/// The limits of a request.
pub(super) struct Limits {
    pub(super) user: Option<Bounds>,
    pub(super) route: Option<Bounds>,
    /// The smaller of the two body size limits, in bytes.
    pub(super) body_size: Option<u64>,
}

impl QuestionContext<'_> {
    /// Decides the request, in as many rounds as the decision needs evidence. Each round has a trace of its own; `then` gets
    /// that of the last one.
    pub(super) fn decide<T: Trace, R>(
        &self,
        explained_client: &ExplainedClient,
        request: &ExplainedRequest,
        new_trace: impl Fn() -> T,
        then: impl FnOnce(&DecidedQuestion<'_>, T) -> R,
    ) -> R {
        let fields: Vec<(&str, &[u8])> = request
            .fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let client = Client {
            listener: self.listener,
            host: self.host,
            identity: &explained_client.identity,
            verified_by: explained_client.verified_by,
            certificate: explained_client.certificate.as_ref(),
            source: self.source,
            now: self.at,
        };
        let head = RequestHead {
            method: &request.method,
            target: &request.target,
            authority: None,
            fields: &*fields,
        };
        let mut evidence = Evidence::default();
        let mut rounds = DecisionRounds::default();
        loop {
            let mut trace = new_trace();
            let decided = decide_traced(self.snapshot, client, &evidence, &head, &mut trace);
            let need = rounds.next_need(&decided.decision);
            let Some(more) =
                need.and_then(|need| self.gather(need, explained_client, &decided, &evidence))
            else {
                let decided_question = DecidedQuestion {
                    context: self,
                    client,
                    evidence: &evidence,
                    decided: &decided,
                    fields: &fields,
                };
                return then(&decided_question, trace);
            };
            drop(decided);
            evidence = more;
        }
    }

    /// Adds the evidence that the decision needs. `None` if it is not available here: no external authorizer is asked. All
    /// evidence that the HTTP engines gather must be covered here.
    fn gather(
        &self,
        need: Need,
        explained_client: &ExplainedClient,
        decided: &RequestDecision<'_, '_>,
        evidence: &Evidence,
    ) -> Option<Evidence> {
        let mut more = evidence.clone();
        match need {
            Need::Credentials => more.presented = self.presented(explained_client, decided),
            Need::Body => {
                let body = self.question.body.as_deref().unwrap_or_default();
                more.body = Some(EventTypes::from_body(body.as_bytes()));
            }
            Need::Authorizer => return None,
        }
        Some(more)
    }

    /// The credentials beside the certificate: the password or token of a user is assumed to be valid.
    fn presented(
        &self,
        explained_client: &ExplainedClient,
        decided: &RequestDecision<'_, '_>,
    ) -> PresentedCredentials {
        let rule = decided
            .route
            .map(|route| route.credentials)
            .unwrap_or_default();
        let Some(name) = &explained_client.assumed else {
            return PresentedCredentials::Nothing;
        };
        let proof = self
            .snapshot
            .credentials
            .assumed(&self.snapshot.users, name, rule);
        proof.map_or(PresentedCredentials::Nothing, |proof| {
            unless_denied(self.snapshot, proof)
        })
    }
}

impl DecidedQuestion<'_> {
    /// The limits of the user and of the route for this request. Consumes nothing.
    pub(super) fn limits(&self) -> Limits {
        let decided = self.decided;
        let snapshot = self.context.snapshot;
        let of = |limiter: Option<&Arc<Limiter>>| limiter.map(|limiter| *limiter.bounds());
        // A public route ignores the client, so limits of the user do not apply.
        let user = decided.user.filter(|_| {
            decided
                .route
                .is_some_and(|route| route.admission != Admission::Public)
        });
        let user = of(user.and_then(|user| snapshot.user_limiters.get(user.id.index())));
        let body_size = decided.route.and_then(|route| route.limits.body_size);
        Limits {
            user,
            route: of(decided.route.and_then(|route| route.limiter.as_ref())),
            body_size: smaller(body_size, user.and_then(|bounds| bounds.body_size)),
        }
    }

    /// Why TLS rejects the client, if it does. Only a chain that a trust domain accepts leads to a request at all, and what
    /// the certificate's user brings (a deny list entry by name, an end of tolerance) is found after the handshake.
    pub(super) fn handshake_failure(&self) -> Option<FailureReason> {
        match self.client.identity {
            ClientIdentity::Refused(FailureReason::Denied) => Some(FailureReason::Denied),
            ClientIdentity::Refused(reason) if self.client.verified_by.is_none() => Some(*reason),
            _ => None,
        }
    }

    /// Whether the question contains a password or token and the route accepts one. It is not checked, since questions have no
    /// attempt limit.
    pub(super) fn contains_secret(&self) -> bool {
        let takes = self
            .decided
            .route
            .is_some_and(|route| !route.credentials.is_certificate_alone());
        takes
            && self
                .fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }
}
