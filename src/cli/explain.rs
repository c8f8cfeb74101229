//! `portcullis explain`: what the gateway would decide, and why. Calls the same judgement as the proxy.

mod decision;

use decision::decision;

use super::{ConfigFlag, say, say_error};
use crate::authorize::{Denied, Grant, Matched};
use crate::clock;
use crate::credentials::CredentialRule;
use crate::head::RequestHead;
use crate::host::HostName;
use crate::identity::{ForwardedRefusal, FrontProxy, Identifier, IdentifierError, IdentityKind, Principal};
use crate::proxy::{
    Client, Evidence, Judgement, Presented, Standing, decide_by, standing, standing_behind, unless_denied,
};
use crate::respond::Refusal;
use crate::route::Target;
use crate::route::icinga2::EventTypes;
use crate::snapshot::{Depth, ListenerPolicy, Outcome, Snapshot, load};
use crate::telemetry::Telemetry;
use crate::tls::{FailureReason, HostPolicy, TrustDomain, TrustDomainId, certificates};
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The flags of `portcullis explain`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("who").args(["cert", "cn", "dns", "uri", "email", "fingerprint", "spki", "user"]))]
#[command(after_help = "Without any of --cert to --user the client shows no certificate.\n\
    Exit codes: 0 allowed, 1 denied, 2 the question cannot be answered, also if an external authorizer is to answer it.\n\n\
    Example:\n  portcullis explain --cn my-api-client GET https://api.example.org/v1/objects/hosts")]
pub(super) struct Explain {
    #[command(flatten)]
    config: ConfigFlag,
    /// The client's certificate (PEM, leaf first); it is verified as in a handshake
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The common name of a client certificate that is taken to be valid
    #[arg(long, value_name = "CN")]
    cn: Option<String>,
    /// As --cn, by a DNS name among its subject alternative names
    #[arg(long, value_name = "NAME")]
    dns: Option<String>,
    /// As --cn, by a URI such as a SPIFFE ID
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// As --cn, by an e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// As --cn, by the SHA-256 of the certificate
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// As --cn, by the SHA-256 of its key
    #[arg(long, value_name = "HEX|BASE64")]
    spki: Option<String>,
    /// The name of an ApiUser
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The trust domain that vouches, where several may: for --cn and its like
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<String>,
    /// As a client for whom a front proxy of the listener speaks
    #[arg(long)]
    front_proxy: bool,
    /// The listener, where there are several
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The method
    method: String,
    /// The URL, or a path
    url: String,
}

/// Who asks, and which domain is taken to have vouched.
type Found = (Standing, Option<TrustDomainId>);

/// A front proxy that names nobody.
fn nobody() -> Found {
    (Standing::Forwarded(ForwardedRefusal::Missing), None)
}

/// Exit code for a question that cannot be answered.
const NO_ANSWER: u8 = 2;

impl Explain {
    pub(super) fn run(&self) -> ExitCode {
        let outcome = load(&self.config.config, None, &Arc::new(Telemetry::default()), Depth::Errors);
        let Some(snapshot) = &outcome.snapshot else {
            say_error(&outcome.report());
            return ExitCode::from(NO_ANSWER);
        };
        match self.explain(snapshot, &outcome) {
            Ok((code, text)) => {
                say(&text);
                code
            }
            Err(message) => {
                say_error(&format!("error: {message}"));
                ExitCode::from(NO_ANSWER)
            }
        }
    }

    fn explain(&self, snapshot: &Snapshot, outcome: &Outcome) -> Result<(ExitCode, String), String> {
        let listener = self.listener(snapshot)?;
        let (authority, target) = self.split_url()?;
        if target.parse::<http::Uri>().is_err() {
            return Err("the gateway refuses this URL unread (400): write what is no URI character as %XX".to_owned());
        }
        let name = HostName::parse_authority(&authority).ok_or("the URL names no host")?;
        let host = listener.host(Some(&name)).ok_or_else(|| {
            format!("listener \"{}\" serves no host \"{}\"; give a whole URL", listener.name, name.as_str())
        })?;
        let (standing, vouched_by) = match (&listener.front_proxy, self.front_proxy) {
            (Some(front), true) => self.standing_behind(snapshot, front)?,
            (None, true) => return Err(format!("listener \"{}\" has no `front_proxy`", listener.name)),
            (front, false) => match self.standing(snapshot, host)? {
                // Whoever speaks for others has no rights of its own.
                (Standing::Known(user), _) if front.as_ref().is_some_and(|front| front.is_peer(user.id)) => {
                    (Standing::Forwarded(ForwardedRefusal::Missing), None)
                }
                found => found,
            },
        };
        let no_fields: &[(&str, &[u8])] = &[];
        let head =
            RequestHead { method: &self.method, target: &target, authority: Some(&authority), fields: no_fields };
        let source = IpAddr::from([127, 0, 0, 1]);
        let now = clock::signed_seconds();
        let client = Client { listener, host, standing: &standing, vouched_by, certificate: None, source, now };
        let nothing = Evidence::default();
        let mut evidence = Evidence::default();
        let mut judgement = decide_by(snapshot, client, &nothing, &head);
        if matches!(judgement.outcome, Err(Refusal::CredentialsUnchecked)) {
            let rule = judgement.route.map(|route| route.credentials).unwrap_or_default();
            evidence.presented = self.presented(snapshot, rule);
            judgement = decide_by(snapshot, client, &evidence, &head);
        }
        let bodiless = Evidence { body: Some(EventTypes::from_body(b"")), ..evidence.clone() };
        if matches!(judgement.outcome, Err(Refusal::BodyUnread)) {
            judgement = decide_by(snapshot, client, &bodiless, &head);
        }
        let code = match &judgement.outcome {
            Ok(_) => ExitCode::SUCCESS,
            Err(Refusal::AuthorizerUnasked) => ExitCode::from(NO_ANSWER),
            Err(_) => ExitCode::FAILURE,
        };
        Ok((code, describe(snapshot, outcome, (&standing, &evidence.presented), &judgement)))
    }

    fn listener<'s>(&self, snapshot: &'s Snapshot) -> Result<&'s Arc<ListenerPolicy>, String> {
        let names = || {
            let mut names: Vec<&str> = snapshot.listeners.keys().map(AsRef::as_ref).collect();
            names.sort_unstable();
            names.join(", ")
        };
        match &self.listener {
            Some(name) => snapshot
                .listeners
                .get(name.as_str())
                .ok_or_else(|| format!("there is no listener \"{name}\"; there are: {}", names())),
            None => {
                let mut all = snapshot.listeners.values();
                match (all.next(), all.next()) {
                    (Some(only), None) => Ok(only),
                    _ => Err(format!("there are several listeners, say which: --listener NAME ({})", names())),
                }
            }
        }
    }

    /// Authority and target. A path alone is taken to be asked of `localhost`.
    fn split_url(&self) -> Result<(String, String), String> {
        if self.url.starts_with('/') {
            return Ok(("localhost".to_owned(), self.url.clone()));
        }
        let rest = self.url.strip_prefix("https://").ok_or("the URL begins with https:// or is a path")?;
        // A client sends no fragment, and `/` where there is no path.
        let rest = rest.split('#').next().unwrap_or(rest);
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(at);
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok((authority.to_owned(), format!("{slash}{target}")))
    }

    /// What the client would show beside its certificate: a user that has a password or token is taken to have it right.
    fn presented(&self, snapshot: &Snapshot, rule: CredentialRule) -> Presented {
        let assumed = |name| snapshot.credentials.assumed(&snapshot.users, name, rule);
        let proof = self.user.as_deref().and_then(assumed);
        proof.map_or(Presented::Nothing, |proof| unless_denied(snapshot, proof))
    }

    /// Who asks, and which domain is taken to have vouched.
    fn standing(&self, snapshot: &Snapshot, host: &HostPolicy) -> Result<Found, String> {
        if let Some(path) = &self.cert {
            let chain = certificates(path).map_err(|error| error.to_string())?;
            let (standing, peer) = standing(snapshot, host, &chain);
            return Ok((standing, peer.map(|peer| peer.trust_domain)));
        }
        let said = self.said(snapshot, &host.trust_domains)?;
        Ok(said.unwrap_or_else(|| (standing(snapshot, host, &[]).0, None)))
    }

    /// The same for a client that a front proxy names.
    fn standing_behind(&self, snapshot: &Snapshot, front: &FrontProxy) -> Result<Found, String> {
        let forwarded = match &self.cert {
            Some(path) => {
                let chain = certificates(path).map_err(|error| error.to_string())?;
                standing_behind(snapshot, front, chain)
            }
            None => self.said(snapshot, std::slice::from_ref(&front.trust_domain))?.unwrap_or_else(nobody),
        };
        Ok(match forwarded {
            (Standing::Refused(reason), _) => (Standing::Forwarded(ForwardedRefusal::Certificate(reason)), None),
            (Standing::Known(user), _) if front.is_peer(user.id) => {
                (Standing::Forwarded(ForwardedRefusal::FrontProxyItself), None)
            }
            (Standing::Anonymous, _) => nobody(),
            found => found,
        })
    }

    /// Who asks by what is said and not shown, if anything is.
    fn said(&self, snapshot: &Snapshot, domains: &[Arc<TrustDomain>]) -> Result<Option<Found>, String> {
        if let Some(name) = &self.user {
            let user = snapshot.users.named(name).ok_or_else(|| format!("there is no api_user \"{name}\""))?;
            let mut proving: Vec<_> = domains.iter().collect();
            proving.retain(|domain| {
                self.trust_domain.as_ref().is_none_or(|said| *domain.name == **said)
                    && snapshot.users.can_be_proven_in(domain.id, user.id)
            });
            // The best that it can have: one of a domain that does not deny it.
            let vouching =
                proving.iter().find(|domain| !domain.revocation().denies_user(name)).or(proving.first()).copied();
            return match (domains, vouching) {
                ([], _) => Ok(Some((Standing::Anonymous, None))),
                (_, Some(domain)) => Ok(Some((unless_denied_by(domain, Standing::Known(user)), Some(domain.id)))),
                (_, None) if snapshot.credentials.kinds_of(name).next().is_some() => {
                    Ok(Some((Standing::Anonymous, None)))
                }
                (all, None) => Err(format!(
                    "api_user \"{name}\" can never come in here: it has no `client_cn` or the like in trust domain {}",
                    named(all)
                )),
            };
        }
        let Some((kind, text)) = self.said_identifier() else {
            return Ok(None);
        };
        let Some(domain) = self.vouching_domain(domains)? else {
            return Ok(Some((Standing::Anonymous, None)));
        };
        let revocation = domain.revocation();
        let is_denied = match kind {
            IdentityKind::CommonName => revocation.denies_common_name(text),
            IdentityKind::Fingerprint => revocation.denies_fingerprint(text),
            _ => false,
        };
        let standing = match Identifier::parse(kind, text) {
            Ok(_) if is_denied => Standing::Refused(FailureReason::Denied),
            Ok(identifier) => snapshot.users.identify_by(domain.id, &identifier).into(),
            Err(IdentifierError::CommonName(error)) => Standing::UnusableName(error.into()),
            Err(error) => return Err(format!("no certificate leads to a user by \"{text}\": {error}")),
        };
        Ok(Some((unless_denied_by(domain, standing), Some(domain.id))))
    }

    /// The domain that is taken to have vouched. `None` where no certificate is asked for.
    fn vouching_domain<'h>(&self, domains: &'h [Arc<TrustDomain>]) -> Result<Option<&'h TrustDomain>, String> {
        match (domains, &self.trust_domain) {
            ([], _) => Ok(None),
            (all, Some(name)) => match all.iter().find(|domain| *domain.name == **name) {
                Some(domain) => Ok(Some(domain)),
                None => Err(format!("trust domain \"{name}\" does not vouch here: {}", named(all))),
            },
            ([only], None) => Ok(Some(only)),
            (several, None) => {
                let message = "several trust domains may vouch here, so a name says too little";
                Err(format!("{message}: {}; use --trust-domain, --user or --cert", named(several)))
            }
        }
    }

    fn said_identifier(&self) -> Option<(IdentityKind, &str)> {
        let said = [
            (IdentityKind::CommonName, &self.cn),
            (IdentityKind::Dns, &self.dns),
            (IdentityKind::Uri, &self.uri),
            (IdentityKind::Email, &self.email),
            (IdentityKind::Fingerprint, &self.fingerprint),
            (IdentityKind::Spki, &self.spki),
        ];
        said.into_iter().find_map(|(kind, text)| Some((kind, text.as_deref()?)))
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
fn named(domains: &[Arc<TrustDomain>]) -> String {
    domains.iter().map(|domain| format!("\"{}\"", domain.name)).collect::<Vec<_>>().join(" or ")
}

fn describe(
    snapshot: &Snapshot,
    outcome: &Outcome,
    (standing, presented): (&Standing, &Presented),
    judgement: &Judgement<'_, '_>,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<13}{value}", format!("{name}:"));
    };
    let sources = &outcome.sources;
    let permission = |matched: &Matched<'_>| {
        let role = matched.role.map(|role| format!(" of role \"{role}\"")).unwrap_or_default();
        format!("\"{}\"{role} at {}", matched.permission.text(), sources.describe(matched.permission.place))
    };
    line("decision", decision(judgement));
    match presented {
        Presented::Proven(proof) => {
            let user = Standing::Known(proof.principal.clone());
            line("user", format!("{} by {}", describe_user(snapshot, outcome, &user), proof.kind().word()));
        }
        _ => line("user", describe_user(snapshot, outcome, standing)),
    }
    if let Standing::Known(user) = standing {
        if let Some(kind) = user.identified_by {
            line("identified", format!("by {}", kind.word()));
        }
        if !user.extra_roles.is_empty() {
            line("roles", format!("{} by its certificate", brought_roles(snapshot, user)));
        }
    }
    if let Some(target) = &judgement.target {
        line("path", format!("{} {}", judgement.method, target.path));
    }
    if let Some(route) = judgement.route {
        line("route", format!("{} at {}", route.name, sources.describe(route.place)));
        if let Target::Upstream(name) = &route.target {
            line("upstream", name.to_string());
        }
    }
    if let Some(requirement) = &judgement.requirement {
        line("requirement", requirement.to_string());
    }
    match &judgement.outcome {
        Ok(permit) => match permit.grant() {
            Grant::Permission(matched) => line("permission", permission(&matched)),
            Grant::AnyApiUser => line("permission", "none needed: the route is for any ApiUser".to_owned()),
            Grant::PublicRoute => line("permission", "none needed: the route is public".to_owned()),
            Grant::Shadow => line("permission", "none grants this; refusals are only marked".to_owned()),
        },
        Err(refusal) => match refusal.denied() {
            Some(Denied::DeniedBy(matched)) => line("denied by", permission(matched)),
            Some(Denied::NoPermission) => line("permission", "none grants this".to_owned()),
            _ => {}
        },
    }
    text
}

fn describe_user(snapshot: &Snapshot, outcome: &Outcome, standing: &Standing) -> String {
    match standing {
        Standing::Known(user) => {
            let place = snapshot.users.get(user.id).map(|user| outcome.sources.describe(user.place));
            format!("{} at {}", user.name, place.unwrap_or_default())
        }
        Standing::Anonymous => "none: no certificate".to_owned(),
        Standing::UnknownUser => "none: the certificate is no ApiUser's".to_owned(),
        Standing::AmbiguousIdentity(one, other) => format!("none: the certificate is both \"{one}\" and \"{other}\""),
        Standing::ReservedName(name) => format!("none: the name \"{name}\" is reserved in its trust domain"),
        Standing::UnusableName(error) => format!("none: {error}"),
        Standing::Forwarded(refusal) => format!("none: {}", refusal.word()),
        Standing::Refused(reason) => format!("none: the certificate is refused ({})", reason.word()),
    }
}

/// The names of the roles that come with the certificate.
fn brought_roles(snapshot: &Snapshot, user: &Principal) -> String {
    let names: Vec<String> = snapshot.policy.brought_roles(user).map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}
