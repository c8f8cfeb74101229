//! Identity headers: the sets that upstreams understand, and the block that tells an upstream who the client is.
//! Written from verified facts only. Does not touch requests; `forward` removes and adds.

mod names;
mod nginx;
mod rfc9440;
mod text;
mod x_client;
mod x_ssl;
mod xfcc;

pub use names::{
    FOREIGN_IDENTITY_FIELDS, IDENTITY_FIELD_PREFIXES, WRITTEN_IDENTITY_FIELDS, begins, fold,
    folded_equal, identity_field_names, is_identity_field, is_written_identity_field,
};
pub use text::{ascii_name, url_encoded_pem};

use super::assertion::{Assertion, AssertionSigner};
use super::known_client::KnownClient;
use std::sync::Arc;
use text::field_value;

/// A set of headers that upstreams understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySet {
    /// `X-Client-CN`, `X-Client-User` and their kin.
    XClient,
    /// `X-SSL-Client-Verify` and its kin, with the names and forms of HAProxy's documentation.
    XSsl,
    /// `ssl-client-verify` and its kin, with the names and forms of nginx and its ingress controller.
    Nginx,
    /// `X-Forwarded-Client-Cert` as Envoy writes it, without the certificate itself.
    Xfcc,
    /// The same with the certificate.
    XfccCert,
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    Rfc9440,
    /// `X-Portcullis-Assertion`, a short signed statement (JWT).
    Jwt,
}

impl IdentitySet {
    const ALL: [(&'static str, Self); 7] = [
        ("x-client", Self::XClient),
        ("x-ssl", Self::XSsl),
        ("nginx", Self::Nginx),
        ("xfcc", Self::Xfcc),
        ("xfcc-cert", Self::XfccCert),
        ("rfc9440", Self::Rfc9440),
        ("jwt", Self::Jwt),
    ];

    /// The set with this name in the config.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, set)| *set)
    }

    /// All names, for messages.
    pub fn words() -> String {
        Self::ALL.map(|(word, _)| format!("\"{word}\"")).join(", ")
    }
}

/// What one upstream wants to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySelection {
    /// In the order in which they are written.
    pub sets: Vec<IdentitySet>,
    /// For whom assertions are meant (`aud`); empty where none are written.
    pub audience: Arc<str>,
}

/// Says which fields of the block are missing because they would be too large.
const LEFT_OUT: &str = "x-identity-left-out";

/// Longest value of text that is sent; a longer one is left out, since half a name is another name.
const TEXT_LIMIT: usize = 4096;
/// Longest value that holds a certificate.
const CERTIFICATE_LIMIT: usize = 12 << 10;
/// Longest value that holds a chain.
const CHAIN_LIMIT: usize = 16 << 10;

/// The fields of a block, while they are collected.
#[derive(Default)]
struct Collected {
    rendered: String,
    left_out: Vec<&'static str>,
}

impl Collected {
    /// Adds a value of whatever octets, so that it has one reading.
    fn text(&mut self, name: &'static str, value: &str) {
        self.value(name, &field_value(value), TEXT_LIMIT);
    }

    /// Adds a value of visible ASCII and spaces.
    fn value(&mut self, name: &'static str, value: &str, limit: usize) {
        if value.len() > limit {
            return self.left_out.push(name);
        }
        for part in [name, ": ", value, "\r\n"] {
            self.rendered.push_str(part);
        }
    }
}

/// What upstreams are told about one client, ready to be written. Made once for each connection, generation and
/// selection, and anew when its assertion has lived for half its time.
#[derive(Clone, Debug, Default)]
pub struct IdentityBlock {
    rendered: String,
    /// From when until when (seconds since 1970) it may be used; `None` is always.
    fresh: Option<(u64, u64)>,
}

impl IdentityBlock {
    /// What is told at `now` (seconds since 1970) about a client.
    pub fn new(
        selection: &IdentitySelection,
        client: &KnownClient<'_>,
        signer: Option<&AssertionSigner>,
        now: u64,
    ) -> Self {
        let mut fields = Collected::default();
        let mut fresh = None;
        for set in &selection.sets {
            match set {
                IdentitySet::XClient => x_client::write(&mut fields, client),
                IdentitySet::XSsl => x_ssl::write(&mut fields, client),
                IdentitySet::Nginx => nginx::write(&mut fields, client),
                IdentitySet::Xfcc => xfcc::write(&mut fields, client, xfcc::Extent::Names),
                IdentitySet::XfccCert => {
                    xfcc::write(&mut fields, client, xfcc::Extent::Certificate)
                }
                IdentitySet::Rfc9440 => rfc9440::write(&mut fields, client),
                IdentitySet::Jwt => {
                    let made = signer
                        .and_then(|signer| signer.assertion(client, &selection.audience, now));
                    if let Some(Assertion { text, renew_at }) = made {
                        fields.value("x-portcullis-assertion", &text, CERTIFICATE_LIMIT);
                        fresh = Some((now, renew_at));
                    }
                }
            }
        }
        if !fields.left_out.is_empty() {
            let names = fields.left_out.join(", ");
            fields.value(LEFT_OUT, &names, TEXT_LIMIT);
        }
        Self {
            rendered: fields.rendered,
            fresh,
        }
    }

    /// What is told about a client of which nothing is known.
    pub fn for_nobody(sets: &[IdentitySet]) -> Self {
        let selection = IdentitySelection {
            sets: sets.to_vec(),
            audience: Arc::default(),
        };
        Self::new(&selection, &KnownClient::default(), None, 0)
    }

    /// Whether it may still be used; `now` is in seconds since 1970 and only asked for where it matters.
    pub fn is_fresh(&self, now: impl FnOnce() -> u64) -> bool {
        self.fresh
            .is_none_or(|(from, until)| (from..until).contains(&now()))
    }

    /// As the lines of an HTTP/1.1 head.
    pub fn rendered(&self) -> &[u8] {
        self.rendered.as_bytes()
    }

    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rendered
            .split("\r\n")
            .filter_map(|line| line.split_once(": "))
    }
}

#[cfg(test)]
mod tests;
