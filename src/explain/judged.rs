//! Has the request of a question decided on, with the evidence that the decision needs. Finds no reasons.

use super::asker::Asker;
use super::scene::{Asked, Scene};
use crate::condition::Facts;
use crate::forward::SentHeaders;
use crate::head::RequestHead;
use crate::limit::{Bounds, Limiter, smaller};
use crate::proxy::{
    Client, DecisionRounds, Evidence, Need, Presented, RequestDecision, Standing, decide_with,
    shows_its_own_certificate, unless_denied,
};
use crate::route::Admission;
use crate::route::icinga2::EventTypes;
use crate::tls::FailureReason;
use std::sync::Arc;

/// A request that was judged.
pub(super) struct Judged<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) client: Client<'a>,
    pub(super) evidence: &'a Evidence,
    pub(super) decided: &'a RequestDecision<'a, 'a>,
    fields: &'a [(&'a str, &'a [u8])],
}

/// What a request may use.
pub(super) struct Limits {
    pub(super) user: Option<Bounds>,
    pub(super) route: Option<Bounds>,
    /// The smallest one.
    pub(super) body_size: Option<u64>,
}

impl Scene<'_> {
    /// Has the request decided on, in as many rounds as the decision needs evidence.
    pub(super) fn judged<R>(
        &self,
        asker: &Asker,
        asked: &Asked,
        then: impl FnOnce(&Judged<'_>) -> R,
    ) -> R {
        let fields: Vec<(&str, &[u8])> = asked
            .fields
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let client = Client {
            listener: self.listener,
            host: self.host,
            standing: &asker.standing,
            vouched_by: asker.vouched_by,
            certificate: asker.certificate.as_ref(),
            source: self.source,
            now: self.at,
        };
        let head = RequestHead {
            method: &asked.method,
            target: &asked.target,
            authority: None,
            fields: &*fields,
        };
        let mut evidence = Evidence::default();
        let mut rounds = DecisionRounds::default();
        loop {
            let decided = decide_with(self.snapshot, client, &evidence, &head);
            let need = rounds.next_need(&decided.decision);
            let Some(more) = need.and_then(|need| self.gather(need, asker, &decided, &evidence))
            else {
                return then(&Judged {
                    scene: self,
                    client,
                    evidence: &evidence,
                    decided: &decided,
                    fields: &fields,
                });
            };
            drop(decided);
            evidence = more;
        }
    }

    /// The evidence with what the decision needs. `None` if that cannot be had here: no external authorizer is asked. Everything
    /// that engines gather for a request has its place here.
    fn gather(
        &self,
        need: Need,
        asker: &Asker,
        decided: &RequestDecision<'_, '_>,
        evidence: &Evidence,
    ) -> Option<Evidence> {
        let mut more = evidence.clone();
        match need {
            Need::Credentials => more.presented = self.presented(asker, decided),
            Need::Body => {
                let body = self.question.body.as_deref().unwrap_or_default();
                more.body = Some(EventTypes::from_body(body.as_bytes()));
            }
            Need::Authorizer => return None,
        }
        Some(more)
    }

    /// What the client would show beside its certificate: a user that has a password or token is taken to have it right.
    fn presented(&self, asker: &Asker, decided: &RequestDecision<'_, '_>) -> Presented {
        let rule = decided
            .route
            .map(|route| route.credentials)
            .unwrap_or_default();
        let Some(name) = &asker.assumed else {
            return Presented::Nothing;
        };
        let proof = self
            .snapshot
            .credentials
            .assumed(&self.snapshot.users, name, rule);
        proof.map_or(Presented::Nothing, |proof| {
            unless_denied(self.snapshot, proof)
        })
    }
}

impl Judged<'_> {
    /// Calls `then` with what conditions see of the request. `None` if it did not come as far as to a route.
    pub(super) fn facts<R>(&self, then: impl FnOnce(&Facts<'_>) -> R) -> Option<R> {
        let (decided, client, snapshot) = (self.decided, self.client, self.scene.snapshot);
        let (target, host, route) = (
            decided.target.as_ref()?,
            decided.host.as_ref()?,
            decided.route?,
        );
        let (_, captured) = client.listener.routes.find(Some(host), &target.path)?;
        let captures: Vec<_> = route
            .captures
            .iter()
            .map(AsRef::as_ref)
            .zip(captured.iter())
            .collect();
        let shows_own = shows_its_own_certificate(client.standing, &self.evidence.presented);
        let shows_own = decided.user.is_some() && shows_own;
        let vouching = client
            .vouched_by
            .filter(|_| shows_own)
            .and_then(|id| snapshot.trust_domain(id));
        Some(then(&Facts {
            method: decided.method,
            path: &target.path,
            query: target.query.as_deref(),
            host: host.as_str(),
            captures: &captures,
            headers: &SentHeaders {
                fields: self.fields,
                policy: snapshot.field_policy(route),
            },
            certificate: client.certificate.filter(|_| shows_own),
            trust_domain: vouching.map(|domain| &*domain.name),
            user: decided.user.map_or("", |user| &user.name),
            source: client.source,
            now: client.now,
        }))
    }

    /// The limits of the user and of the route, as far as they concern this request. Nothing is taken of them.
    pub(super) fn limits(&self) -> Limits {
        let (decided, snapshot) = (self.decided, self.scene.snapshot);
        let of = |limiter: Option<&Arc<Limiter>>| limiter.map(|limiter| *limiter.bounds());
        // A route that takes no notice of clients does not do so here.
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
    pub(super) fn rejected_in_the_handshake(&self) -> Option<FailureReason> {
        match self.client.standing {
            Standing::Refused(FailureReason::Denied) => Some(FailureReason::Denied),
            Standing::Refused(reason) if self.client.vouched_by.is_none() => Some(*reason),
            _ => None,
        }
    }

    /// Whether a password or token stands in the question where the route takes one. Nobody looks at it: whoever could ask
    /// here without a limit would soon know it.
    pub(super) fn shows_a_secret(&self) -> bool {
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
