//! Who asks: from a certificate, a value that one is taken to have, or the name of an ApiUser to a standing, as a connection
//! of such a client would have it. Judges no request.

use super::question::{Connection, NoAnswer, Who};
use super::scene::Scene;
use crate::identity::{
    ForwardedRefusal, FrontProxy, Identifier, IdentifierError, IdentityKind, UserId,
};
use crate::proxy::{Standing, standing, standing_behind};
use crate::snapshot::Snapshot;
use crate::tls::{FailureReason, PeerCertificate, TrustDomain, TrustDomainId, certificates_in};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::sync::Arc;
use std::time::Duration;

/// Who asks, and who is taken to have vouched.
pub(super) struct Asker {
    pub(super) standing: Standing,
    pub(super) vouched_by: Option<TrustDomainId>,
    pub(super) certificate: Option<PeerCertificate>,
    /// The user that is taken to have its password or token right, where a route takes one.
    pub(super) assumed: Option<String>,
}

/// Whether certificates of a trust domain can be a user.
pub(super) type Provable<'p> = &'p dyn Fn(TrustDomainId, UserId) -> bool;

impl Asker {
    fn of(standing: Standing) -> Self {
        Self {
            standing,
            vouched_by: None,
            certificate: None,
            assumed: None,
        }
    }

    /// Whoever the question says.
    pub(super) fn named(scene: &Scene<'_>) -> Result<Self, NoAnswer> {
        Self::who(scene, &scene.question.who, &|domain, user| {
            scene.snapshot.users.can_be_proven_in(domain, user)
        })
    }

    /// Whoever is said.
    pub(super) fn who(
        scene: &Scene<'_>,
        who: &Who,
        provable: Provable<'_>,
    ) -> Result<Self, NoAnswer> {
        let mut asker = Self::unassuming(scene, who, provable)?;
        if let Who::User(name) = who {
            asker.assumed = Some(name.clone());
        }
        Ok(asker)
    }

    fn unassuming(scene: &Scene<'_>, who: &Who, provable: Provable<'_>) -> Result<Self, NoAnswer> {
        let listener = scene.listener;
        match (&listener.front_proxy, scene.question.connection) {
            (Some(front), Connection::FrontProxy) => Self::behind(scene, who, front, provable),
            (None, Connection::FrontProxy) => Err(NoAnswer::Question(format!(
                "listener \"{}\" has no `front_proxy`",
                listener.name
            ))),
            (front, Connection::Own) => {
                let asker = Self::by_itself(scene, who, provable)?;
                // Whoever speaks for others has no rights of its own.
                Ok(match &asker.standing {
                    Standing::Known(user)
                        if front.as_ref().is_some_and(|front| front.is_peer(user.id)) =>
                    {
                        Self::of(Standing::Forwarded(ForwardedRefusal::Missing))
                    }
                    _ => asker,
                })
            }
        }
    }

    fn by_itself(scene: &Scene<'_>, who: &Who, provable: Provable<'_>) -> Result<Self, NoAnswer> {
        let chain = match who {
            Who::Certificate(text) => chain(text)?,
            _ => Vec::new(),
        };
        if let Some(asker) = said(scene, who, &scene.host.trust_domains, provable)? {
            return Ok(asker);
        }
        let (standing, certificate, vouched_by) =
            standing(scene.snapshot, scene.host, &chain, unix_time(scene.at));
        Ok(Self {
            standing,
            vouched_by,
            certificate,
            assumed: None,
        })
    }

    /// The same for a client that a front proxy names.
    fn behind(
        scene: &Scene<'_>,
        who: &Who,
        front: &FrontProxy,
        provable: Provable<'_>,
    ) -> Result<Self, NoAnswer> {
        let nobody = || Self::of(Standing::Forwarded(ForwardedRefusal::Missing));
        let asker = match who {
            Who::Certificate(text) => {
                let chain = chain(text)?;
                let (standing, certificate, vouched_by) =
                    standing_behind(scene.snapshot, front, chain, unix_time(scene.at));
                Self {
                    standing,
                    vouched_by,
                    certificate,
                    assumed: None,
                }
            }
            _ => said(
                scene,
                who,
                std::slice::from_ref(&front.trust_domain),
                provable,
            )?
            .unwrap_or_else(nobody),
        };
        Ok(match &asker.standing {
            Standing::Refused(reason) => {
                Self::of(Standing::Forwarded(ForwardedRefusal::Certificate(*reason)))
            }
            Standing::Known(user) if front.is_peer(user.id) => {
                Self::of(Standing::Forwarded(ForwardedRefusal::FrontProxyItself))
            }
            Standing::Anonymous => nobody(),
            _ => asker,
        })
    }
}

fn unix_time(second: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(second).unwrap_or(0)))
}

fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, NoAnswer> {
    certificates_in(text.as_bytes()).map_err(|error| NoAnswer::Question(error.to_string()))
}

/// Who asks by what is said and not shown, if anything is.
fn said(
    scene: &Scene<'_>,
    who: &Who,
    domains: &[Arc<TrustDomain>],
    provable: Provable<'_>,
) -> Result<Option<Asker>, NoAnswer> {
    if let Who::User(name) = who {
        return user(scene, name, domains, provable).map(Some);
    }
    let Some((kind, text)) = who.identifier() else {
        return Ok(None);
    };
    let Some(domain) = vouching_domain(domains, scene.question.trust_domain.as_deref())? else {
        return Ok(Some(Asker::of(Standing::Anonymous)));
    };
    let standing = unless_denied_by(domain, identified(scene.snapshot, domain, kind, text)?);
    Ok(Some(Asker {
        standing,
        vouched_by: Some(domain.id),
        certificate: None,
        assumed: None,
    }))
}

fn identified(
    snapshot: &Snapshot,
    domain: &TrustDomain,
    kind: IdentityKind,
    text: &str,
) -> Result<Standing, NoAnswer> {
    let revocation = domain.revocation();
    let is_denied = match kind {
        IdentityKind::CommonName => revocation.denies_common_name(text),
        IdentityKind::Fingerprint => revocation.denies_fingerprint(text),
        _ => false,
    };
    match Identifier::parse(kind, text) {
        Ok(_) if is_denied => Ok(Standing::Refused(FailureReason::Denied)),
        Ok(identifier) => Ok(snapshot.users.identify_by(domain.id, &identifier).into()),
        Err(IdentifierError::CommonName(error)) => Ok(Standing::UnusableName(error.into())),
        Err(error) => Err(NoAnswer::Question(format!(
            "no certificate leads to a user by \"{text}\": {error}"
        ))),
    }
}

fn user(
    scene: &Scene<'_>,
    name: &str,
    domains: &[Arc<TrustDomain>],
    provable: Provable<'_>,
) -> Result<Asker, NoAnswer> {
    let snapshot = scene.snapshot;
    let user = snapshot
        .users
        .named(name)
        .ok_or_else(|| no_such_user(snapshot, name))?;
    let said = scene.question.trust_domain.as_deref();
    let mut proving: Vec<_> = domains.iter().collect();
    proving.retain(|domain| {
        said.is_none_or(|said| *domain.name == *said) && provable(domain.id, user.id)
    });
    // The best that it can have: one of a domain that does not deny it.
    let vouching = proving
        .iter()
        .find(|domain| !domain.revocation().denies_user(name))
        .or(proving.first())
        .copied();
    match (domains, vouching) {
        ([], _) => Ok(Asker::of(Standing::Anonymous)),
        (_, Some(domain)) => {
            let standing = unless_denied_by(domain, Standing::Known(user));
            Ok(Asker {
                standing,
                vouched_by: Some(domain.id),
                certificate: None,
                assumed: None,
            })
        }
        (_, None) if snapshot.credentials.kinds_of(name).next().is_some() => {
            Ok(Asker::of(Standing::Anonymous))
        }
        (all, None) => Err(NoAnswer::Question(format!(
            "api_user \"{name}\" can never come in here: it has no `client_cn` or the like in trust domain {}",
            names(all)
        ))),
    }
}

fn no_such_user(snapshot: &Snapshot, name: &str) -> NoAnswer {
    let hint = super::nearest_user(snapshot, name)
        .map(|known| format!("; did you mean \"{known}\"?"))
        .unwrap_or_default();
    NoAnswer::Question(format!("there is no api_user \"{name}\"{hint}"))
}

/// The domain that is taken to have vouched. `None` where no certificate is asked for.
fn vouching_domain<'h>(
    domains: &'h [Arc<TrustDomain>],
    said: Option<&str>,
) -> Result<Option<&'h TrustDomain>, NoAnswer> {
    match (domains, said) {
        ([], _) => Ok(None),
        (all, Some(name)) => match all.iter().find(|domain| *domain.name == *name) {
            Some(domain) => Ok(Some(domain)),
            None => Err(NoAnswer::Question(format!(
                "trust domain \"{name}\" does not vouch here: {}",
                names(all)
            ))),
        },
        ([only], None) => Ok(Some(only)),
        (several, None) => {
            let message = "several trust domains may vouch here, so a name says too little";
            let hint = "use --trust-domain, --user or --cert";
            Err(NoAnswer::Question(format!(
                "{message}: {}; {hint}",
                names(several)
            )))
        }
    }
}

/// Who a certificate would be whose user its domain's deny list may name.
fn unless_denied_by(domain: &TrustDomain, standing: Standing) -> Standing {
    match &standing {
        Standing::Known(user) if domain.revocation().denies_user(&user.name) => {
            Standing::Refused(FailureReason::Revoked)
        }
        _ => standing,
    }
}

/// The names of trust domains, for people.
fn names(domains: &[Arc<TrustDomain>]) -> String {
    domains
        .iter()
        .map(|domain| format!("\"{}\"", domain.name))
        .collect::<Vec<_>>()
        .join(" or ")
}
