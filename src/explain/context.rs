//! Listener, host and time of a question, and its request in the form for the decision. Decides nothing.

use super::question::{ExplainError, ExplainQuestion};
use crate::clock;
use crate::host::HostName;
use crate::snapshot::{ListenerPolicy, Snapshot};
use crate::tls::HostPolicy;
use std::net::IpAddr;
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The context of a question: snapshot, listener, host, source and time.
#[derive(Clone, Copy)]
pub(super) struct QuestionContext<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) listener: &'s Arc<ListenerPolicy>,
    pub(super) host: &'s Arc<HostPolicy>,
    pub(super) question: &'s ExplainQuestion,
    pub(super) source: IpAddr,
    /// Seconds since 1970.
    pub(super) at: i64,
}

/// The request of a question.
pub(super) struct ExplainedRequest {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authority: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

impl<'s> QuestionContext<'s> {
    /// The context and the request of a question by its URL.
    pub(super) fn of(
        snapshot: &'s Snapshot,
        question: &'s ExplainQuestion,
    ) -> Result<(Self, ExplainedRequest), ExplainError> {
        let listener = listener(snapshot, question.listener.as_deref())?;
        let (authority, target) = split_url(&question.url)?;
        let context = Self::at_host(snapshot, question, listener, &authority)?;
        let request = ExplainedRequest::new(question, &question.method, &authority, target)?;
        Ok((context, request))
    }

    /// The context for a host of a listener.
    pub(super) fn at_host(
        snapshot: &'s Snapshot,
        question: &'s ExplainQuestion,
        listener: &'s Arc<ListenerPolicy>,
        authority: &str,
    ) -> Result<Self, ExplainError> {
        let name = HostName::parse_authority(authority)
            .ok_or_else(|| ExplainError::invalid_question("the URL names no host"))?;
        let host = listener.host(Some(&name)).ok_or_else(|| {
            let message = format!(
                "listener \"{}\" serves no host \"{}\"; give a whole URL",
                listener.name,
                name.as_str()
            );
            ExplainError::InvalidQuestion(message)
        })?;
        Ok(Self {
            snapshot,
            listener,
            host,
            question,
            source: question.source(),
            at: time_of(question)?,
        })
    }
}

impl ExplainedRequest {
    pub(super) fn new(
        question: &ExplainQuestion,
        method: &str,
        authority: &str,
        target: String,
    ) -> Result<Self, ExplainError> {
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(ExplainError::InvalidQuestion(format!(
                "\"{method}\" is no method"
            )));
        }
        if target.parse::<http::Uri>().is_err() {
            let message =
                "the gateway refuses this URL unread (400): write what is no URI character as %XX";
            return Err(ExplainError::invalid_question(message));
        }
        let mut fields = vec![("host".to_owned(), authority.as_bytes().to_vec())];
        for (name, value) in &question.headers {
            if name.eq_ignore_ascii_case("host") {
                return Err(ExplainError::invalid_question(
                    "the host is that of the URL, so no field says it",
                ));
            }
            if name.is_empty()
                || !name.bytes().all(is_token)
                || value.bytes().any(is_invalid_in_field)
            {
                return Err(ExplainError::InvalidQuestion(format!(
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

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_invalid_in_field(byte: u8) -> bool {
    byte == 0x7F || (byte < b' ' && byte != b'\t')
}

/// The listener with this name, or the only one.
pub(super) fn listener<'s>(
    snapshot: &'s Snapshot,
    name: Option<&str>,
) -> Result<&'s Arc<ListenerPolicy>, ExplainError> {
    let names = || {
        let mut names: Vec<&str> = snapshot.listeners.keys().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names.join(", ")
    };
    if let Some(name) = name {
        let listener = snapshot.listeners.get(name);
        return listener.ok_or_else(|| {
            ExplainError::InvalidQuestion(format!(
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
            Err(ExplainError::InvalidQuestion(message))
        }
    }
}

/// Authority and target. The authority of a path alone is `localhost`.
fn split_url(url: &str) -> Result<(String, String), ExplainError> {
    if url.starts_with('/') {
        return Ok(("localhost".to_owned(), url.to_owned()));
    }
    let rest = url.strip_prefix("https://").ok_or_else(|| {
        ExplainError::invalid_question("the URL begins with https:// or is a path")
    })?;
    // A client sends no fragment, and `/` for an empty path.
    let rest = rest.split('#').next().unwrap_or(rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((authority.to_owned(), format!("{slash}{target}")))
}

/// The time of the question in seconds since 1970.
fn time_of(question: &ExplainQuestion) -> Result<i64, ExplainError> {
    let Some(text) = &question.at else {
        return Ok(clock::signed_seconds());
    };
    let second = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp);
    second.filter(|second| *second > 0).ok_or_else(|| {
        ExplainError::InvalidQuestion(format!(
            "\"{text}\" is no time: write it as \"2027-03-31T18:00:00Z\", after 1970"
        ))
    })
}
