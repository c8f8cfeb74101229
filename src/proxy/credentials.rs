//! What a judgement waits for, found out: what a request shows beside its certificate, and what an external authorizer
//! says about it. One way for both engines. Judges nothing; `request` does, once more, with what was found here.

use super::Shared;
use super::asking::{Asker, question_for};
use super::client::{ClientView, ConnectedClient};
use super::in_force::{InForce, in_force};
use super::request::{Evidence, Need, Presented, RequestDecision};
use crate::authorizer::{Asking, Authorizer, Verdict};
use crate::clock;
use crate::config::CredentialKind;
use crate::credentials::{
    BasicCredentials, CredentialFailure, PasswordFailure, Proof, ProvenBy, Shown, Source,
    TokenError, Verdict as PasswordVerdict,
};
use crate::forward::AuthorizationUp;
use crate::head::Fields;
use crate::identity::Principal;
use crate::route::icinga2::SaidInBody;
use crate::snapshot::Snapshot;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// A snapshot, and the client as it sees it.
pub(super) struct JudgingBy {
    pub(super) in_force: Rc<InForce>,
    pub(super) view: Rc<ClientView>,
}

impl JudgingBy {
    /// What is in force at this moment, and who asks with these fields.
    pub(super) fn at<F: Fields + ?Sized>(
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        fields: &F,
        now: Instant,
    ) -> Self {
        let in_force = in_force(shared);
        let snapshot = &in_force.snapshot;
        let view = client.speaking(client.view(snapshot, now), fields, (snapshot, now));
        Self { in_force, view }
    }
}

/// What was found out about a request so far. A password may have been hashed elsewhere meanwhile, and somebody else asked:
/// so the request is judged anew by what is in force then, and what was found counts as it does there.
#[derive(Default)]
pub(super) struct Looked(Evidence);

/// What a judgement waits for.
pub(super) enum Wanted {
    /// A look at what is shown.
    Look(Shown),
    /// The word of an external authorizer.
    Verdict(Arc<Authorizer>, Box<Asking>),
    /// What its body says, which may be this long. Whoever has the body reads it.
    Body(Option<u64>),
}

impl Looked {
    /// Finds out what is wanted, as it counts for this judgement.
    pub(super) async fn find_out(
        &mut self,
        wanted: Wanted,
        shared: &Shared,
        judging: &JudgingBy,
        source: IpAddr,
    ) {
        match wanted {
            Wanted::Look(shown) => {
                self.0.presented = presented(
                    shared,
                    &judging.in_force.snapshot,
                    &judging.view,
                    shown,
                    source,
                )
                .await;
            }
            Wanted::Verdict(authorizer, asking) => {
                self.0.verdict = Some(authorizer.ask(*asking).await)
            }
            Wanted::Body(_) => {}
        }
    }

    /// Notes what the body says.
    pub(super) fn read(&mut self, body: SaidInBody) {
        self.0.body = Some(body);
    }

    /// What it is worth in this snapshot and at this moment.
    pub(super) fn counted(&self, snapshot: &Snapshot) -> Checked {
        let presented = match &self.0.presented {
            Presented::Proven(proof) => still_presented(snapshot, proof),
            other => other.clone(),
        };
        let Evidence { body, verdict, .. } = self.0.clone();
        Checked {
            evidence: Evidence {
                presented,
                body,
                verdict,
            },
        }
    }
}

/// What was found, and what follows from it for the request that goes up.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) evidence: Evidence,
}

/// Where the evidence comes from that a decision needs. `None` if there is no such source, which leaves the need unmet.
pub(super) fn wanted<F: Fields + ?Sized>(
    need: Need,
    decided: &RequestDecision<'_, '_>,
    fields: &F,
    judging: &JudgingBy,
    checked: &Checked,
    asker: Asker<'_>,
) -> Option<Wanted> {
    let route = decided.route?;
    Some(match need {
        Need::Credentials => Wanted::Look(Shown::of(fields, route.credentials)),
        Need::Body => Wanted::Body(route.limits.body_size),
        Need::Authorizer => {
            let (authorizer, asking) = question_for(decided, fields, judging, checked, asker)?;
            Wanted::Verdict(authorizer, Box::new(asking))
        }
    })
}

impl Checked {
    /// What becomes of the client's `Authorization`: what the gateway has taken as proof is nobody else's.
    pub(super) fn authorization<'u>(&self, ours: Option<&'u [u8]>) -> AuthorizationUp<'u> {
        let without = match self.evidence.presented {
            Presented::Proven(_) => AuthorizationUp::Removed,
            _ => AuthorizationUp::OfClient,
        };
        AuthorizationUp::of(ours, without)
    }

    /// What an authorizer says to the upstream.
    pub(super) fn answer_fields(&self) -> &[(http::HeaderName, http::HeaderValue)] {
        self.verdict().map(Verdict::fields).unwrap_or_default()
    }

    /// What an authorizer has said about the request.
    pub(super) fn verdict(&self) -> Option<&Verdict> {
        self.evidence.verdict.as_ref()
    }

    /// The ApiUser on whose behalf a permitted request is made.
    pub(super) fn user<'a>(&'a self, view: &'a ClientView) -> Option<&'a Principal> {
        self.proof()
            .map(|proof| &proof.principal)
            .or_else(|| view.principal())
    }

    /// What was proven.
    pub(super) fn proof(&self) -> Option<&Proof> {
        match &self.evidence.presented {
            Presented::Proven(proof) => Some(proof),
            _ => None,
        }
    }
}

async fn presented(
    shared: &Shared,
    snapshot: &Snapshot,
    view: &ClientView,
    shown: Shown,
    source: IpAddr,
) -> Presented {
    match shown {
        Shown::Nothing => Presented::Nothing,
        Shown::Malformed => Presented::Failed(CredentialFailure::Malformed),
        Shown::Password(said) => password(shared, snapshot, &said, source).await,
        Shown::Token(said) => token(shared, snapshot, view, &said),
    }
}

async fn password(
    shared: &Shared,
    snapshot: &Snapshot,
    said: &BasicCredentials,
    source: IpAddr,
) -> Presented {
    let passwords = &snapshot.credentials.passwords;
    let checked = shared
        .passwords
        .check(passwords, said, Source::of(source))
        .await;
    let result = match &checked {
        Ok(PasswordVerdict::Verified(_)) => "verified",
        Ok(PasswordVerdict::Remembered(_)) => "remembered",
        Err(PasswordFailure::Wrong) => "refused",
        Err(PasswordFailure::TooMany(_)) => "limited",
        Err(PasswordFailure::Busy) => "busy",
    };
    count(shared, CredentialKind::Password, result);
    let failure = match checked {
        Ok(PasswordVerdict::Verified(hash) | PasswordVerdict::Remembered(hash)) => {
            match snapshot.users.named(&said.user) {
                Some(principal) => {
                    return unless_denied(
                        snapshot,
                        Proof {
                            principal,
                            by: ProvenBy::Password(hash),
                        },
                    );
                }
                None => CredentialFailure::WrongPassword,
            }
        }
        Err(PasswordFailure::Wrong) => CredentialFailure::WrongPassword,
        Err(PasswordFailure::TooMany(retry_after)) => {
            CredentialFailure::TooManyAttempts { retry_after }
        }
        Err(PasswordFailure::Busy) => CredentialFailure::Busy,
    };
    Presented::Failed(failure)
}

/// A signature is verified here, on the worker: it takes some 60 microseconds, and is remembered.
fn token(shared: &Shared, snapshot: &Snapshot, view: &ClientView, said: &str) -> Presented {
    let now = clock::seconds();
    let certificate = view.peer.as_ref().map(|peer| peer.fingerprint.as_str());
    let issuers = &snapshot.credentials.issuers;
    // A clock before 1970 makes every token expired rather than none.
    let proven = if now == 0 {
        Err(TokenError::Expired)
    } else {
        issuers.check(said, certificate, now)
    };
    let result = match &proven {
        Ok(_) => "verified",
        Err(TokenError::NoKeys) => "no_keys",
        Err(_) => "refused",
    };
    count(shared, CredentialKind::Token, result);
    match proven {
        Err(TokenError::NoKeys) => Presented::Failed(CredentialFailure::NoKeys),
        Err(error) => Presented::Failed(CredentialFailure::BadToken(error)),
        Ok(proof) => {
            let user = issuers
                .user_of(&proof, now)
                .and_then(|name| snapshot.users.named(name));
            let Some(principal) = user else {
                return Presented::Failed(CredentialFailure::UnknownUser);
            };
            unless_denied(
                snapshot,
                Proof {
                    principal,
                    by: ProvenBy::Token(proof),
                },
            )
        }
    }
}

/// A proof of an earlier look, as it counts in this snapshot and at this moment.
pub(super) fn still_presented(snapshot: &Snapshot, proof: &Proof) -> Presented {
    // A clock before 1970 makes every token expired rather than none.
    let now = Some(clock::seconds())
        .filter(|now| *now > 0)
        .unwrap_or(u64::MAX);
    match snapshot
        .credentials
        .still_names(&snapshot.users, proof, now)
    {
        Some(principal) => unless_denied(
            snapshot,
            Proof {
                principal,
                by: proof.by.clone(),
            },
        ),
        None => Presented::Failed(CredentialFailure::Gone),
    }
}

/// A user whom any deny list names is out, whatever else proves it.
pub fn unless_denied(snapshot: &Snapshot, proof: Proof) -> Presented {
    let mut domains = snapshot.trust_domains.iter();
    match domains.any(|domain| domain.revocation().denies_user(&proof.principal.name)) {
        true => Presented::Failed(CredentialFailure::Revoked),
        false => Presented::Proven(proof),
    }
}

fn count(shared: &Shared, kind: CredentialKind, result: &str) {
    shared
        .telemetry
        .metrics
        .credential_checks
        .with_label_values(&[kind.word(), result])
        .inc();
}
