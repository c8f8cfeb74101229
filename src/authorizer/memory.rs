//! Verdicts that are remembered for a while, where the config says so, and by what they are told apart. Bounded.

use super::question::Question;
use super::verdict::{AnswerFields, Denial};
use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A part of a question by which verdicts are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// Who asks: the ApiUser, the certificate, and who vouched for it.
    User,
    /// The method.
    Method,
    /// The host.
    Host,
    /// The canonical path.
    Path,
    /// The query.
    Query,
    /// The address of the client.
    Source,
    /// The listener, and the server name that was asked for.
    Listener,
    /// The fields of this name that the authorizer is shown.
    Field(HeaderName),
}

impl KeyPart {
    /// All but the fields, with their names in the config.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("user", Self::User),
        ("method", Self::Method),
        ("host", Self::Host),
        ("path", Self::Path),
        ("query", Self::Query),
        ("source", Self::Source),
        ("listener", Self::Listener),
    ];
}

/// SHA-256 over those parts of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

/// A verdict that counts for a while.
pub(super) type Remembered = Result<Arc<AnswerFields>, Denial>;

/// What was asked for lately, and what before that. When the first is full, the second is forgotten.
#[derive(Default)]
struct Kept {
    lately: HashMap<Key, (Instant, Remembered)>,
    before: HashMap<Key, (Instant, Remembered)>,
}

/// See the module.
pub(super) struct Memory {
    lasting: Duration,
    parts: Vec<KeyPart>,
    kept: Mutex<Kept>,
}

/// In all twice as many.
const MOST_LATELY: usize = 8192;

impl Memory {
    pub(super) fn new(lasting: Duration, parts: Vec<KeyPart>) -> Self {
        Self {
            lasting,
            parts,
            kept: Mutex::default(),
        }
    }

    /// By what the verdict of this question is known again. The route is always part of it.
    pub(super) fn key(&self, question: &Question<'_>) -> Option<Key> {
        let mut digest = Digest(Context::new(&SHA256));
        digest.add(question.route.as_bytes());
        self.parts
            .iter()
            .for_each(|part| digest.add_part(part, question));
        digest.0.finish().as_ref().try_into().ok().map(Key)
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Remembered> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.lately.get(key).or_else(|| kept.before.get(key));
        found
            .filter(|(until, _)| now < *until)
            .map(|(_, verdict)| verdict.clone())
    }

    /// Remembers what was said just now.
    pub(super) fn put(&self, key: Key, verdict: Remembered, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.lately.len() >= MOST_LATELY {
            kept.before = std::mem::take(&mut kept.lately);
        }
        kept.lately.insert(key, (now + self.lasting, verdict));
    }
}

/// Each thing goes in with its length, so that no two questions run together to the same octets.
struct Digest(Context);

impl Digest {
    fn add(&mut self, octets: &[u8]) {
        self.0.update(&(octets.len() as u64).to_be_bytes());
        self.0.update(octets);
    }

    fn add_part(&mut self, part: &KeyPart, question: &Question<'_>) {
        match part {
            KeyPart::User => self.add_user(question),
            KeyPart::Method => self.add(question.method.as_bytes()),
            KeyPart::Host => self.add(question.host.as_bytes()),
            KeyPart::Path => self.add(question.path.as_bytes()),
            KeyPart::Query => self.add_optional(question.query),
            KeyPart::Source => self.add(question.client.ip().to_string().as_bytes()),
            KeyPart::Listener => {
                self.add(question.listener.as_bytes());
                self.add_optional(question.server_name);
            }
            KeyPart::Field(name) => {
                let values: Vec<_> = question
                    .fields
                    .iter()
                    .filter(|(is, _)| *is == name)
                    .collect();
                self.add(&values.len().to_be_bytes());
                values.into_iter().for_each(|(_, value)| self.add(value));
            }
        }
    }

    fn add_user(&mut self, question: &Question<'_>) {
        let known = &question.known;
        self.add_optional(known.user.map(|user| &*user.name));
        self.add_optional(known.forwarded_by);
        let certificate = known.certificate.as_ref();
        self.add_optional(certificate.map(|certificate| certificate.domain));
        // All that is told about it: the chain as well.
        let chain = certificate
            .map(|certificate| certificate.chain)
            .unwrap_or_default();
        self.add(&chain.len().to_be_bytes());
        chain.iter().for_each(|der| self.add(der));
    }

    fn add_optional(&mut self, text: Option<&str>) {
        self.add(if text.is_some() { b"1" } else { b"0" });
        self.add(text.unwrap_or_default().as_bytes());
    }
}

#[cfg(test)]
mod tests;
