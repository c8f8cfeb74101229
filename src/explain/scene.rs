//! The place and time of a question, and the request that it asks about, made ready for the decision. Judges nothing.

use super::question::{NoAnswer, Question};
use crate::clock;
use crate::host::HostName;
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::HostPolicy;
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
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

impl<'s> Scene<'s> {
    /// Where the question's URL leads to.
    pub(super) fn of(
        snapshot: &'s Snapshot,
        question: &'s Question,
    ) -> Result<(Self, Asked), NoAnswer> {
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
        let name = HostName::parse_authority(authority)
            .ok_or_else(|| NoAnswer::question("the URL names no host"))?;
        let host = listener.host(Some(&name)).ok_or_else(|| {
            let message = format!(
                "listener \"{}\" serves no host \"{}\"; give a whole URL",
                listener.name,
                name.as_str()
            );
            NoAnswer::Question(message)
        })?;
        Ok(Self {
            snapshot,
            listener,
            host,
            question,
            source: question.source(),
            at: moment(question)?,
        })
    }
}

impl Asked {
    pub(super) fn new(
        question: &Question,
        method: &str,
        authority: &str,
        target: String,
    ) -> Result<Self, NoAnswer> {
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(NoAnswer::Question(format!("\"{method}\" is no method")));
        }
        if target.parse::<http::Uri>().is_err() {
            let message =
                "the gateway refuses this URL unread (400): write what is no URI character as %XX";
            return Err(NoAnswer::question(message));
        }
        let mut fields = vec![("host".to_owned(), authority.as_bytes().to_vec())];
        for (name, value) in &question.headers {
            if name.eq_ignore_ascii_case("host") {
                return Err(NoAnswer::question(
                    "the host is that of the URL, so no field says it",
                ));
            }
            if name.is_empty()
                || !name.bytes().all(is_token)
                || value.bytes().any(is_no_field_octet)
            {
                return Err(NoAnswer::Question(format!(
                    "\"{name}: {value}\" is no header field"
                )));
            }
            fields.push((
                name.clone(),
                value.trim_matches([' ', '\t']).as_bytes().to_vec(),
            ));
        }
        if let Some(body) = &question.body
            && !question
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        {
            fields.push((
                "content-length".to_owned(),
                body.len().to_string().into_bytes(),
            ));
        }
        Ok(Self {
            method: method.to_owned(),
            target,
            authority: authority.to_owned(),
            fields,
        })
    }
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

fn is_no_field_octet(octet: u8) -> bool {
    octet == 0x7F || (octet < b' ' && octet != b'\t')
}

/// The listener that is meant: the one named, or the only one there is.
pub(super) fn listener<'s>(
    snapshot: &'s Snapshot,
    said: Option<&str>,
) -> Result<&'s Arc<ListenerPolicy>, NoAnswer> {
    let names = || {
        let mut names: Vec<&str> = snapshot.listeners.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names.join(", ")
    };
    if let Some(name) = said {
        let there = snapshot.listeners.get(name);
        return there.ok_or_else(|| {
            NoAnswer::Question(format!(
                "there is no listener \"{name}\"; there are: {}",
                names()
            ))
        });
    }
    let mut all = snapshot.listeners.values();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        _ => {
            let message = format!(
                "there are several listeners, say which: --listener NAME ({})",
                names()
            );
            Err(NoAnswer::Question(message))
        }
    }
}

/// Authority and target. A path alone is taken to be asked of `localhost`.
fn split_url(url: &str) -> Result<(String, String), NoAnswer> {
    if url.starts_with('/') {
        return Ok(("localhost".to_owned(), url.to_owned()));
    }
    let rest = url
        .strip_prefix("https://")
        .ok_or_else(|| NoAnswer::question("the URL begins with https:// or is a path"))?;
    // A client sends no fragment, and `/` where there is no path.
    let rest = rest.split('#').next().unwrap_or(rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((authority.to_owned(), format!("{slash}{target}")))
}

/// Seconds since 1970.
fn moment(question: &Question) -> Result<i64, NoAnswer> {
    let Some(text) = &question.at else {
        return Ok(clock::signed_seconds());
    };
    let second = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp);
    second.filter(|second| *second > 0).ok_or_else(|| {
        NoAnswer::Question(format!(
            "\"{text}\" is no time: write it as \"2027-03-31T18:00:00Z\", after 1970"
        ))
    })
}
