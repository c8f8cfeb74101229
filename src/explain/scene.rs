//! The place and time of a question, and the request that it asks about, made ready for the judgement. Finds no reasons.

use super::asker::Asker;
use super::question::{NoAnswer, Question};
use crate::clock;
use crate::condition::Facts;
use crate::forward::SentHeaders;
use crate::head::RequestHead;
use crate::host::HostName;
use crate::limit::{Bounds, Limiter, smaller};
use crate::proxy::{
    Client, Evidence, Judgement, Presented, Standing, decide_by, shows_its_own_certificate, unless_denied,
};
use crate::respond::Refusal;
use crate::route::Admission;
use crate::route::icinga2::EventTypes;
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::{FailureReason, HostPolicy};
use std::net::IpAddr;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where and when.
#[derive(Clone, Copy)]
pub(super) struct Scene<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) listener: &'s Arc<ListenerPolicy>,
    pub(super) host: &'s Arc<HostPolicy>,
    pub(super) question: &'s Question,
    pub(super) source: IpAddr,
    /// Seconds since 1970.
    pub(super) at: i64,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authority: String,
    fields: Vec<(String, Vec<u8>)>,
}

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

impl<'s> Scene<'s> {
    /// Where the question's URL leads to.
    pub(super) fn of(snapshot: &'s Snapshot, question: &'s Question) -> Result<(Self, Asked), NoAnswer> {
        let listener = listener(snapshot, question.listener.as_deref())?;
        let (authority, target) = split_url(&question.url)?;
        let scene = Self::at_host(snapshot, question, listener, &authority)?;
        let asked = Asked::new(question, &question.method, &authority, target)?;
        Ok((scene, asked))
    }

    /// A host of a listener.
    pub(super) fn at_host(
        snapshot: &'s Snapshot,
        question: &'s Question,
        listener: &'s Arc<ListenerPolicy>,
        authority: &str,
    ) -> Result<Self, NoAnswer> {
        let name = HostName::parse_authority(authority).ok_or_else(|| NoAnswer::question("the URL names no host"))?;
        let host = listener.host(Some(&name)).ok_or_else(|| {
            let message =
                format!("listener \"{}\" serves no host \"{}\"; give a whole URL", listener.name, name.as_str());
            NoAnswer::Question(message)
        })?;
        Ok(Self { snapshot, listener, host, question, source: question.source(), at: moment(question)? })
    }

    /// Has the request judged, with whatever else the judgement wants to have looked at.
    pub(super) fn judged<R>(&self, asker: &Asker, asked: &Asked, then: impl FnOnce(&Judged<'_>) -> R) -> R {
        let fields: Vec<(&str, &[u8])> = asked.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
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
        let head = RequestHead { method: &asked.method, target: &asked.target, authority: None, fields };
        let judgement = decide_by(self.snapshot, client, &evidence, &head);
        match self.further(asker, &judgement, &evidence) {
            Some(more) => self.judged_by((client, asker), (asked, fields), more, then),
            None => then(&Judged { scene: self, client, evidence: &evidence, judgement: &judgement, fields }),
        }
    }

    /// What the judgement asks for beside what was looked at. `None` where it stands. Everything that engines look up for a
    /// request has its place here.
    fn further(&self, asker: &Asker, judgement: &Judgement<'_, '_>, evidence: &Evidence) -> Option<Evidence> {
        match (&judgement.outcome, &evidence.presented) {
            (Err(Refusal::CredentialsUnchecked), Presented::Unchecked) => {
                Some(Evidence { presented: self.presented(asker, judgement), ..evidence.clone() })
            }
            (Err(Refusal::BodyUnread), _) if evidence.body.is_none() => {
                let body = self.question.body.as_deref().unwrap_or_default();
                Some(Evidence { body: Some(EventTypes::from_body(body.as_bytes())), ..evidence.clone() })
            }
            _ => None,
        }
    }

    /// What the client would show beside its certificate: a user that has a password or token is taken to have it right.
    fn presented(&self, asker: &Asker, judgement: &Judgement<'_, '_>) -> Presented {
        let rule = judgement.route.map(|route| route.credentials).unwrap_or_default();
        let Some(name) = &asker.assumed else { return Presented::Nothing };
        let proof = self.snapshot.credentials.assumed(&self.snapshot.users, name, rule);
        proof.map_or(Presented::Nothing, |proof| unless_denied(self.snapshot, proof))
    }
}

impl Asked {
    pub(super) fn new(question: &Question, method: &str, authority: &str, target: String) -> Result<Self, NoAnswer> {
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(NoAnswer::Question(format!("\"{method}\" is no method")));
        }
        if target.parse::<http::Uri>().is_err() {
            let message = "the gateway refuses this URL unread (400): write what is no URI character as %XX";
            return Err(NoAnswer::question(message));
        }
        let mut fields = vec![("host".to_owned(), authority.as_bytes().to_vec())];
        for (name, value) in &question.headers {
            if name.eq_ignore_ascii_case("host") {
                return Err(NoAnswer::question("the host is that of the URL, so no field says it"));
            }
            if name.is_empty() || !name.bytes().all(is_token) || value.bytes().any(is_no_field_octet) {
                return Err(NoAnswer::Question(format!("\"{name}: {value}\" is no header field")));
            }
            fields.push((name.clone(), value.trim_matches([' ', '\t']).as_bytes().to_vec()));
        }
        if let Some(body) = &question.body
            && !question.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        }
        Ok(Self { method: method.to_owned(), target, authority: authority.to_owned(), fields })
    }
}

impl Judged<'_> {
    /// Calls `then` with what conditions see of the request. `None` if it did not come as far as to a route.
    pub(super) fn facts<R>(&self, then: impl FnOnce(&Facts<'_>) -> R) -> Option<R> {
        let (judgement, client, snapshot) = (self.judgement, self.client, self.scene.snapshot);
        let (target, host, route) = (judgement.target.as_ref()?, judgement.host.as_ref()?, judgement.route?);
        let (_, captured) = client.listener.routes.find(Some(host), &target.path)?;
        let captures: Vec<_> = route.captures.iter().map(AsRef::as_ref).zip(captured.iter()).collect();
        let shows_own = shows_its_own_certificate(client.standing, &self.evidence.presented);
        let shows_own = judgement.user.is_some() && shows_own;
        let vouching = client.vouched_by.filter(|_| shows_own).and_then(|id| snapshot.trust_domain(id));
        Some(then(&Facts {
            method: judgement.method,
            path: &target.path,
            query: target.query.as_deref(),
            host: host.as_str(),
            captures: &captures,
            headers: &SentHeaders { fields: self.fields, policy: snapshot.field_policy(route) },
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
        let user = judgement.user.filter(|_| judgement.route.is_some_and(|route| route.admission != Admission::Public));
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
        let takes = self.judgement.route.is_some_and(|route| !route.credentials.is_certificate_alone());
        takes && self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn is_no_field_octet(octet: u8) -> bool {
    octet == 0x7F || (octet < b' ' && octet != b'\t')
}

/// The listener that is meant: the one named, or the only one there is.
pub(super) fn listener<'s>(snapshot: &'s Snapshot, said: Option<&str>) -> Result<&'s Arc<ListenerPolicy>, NoAnswer> {
    let names = || {
        let mut names: Vec<&str> = snapshot.listeners.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names.join(", ")
    };
    if let Some(name) = said {
        let there = snapshot.listeners.get(name);
        return there
            .ok_or_else(|| NoAnswer::Question(format!("there is no listener \"{name}\"; there are: {}", names())));
    }
    let mut all = snapshot.listeners.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        _ => {
            let message = format!("there are several listeners, say which: --listener NAME ({})", names());
            Err(NoAnswer::Question(message))
        }
    }
}

/// Authority and target. A path alone is taken to be asked of `localhost`.
fn split_url(url: &str) -> Result<(String, String), NoAnswer> {
    if url.starts_with('/') {
        return Ok(("localhost".to_owned(), url.to_owned()));
    }
    let rest =
        url.strip_prefix("https://").ok_or_else(|| NoAnswer::question("the URL begins with https:// or is a path"))?;
    // A client sends no fragment, and `/` where there is no path.
    let rest = rest.split('#').next().unwrap_or(rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((authority.to_owned(), format!("{slash}{target}")))
}

/// Seconds since 1970.
fn moment(question: &Question) -> Result<i64, NoAnswer> {
    let Some(text) = &question.at else { return Ok(clock::signed_seconds()) };
    let second = OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    second.filter(|second| *second > 0).ok_or_else(|| {
        NoAnswer::Question(format!("\"{text}\" is no time: write it as \"2027-03-31T18:00:00Z\", after 1970"))
    })
}
