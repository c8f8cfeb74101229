//! Has the request of a question judged, with the evidence that the judgement asks for. Finds no reasons.

use super::asker::Asker;
use super::scene::{Asked, Scene};
use crate::condition::Facts;
use crate::forward::SentHeaders;
use crate::head::RequestHead;
use crate::limit::{Bounds, Limiter, smaller};
use crate::proxy::{
    Client, Evidence, Judgement, Presented, Standing, decide_by, shows_its_own_certificate,
    unless_denied,
};
use crate::respond::Refusal;
use crate::route::Admission;
use crate::route::icinga2::EventTypes;
use crate::tls::FailureReason;
use std::sync::Arc;

/// A request that was judged.
pub(super) struct Judged<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) client: Client<'a>,
    pub(super) evidence: &'a Evidence,
    pub(super) judgement: &'a Judgement<'a, 'a>,
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
    /// Has the request judged, with whatever else the judgement wants to have looked at.
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
        self.judged_by((client, asker), (asked, &fields), Evidence::default(), then)
    }

    fn judged_by<R>(
        &self,
        (client, asker): (Client<'_>, &Asker),
        (asked, fields): (&Asked, &[(&str, &[u8])]),
        evidence: Evidence,
        then: impl FnOnce(&Judged<'_>) -> R,
    ) -> R {
        let head = RequestHead {
            method: &asked.method,
            target: &asked.target,
            authority: None,
            fields,
        };
        let judgement = decide_by(self.snapshot, client, &evidence, &head);
        match self.further(asker, &judgement, &evidence) {
            Some(more) => self.judged_by((client, asker), (asked, fields), more, then),
            None => then(&Judged {
                scene: self,
                client,
                evidence: &evidence,
                judgement: &judgement,
                fields,
            }),
        }
    }

    /// What the judgement asks for beside what was looked at. `None` where it stands. Everything that engines look up for a
    /// request has its place here.
    fn further(
        &self,
        asker: &Asker,
        judgement: &Judgement<'_, '_>,
        evidence: &Evidence,
    ) -> Option<Evidence> {
        match (&judgement.outcome, &evidence.presented) {
            (Err(Refusal::CredentialsUnchecked), Presented::Unchecked) => Some(Evidence {
                presented: self.presented(asker, judgement),
                ..evidence.clone()
            }),
            (Err(Refusal::BodyUnread), _) if evidence.body.is_none() => {
                let body = self.question.body.as_deref().unwrap_or_default();
                Some(Evidence {
                    body: Some(EventTypes::from_body(body.as_bytes())),
                    ..evidence.clone()
                })
            }
            _ => None,
        }
    }

    /// What the client would show beside its certificate: a user that has a password or token is taken to have it right.
    fn presented(&self, asker: &Asker, judgement: &Judgement<'_, '_>) -> Presented {
        let rule = judgement
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
        let (judgement, client, snapshot) = (self.judgement, self.client, self.scene.snapshot);
        let (target, host, route) = (
            judgement.target.as_ref()?,
            judgement.host.as_ref()?,
            judgement.route?,
        );
        let (_, captured) = client.listener.routes.find(Some(host), &target.path)?;
        let captures: Vec<_> = route
            .captures
            .iter()
            .map(AsRef::as_ref)
            .zip(captured.iter())
            .collect();
        let shows_own = shows_its_own_certificate(client.standing, &self.evidence.presented);
        let shows_own = judgement.user.is_some() && shows_own;
        let vouching = client
            .vouched_by
            .filter(|_| shows_own)
            .and_then(|id| snapshot.trust_domain(id));
        Some(then(&Facts {
            method: judgement.method,
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
            user: judgement.user.map_or("", |user| &user.name),
            source: client.source,
            now: client.now,
        }))
    }

    /// The limits of the user and of the route, as far as they concern this request. Nothing is taken of them.
    pub(super) fn limits(&self) -> Limits {
        let (judgement, snapshot) = (self.judgement, self.scene.snapshot);
        let of = |limiter: Option<&Arc<Limiter>>| limiter.map(|limiter| *limiter.bounds());
        // A route that takes no notice of clients does not do so here.
        let user = judgement.user.filter(|_| {
            judgement
                .route
                .is_some_and(|route| route.admission != Admission::Public)
        });
        let user = of(user.and_then(|user| snapshot.user_limiters.get(user.id.index())));
        let body_size = judgement.route.and_then(|route| route.limits.body_size);
        Limits {
            user,
            route: of(judgement.route.and_then(|route| route.limiter.as_ref())),
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
            .judgement
            .route
            .is_some_and(|route| !route.credentials.is_certificate_alone());
        takes
            && self
                .fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }
}
