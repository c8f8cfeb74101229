//! Gathers the evidence that a decision needs: the credentials of a request, and the verdict of an external authorizer.
//! Both HTTP engines use it. Decides nothing; `request` decides again with the evidence.

use super::Shared;
use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use super::decision_context::DecisionContext;
use super::question::{RequestOrigin, question_for};
use super::request::{Evidence, Need, PresentedCredentials, RequestDecision};
use super::whole_body::BodySource;
use crate::authorizer::{Authorizer, EncodedQuestion};
use crate::clock;
use crate::config::CredentialKind;
use crate::credentials::{
    BasicCredentials, CredentialFailure, CredentialProof, PasswordFailure, PasswordVerdict,
    PresentedCredential, ProofEvidence, Source, TokenError,
};
use crate::head::Fields;
use crate::reason::Reason;
use crate::route::icinga2::BodyEventTypes;
use crate::snapshot::Snapshot;
use std::net::IpAddr;
use std::sync::Arc;

/// The evidence that was gathered for a request so far. Gathering can take long: a password is hashed on another thread,
/// and an authorizer is remote. So the request is decided again by the snapshot that is active then, and the evidence is
/// checked against that snapshot.
#[derive(Default)]
pub(super) struct EvidenceCache(Evidence);

/// Where evidence comes from.
pub(super) enum EvidenceSource {
    /// The credentials in the request head, which are to be checked.
    Credentials(PresentedCredential),
    /// An external authorizer, and the question for it.
    Authorizer(Arc<Authorizer>, Box<EncodedQuestion>),
    /// The request body. The engine reads it.
    Body(BodySource),
}

impl EvidenceCache {
    /// Gathers evidence from a source. Does nothing for a body, which the engine reads.
    pub(super) async fn gather(
        &mut self,
        source: EvidenceSource,
        shared: &Shared,
        context: &DecisionContext,
        address: IpAddr,
    ) {
        match source {
            EvidenceSource::Credentials(shown) => {
                self.0.presented = presented(
                    shared,
                    &context.active.snapshot,
                    &context.view,
                    shown,
                    address,
                )
                .await;
            }
            EvidenceSource::Authorizer(authorizer, asking) => {
                self.0.verdict = Some(authorizer.ask(*asking).await)
            }
            EvidenceSource::Body(_) => {}
        }
    }

    /// Keeps the content of the body.
    pub(super) fn set_body(&mut self, body: BodyEventTypes) {
        self.0.body = Some(body);
    }

    /// The evidence, checked against this snapshot at this moment.
    pub(super) fn checked(&self, snapshot: &Snapshot) -> CheckedEvidence {
        let presented = match &self.0.presented {
            PresentedCredentials::Proven(proof) => still_presented(snapshot, proof),
            other => other.clone(),
        };
        let Evidence { body, verdict, .. } = self.0.clone();
        CheckedEvidence {
            evidence: Evidence {
                presented,
                body,
                verdict,
            },
        }
    }
}

/// The source of the evidence that a decision needs. `None` if there is no source, which leaves the need unmet.
pub(super) fn evidence_source<F: Fields + ?Sized>(
    need: Need,
    decided: &RequestDecision<'_, '_>,
    fields: &F,
    context: &DecisionContext,
    checked: &CheckedEvidence,
    origin: RequestOrigin<'_>,
) -> Option<EvidenceSource> {
    let route = decided.route?;
    Some(match need {
        Need::Credentials => {
            EvidenceSource::Credentials(PresentedCredential::of(fields, route.credentials))
        }
        Need::Body => EvidenceSource::Body(BodySource::new(decided.user?, route.limits.body_size)),
        Need::Authorizer => {
            let (authorizer, asking) = question_for(decided, fields, context, checked, origin)?;
            EvidenceSource::Authorizer(authorizer, Box::new(asking))
        }
    })
}

async fn presented(
    shared: &Shared,
    snapshot: &Snapshot,
    view: &ClientView,
    shown: PresentedCredential,
    address: IpAddr,
) -> PresentedCredentials {
    match shown {
        PresentedCredential::Nothing => PresentedCredentials::Nothing,
        PresentedCredential::Malformed => {
            PresentedCredentials::Failed(CredentialFailure::Malformed)
        }
        PresentedCredential::Password(credentials) => {
            password(shared, snapshot, &credentials, address).await
        }
        PresentedCredential::Token(text) => token(shared, snapshot, view, &text),
    }
}

async fn password(
    shared: &Shared,
    snapshot: &Snapshot,
    credentials: &BasicCredentials,
    address: IpAddr,
) -> PresentedCredentials {
    let passwords = &snapshot.credentials.passwords;
    let checked = shared
        .passwords
        .check(passwords, credentials, Source::of(address))
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
            match snapshot.users.named(&credentials.user) {
                Some(principal) => {
                    return unless_denied(
                        snapshot,
                        CredentialProof {
                            principal,
                            by: ProofEvidence::Password(hash),
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
    PresentedCredentials::Failed(failure)
}

/// Checks a token. The signature is verified on the worker: that takes about 60 microseconds, and the result is cached.
fn token(
    shared: &Shared,
    snapshot: &Snapshot,
    view: &ClientView,
    text: &str,
) -> PresentedCredentials {
    let now = clock::seconds();
    let certificate = view.peer.as_ref().map(|peer| peer.fingerprint.as_str());
    let issuers = &snapshot.credentials.issuers;
    // With a clock before 1970 every token is expired.
    let proven = if now == 0 {
        Err(TokenError::Expired)
    } else {
        issuers.check(text, certificate, now)
    };
    let result = match &proven {
        Ok(_) => "verified",
        Err(TokenError::NoKeys) => Reason::NoKeys.word(),
        Err(_) => "refused",
    };
    count(shared, CredentialKind::Token, result);
    match proven {
        Err(TokenError::NoKeys) => PresentedCredentials::Failed(CredentialFailure::NoKeys),
        Err(error) => PresentedCredentials::Failed(CredentialFailure::BadToken(error)),
        Ok(proof) => {
            let user = issuers
                .user_of(&proof, now)
                .and_then(|name| snapshot.users.named(name));
            let Some(principal) = user else {
                return PresentedCredentials::Failed(CredentialFailure::UnknownUser);
            };
            unless_denied(
                snapshot,
                CredentialProof {
                    principal,
                    by: ProofEvidence::Token(proof),
                },
            )
        }
    }
}

/// An earlier proof, checked against this snapshot at this moment.
pub(super) fn still_presented(
    snapshot: &Snapshot,
    proof: &CredentialProof,
) -> PresentedCredentials {
    // With a clock before 1970 every token is expired.
    let now = Some(clock::seconds())
        .filter(|now| *now > 0)
        .unwrap_or(u64::MAX);
    match snapshot
        .credentials
        .still_names(&snapshot.users, proof, now)
    {
        Some(principal) => unless_denied(
            snapshot,
            CredentialProof {
                principal,
                by: proof.by.clone(),
            },
        ),
        None => PresentedCredentials::Failed(CredentialFailure::Gone),
    }
}

/// Rejects the proof if a deny list of any trust domain names the user.
pub fn unless_denied(snapshot: &Snapshot, proof: CredentialProof) -> PresentedCredentials {
    let mut domains = snapshot.trust_domains.iter();
    match domains.any(|domain| domain.revocation().denies_user(&proof.principal.name)) {
        true => PresentedCredentials::Failed(CredentialFailure::Revoked),
        false => PresentedCredentials::Proven(proof),
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
