//! The cache of verdicts, if configured, and its keys. Bounded.

use super::question::Question;
use super::verdict::{Denial, VerdictFields};
use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderName;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A part of a question that is included in the cache key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The client: ApiUser, certificate chain, trust domain and front proxy.
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
    /// The listener and the requested server name.
    Listener,
    /// The fields of this name that the authorizer receives.
    Field(HeaderName),
}

impl KeyPart {
    /// All parts except fields, by their names in the config.
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

/// SHA-256 over the key parts of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct VerdictKey([u8; 32]);

/// A verdict in the cache.
pub(super) type CachedVerdict = Result<Arc<VerdictFields>, Denial>;

/// Two generations of entries. When the current one is full, it replaces the previous one.
#[derive(Default)]
struct CacheGenerations {
    current: HashMap<VerdictKey, (Instant, CachedVerdict)>,
    previous: HashMap<VerdictKey, (Instant, CachedVerdict)>,
}

/// The cache of verdicts of one authorizer.
pub(super) struct VerdictCache {
    lifetime: Duration,
    parts: Vec<KeyPart>,
    generations: Mutex<CacheGenerations>,
}

/// Maximum number of entries per generation.
const MAX_GENERATION: usize = 8192;

impl VerdictCache {
    pub(super) fn new(lifetime: Duration, parts: Vec<KeyPart>) -> Self {
        Self {
            lifetime,
            parts,
            generations: Mutex::default(),
        }
    }

    /// The cache key of a question. The route is always part of it.
    pub(super) fn key(&self, question: &Question<'_>) -> Option<VerdictKey> {
        let mut digest = Digest(Context::new(&SHA256));
        digest.add(question.route.as_bytes());
        self.parts
            .iter()
            .for_each(|part| digest.add_part(part, question));
        digest.0.finish().as_ref().try_into().ok().map(VerdictKey)
    }

    pub(super) fn get(&self, key: &VerdictKey, now: Instant) -> Option<CachedVerdict> {
        let generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let entry = generations
            .current
            .get(key)
            .or_else(|| generations.previous.get(key));
        entry
            .filter(|(until, _)| now < *until)
            .map(|(_, verdict)| verdict.clone())
    }

    /// Adds a verdict.
    pub(super) fn put(&self, key: VerdictKey, verdict: CachedVerdict, now: Instant) {
        let mut generations = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if generations.current.len() >= MAX_GENERATION {
            generations.previous = std::mem::take(&mut generations.current);
        }
        generations
            .current
            .insert(key, (now + self.lifetime, verdict));
    }
}

/// Hashes values with their lengths, so that different questions never have the same input bytes.
struct Digest(Context);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
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
                    .filter(|(field, _)| *field == name)
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
        // The authorizer receives the chain, so it is part of the key.
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
