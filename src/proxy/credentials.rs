//! What a request shows beside its certificate, looked at for a route that takes it: one way for both engines. Judges
//! nothing; `request` does, once more, with what was found here.

use super::Shared;
use super::client::ClientView;
use super::request::{Judgement, Presented};
use crate::config::CredentialKind;
use crate::credentials::{
    BasicCredentials, CredentialFailure, PasswordFailure, Proof, ProvenBy, Shown, Source, Verdict,
};
use crate::forward::AuthorizationUp;
use crate::head::Fields;
use crate::identity::IdentityBlock;
use crate::respond::Refusal;
use crate::snapshot::Snapshot;
use std::net::IpAddr;

/// What was found, and what follows from it for the request that goes up.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) presented: Presented,
    /// What the upstream is told, if that is not what the connection's certificate says.
    pub(super) identity: Option<IdentityBlock>,
}

/// What there is to look at. `None` if the judgement stands as it is.
pub(super) fn unchecked<F: Fields + ?Sized>(judgement: &Judgement<'_, '_>, fields: &F) -> Option<Shown> {
    match (&judgement.outcome, judgement.route) {
        (Err(Refusal::CredentialsUnchecked), Some(route)) => Some(Shown::of(fields, route.credentials)),
        _ => None,
    }
}

impl Checked {
    /// Looks at what is shown. May wait for a password to be hashed elsewhere.
    pub(super) async fn of(
        shared: &Shared,
        snapshot: &Snapshot,
        view: &ClientView,
        shown: Shown,
        source: IpAddr,
    ) -> Self {
        let presented = match shown {
            Shown::Nothing => Presented::Nothing,
            Shown::Malformed => Presented::Failed(CredentialFailure::Malformed),
            Shown::Password(said) => password(shared, snapshot, &said, source).await,
            Shown::Token(_) => Presented::Failed(CredentialFailure::Missing),
        };
        let identity = match &presented {
            Presented::Proven(proof) => view.identity_of(snapshot, &proof.principal),
            _ => None,
        };
        Self { presented, identity }
    }

    /// What becomes of the client's `Authorization`: what the gateway has taken as proof is nobody else's.
    pub(super) fn authorization<'u>(&self, ours: Option<&'u [u8]>) -> AuthorizationUp<'u> {
        let without = match self.presented {
            Presented::Proven(_) => AuthorizationUp::Removed,
            _ => AuthorizationUp::OfClient,
        };
        AuthorizationUp::of(ours, without)
    }

    /// What was proven.
    pub(super) fn proof(&self) -> Option<&Proof> {
        match &self.presented {
            Presented::Proven(proof) => Some(proof),
            _ => None,
        }
    }
}

async fn password(shared: &Shared, snapshot: &Snapshot, said: &BasicCredentials, source: IpAddr) -> Presented {
    let passwords = &snapshot.credentials.passwords;
    let checked = shared.passwords.check(passwords, said, Source::of(source)).await;
    let result = match &checked {
        Ok(Verdict::Verified(_)) => "verified",
        Ok(Verdict::Remembered(_)) => "remembered",
        Err(PasswordFailure::Wrong) => "refused",
        Err(PasswordFailure::TooMany(_)) => "limited",
        Err(PasswordFailure::Busy) => "busy",
    };
    let kind = CredentialKind::Password.word();
    shared.telemetry.metrics.credential_checks.with_label_values(&[kind, result]).inc();
    let failure = match checked {
        Ok(Verdict::Verified(hash) | Verdict::Remembered(hash)) => match snapshot.users.named(&said.user) {
            Some(principal) => return Presented::Proven(Proof { principal, by: ProvenBy::Password(hash) }),
            None => CredentialFailure::WrongPassword,
        },
        Err(PasswordFailure::Wrong) => CredentialFailure::WrongPassword,
        Err(PasswordFailure::TooMany(retry_after)) => CredentialFailure::TooManyAttempts { retry_after },
        Err(PasswordFailure::Busy) => CredentialFailure::Busy,
    };
    Presented::Failed(failure)
}
