//! The client of a question: its identity from a certificate, an assumed certificate value, or the name of an ApiUser. Decides
//! no request.

use super::context::QuestionContext;
use super::question::{ConnectionPeer, ExplainError, QuestionClient};
use crate::identity::{
    ForwardedRejection, FrontProxy, Identifier, IdentifierError, IdentityKind, UserId,
};
use crate::proxy::{
    ClientIdentification, ClientIdentity, identify_chain, identify_forwarded_chain,
};
use crate::snapshot::Snapshot;
use crate::tls::{FailureReason, PeerCertificate, TrustDomain, TrustDomainId, certificates_in};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;

/// The identity of a client, and the trust domain that verified it.
pub(super) struct ExplainedClient {
    pub(super) identity: ClientIdentity,
    pub(super) verified_by: Option<TrustDomainId>,
    pub(super) certificate: Option<PeerCertificate>,
    /// The user whose password or token is assumed to be valid on routes that accept one.
    pub(super) assumed: Option<String>,
}

/// Whether certificates of a trust domain can identify a user.
pub(super) type Provable<'p> = &'p dyn Fn(TrustDomainId, UserId) -> bool;

impl From<ClientIdentification> for ExplainedClient {
    fn from(client: ClientIdentification) -> Self {
        Self {
            identity: client.identity,
            verified_by: client.verified_by,
            certificate: client.certificate,
            assumed: None,
        }
    }
}

impl ExplainedClient {
    fn of(identity: ClientIdentity) -> Self {
        Self {
            identity,
            verified_by: None,
            certificate: None,
            assumed: None,
        }
    }

    /// The client of the question.
    pub(super) fn named(context: &QuestionContext<'_>) -> Result<Self, ExplainError> {
        Self::with_credentials(context, &context.question.who, &|domain, user| {
            context.snapshot.users.can_be_proven_in(domain, user)
        })
    }

    /// The client of the context's connection with these credentials.
    pub(super) fn with_credentials(
        context: &QuestionContext<'_>,
        who: &QuestionClient,
        provable: Provable<'_>,
    ) -> Result<Self, ExplainError> {
        let mut client = Self::without_secrets(context, who, provable)?;
        if let QuestionClient::User(name) = who {
            client.assumed = Some(name.clone());
        }
        Ok(client)
    }

    fn without_secrets(
        context: &QuestionContext<'_>,
        who: &QuestionClient,
        provable: Provable<'_>,
    ) -> Result<Self, ExplainError> {
        let listener = context.listener;
        match (&listener.front_proxy, context.question.connection) {
            (Some(front), ConnectionPeer::FrontProxy) => {
                Self::forwarded(context, who, front, provable)
            }
            (None, ConnectionPeer::FrontProxy) => Err(ExplainError::InvalidQuestion(format!(
                "listener \"{}\" has no `front_proxy`",
                listener.name
            ))),
            (front, ConnectionPeer::Client) => {
                let client = Self::direct(context, who, provable)?;
                // A front proxy has no permissions of its own.
                Ok(match &client.identity {
                    ClientIdentity::Known(user)
                        if front.as_ref().is_some_and(|front| front.is_peer(user.id)) =>
                    {
                        Self::of(ClientIdentity::Forwarded(ForwardedRejection::Missing))
                    }
                    _ => client,
                })
            }
        }
    }

    fn direct(
        context: &QuestionContext<'_>,
        who: &QuestionClient,
        provable: Provable<'_>,
    ) -> Result<Self, ExplainError> {
        let chain = match who {
            QuestionClient::Certificate(text) => chain(text)?,
            _ => Vec::new(),
        };
        if let Some(client) = assumed_client(context, who, &context.host.trust_domains, provable)? {
            return Ok(client);
        }
        Ok(identify_chain(
            context.snapshot,
            context.host,
            &chain,
            unix_time(context.at),
        )
        .into())
    }

    /// A client that a front proxy forwards.
    fn forwarded(
        context: &QuestionContext<'_>,
        who: &QuestionClient,
        front: &FrontProxy,
        provable: Provable<'_>,
    ) -> Result<Self, ExplainError> {
        let missing = || Self::of(ClientIdentity::Forwarded(ForwardedRejection::Missing));
        let client = match who {
            QuestionClient::Certificate(text) => {
                let chain = chain(text)?;
                identify_forwarded_chain(context.snapshot, front, chain, unix_time(context.at))
                    .into()
            }
            _ => assumed_client(
                context,
                who,
                std::slice::from_ref(&front.trust_domain),
                provable,
            )?
            .unwrap_or_else(missing),
        };
        Ok(match &client.identity {
            ClientIdentity::Refused(reason) => Self::of(ClientIdentity::Forwarded(
                ForwardedRejection::Certificate(*reason),
            )),
            ClientIdentity::Known(user) if front.is_peer(user.id) => Self::of(
                ClientIdentity::Forwarded(ForwardedRejection::FrontProxyItself),
            ),
            ClientIdentity::Anonymous => missing(),
            _ => client,
        })
    }
}

fn unix_time(second: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(second).unwrap_or(0)))
}

fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, ExplainError> {
    certificates_in(text.as_bytes())
        .map_err(|error| ExplainError::InvalidQuestion(error.to_string()))
}

/// The client by its assumed certificate value or user name. `None` if the question has neither.
fn assumed_client(
    context: &QuestionContext<'_>,
    who: &QuestionClient,
    domains: &[Arc<TrustDomain>],
    provable: Provable<'_>,
) -> Result<Option<ExplainedClient>, ExplainError> {
    if let QuestionClient::User(name) = who {
        return user(context, name, domains, provable).map(Some);
    }
    let Some((kind, text)) = who.identifier() else {
        return Ok(None);
    };
    let Some(domain) = verifying_domain(domains, context.question.trust_domain.as_deref())? else {
        return Ok(Some(ExplainedClient::of(ClientIdentity::Anonymous)));
    };
    let identity = unless_denied_by(domain, identified(context.snapshot, domain, kind, text)?);
    Ok(Some(ExplainedClient {
        identity,
        verified_by: Some(domain.id),
        certificate: None,
        assumed: None,
    }))
}

fn identified(
    snapshot: &Snapshot,
    domain: &TrustDomain,
    kind: IdentityKind,
    text: &str,
) -> Result<ClientIdentity, ExplainError> {
    let revocation = domain.revocation();
    let is_denied = match kind {
        IdentityKind::CommonName => revocation.denies_common_name(text),
        IdentityKind::Fingerprint => revocation.denies_fingerprint(text),
        _ => false,
    };
    match Identifier::parse(kind, text) {
        Ok(_) if is_denied => Ok(ClientIdentity::Refused(FailureReason::Denied)),
        Ok(identifier) => Ok(snapshot.users.identify_by(domain.id, &identifier).into()),
        Err(IdentifierError::CommonName(error)) => Ok(ClientIdentity::UnusableName(error.into())),
        Err(error) => Err(ExplainError::InvalidQuestion(format!(
            "no certificate leads to a user by \"{text}\": {error}"
        ))),
    }
}

fn user(
    context: &QuestionContext<'_>,
    name: &str,
    domains: &[Arc<TrustDomain>],
    provable: Provable<'_>,
) -> Result<ExplainedClient, ExplainError> {
    let snapshot = context.snapshot;
    let user = snapshot
        .users
        .named(name)
        .ok_or_else(|| no_such_user(snapshot, name))?;
    let said = context.question.trust_domain.as_deref();
    let mut proving: Vec<_> = domains.iter().collect();
    proving.retain(|domain| {
        said.is_none_or(|said| *domain.name == *said) && provable(domain.id, user.id)
    });
    // Prefer a domain that does not deny the user.
    let verifying = proving
        .iter()
        .find(|domain| !domain.revocation().denies_user(name))
        .or(proving.first())
        .copied();
    match (domains, verifying) {
        ([], _) => Ok(ExplainedClient::of(ClientIdentity::Anonymous)),
        (_, Some(domain)) => {
            let identity = unless_denied_by(domain, ClientIdentity::Known(user));
            Ok(ExplainedClient {
                identity,
                verified_by: Some(domain.id),
                certificate: None,
                assumed: None,
            })
        }
        (_, None) if snapshot.credentials.kinds_of(name).next().is_some() => {
            Ok(ExplainedClient::of(ClientIdentity::Anonymous))
        }
        (all, None) => Err(ExplainError::InvalidQuestion(format!(
            "api_user \"{name}\" can never come in here: it has no `client_cn` or the like in trust domain {}",
            names(all)
        ))),
    }
}

fn no_such_user(snapshot: &Snapshot, name: &str) -> ExplainError {
    let hint = super::nearest_user(snapshot, name)
        .map(|known| format!("; did you mean \"{known}\"?"))
        .unwrap_or_default();
    ExplainError::InvalidQuestion(format!("there is no api_user \"{name}\"{hint}"))
}

/// The trust domain that is assumed to verify the client. `None` if the host requests no certificate.
fn verifying_domain<'h>(
    domains: &'h [Arc<TrustDomain>],
    said: Option<&str>,
) -> Result<Option<&'h TrustDomain>, ExplainError> {
    match (domains, said) {
        ([], _) => Ok(None),
        (all, Some(name)) => match all.iter().find(|domain| *domain.name == *name) {
            Some(domain) => Ok(Some(domain)),
            None => Err(ExplainError::InvalidQuestion(format!(
                "trust domain \"{name}\" does not verify clients here: {}",
                names(all)
            ))),
        },
        ([only], None) => Ok(Some(only)),
        (several, None) => {
            let message = "several trust domains verify clients here, so a name is ambiguous";
            let hint = "use --trust-domain, --user or --cert";
            Err(ExplainError::InvalidQuestion(format!(
                "{message}: {}; {hint}",
                names(several)
            )))
        }
    }
}

/// The identity, or its rejection if the deny list of the trust domain has the user.
fn unless_denied_by(domain: &TrustDomain, identity: ClientIdentity) -> ClientIdentity {
    match &identity {
        ClientIdentity::Known(user) if domain.revocation().denies_user(&user.name) => {
            ClientIdentity::Refused(FailureReason::Revoked)
        }
        _ => identity,
    }
}

/// The names of trust domains, for messages.
fn names(domains: &[Arc<TrustDomain>]) -> String {
    domains
        .iter()
        .map(|domain| format!("\"{}\"", domain.name))
        .collect::<Vec<_>>()
        .join(" or ")
}
