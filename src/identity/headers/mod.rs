//! Identity headers: the supported sets of header fields, and the block that tells an upstream the client's identity.
//! Written from verified facts only. `forward` removes and adds the fields.

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

/// A set of identity headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySet {
    /// `X-Client-CN`, `X-Client-User` and the like.
    XClient,
    /// `X-SSL-Client-Verify` and the like, with the names and formats of HAProxy's documentation.
    XSsl,
    /// `ssl-client-verify` and the like, with the names and formats of nginx and its ingress controller.
    Nginx,
    /// `X-Forwarded-Client-Cert` as Envoy writes it, without the certificate itself.
    Xfcc,
    /// `X-Forwarded-Client-Cert` with the certificate.
    XfccCert,
    /// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
    Rfc9440,
    /// `X-Portcullis-Assertion`, a short signed statement (JWT).
    Jwt,
}

impl IdentitySet {
    /// All sets, by their names in the config.
    pub const ALL: [(&'static str, Self); 7] = [
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

/// The identity headers of one upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySelection {
    /// The sets, in the order in which they are written.
    pub sets: Vec<IdentitySet>,
    /// The audience of assertions (`aud`); empty if none are written.
    pub audience: Arc<str>,
}

/// The field that lists the fields left out because they are too large.
const LEFT_OUT: &str = "x-identity-left-out";

/// Longest text value in bytes. A longer value is left out, since a truncated name is another name.
const TEXT_LIMIT: usize = 4096;
/// Longest value with a certificate, in bytes.
const CERTIFICATE_LIMIT: usize = 12 << 10;
/// Longest value with a chain, in bytes.
const CHAIN_LIMIT: usize = 16 << 10;

/// Writes the fields of a block.
#[derive(Default)]
struct BlockWriter {
    rendered: String,
    left_out: Vec<&'static str>,
}

impl BlockWriter {
    /// Adds a value with any characters, encoded unambiguously.
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

/// The identity headers of one client, rendered. Created once per connection, generation and selection, and again after
/// half the lifetime of its assertion.
#[derive(Clone, Debug, Default)]
pub struct IdentityBlock {
    rendered: String,
    /// Start and end of its validity (seconds since 1970); `None` if unlimited.
    fresh: Option<(u64, u64)>,
}

impl IdentityBlock {
    /// Creates the block of a client at `now` (seconds since 1970).
    pub fn new(
        selection: &IdentitySelection,
        client: &KnownClient<'_>,
        signer: Option<&AssertionSigner>,
        now: u64,
    ) -> Self {
        let mut fields = BlockWriter::default();
        let mut fresh = None;
        for set in &selection.sets {
            match set {
                IdentitySet::XClient => x_client::write(&mut fields, client),
                IdentitySet::XSsl => x_ssl::write(&mut fields, client),
                IdentitySet::Nginx => nginx::write(&mut fields, client),
                IdentitySet::Xfcc => {
                    xfcc::write(&mut fields, client, xfcc::CertificateDetail::Names)
                }
                IdentitySet::XfccCert => {
                    xfcc::write(&mut fields, client, xfcc::CertificateDetail::Certificate)
                }
                IdentitySet::Rfc9440 => rfc9440::write(&mut fields, client),
                IdentitySet::Jwt => {
                    let assertion = signer
                        .and_then(|signer| signer.assertion(client, &selection.audience, now));
                    if let Some(Assertion { text, renew_at }) = assertion {
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

    /// Creates the block of an unknown client.
    pub fn without_user(sets: &[IdentitySet]) -> Self {
        let selection = IdentitySelection {
            sets: sets.to_vec(),
            audience: Arc::default(),
        };
        Self::new(&selection, &KnownClient::default(), None, 0)
    }

    /// Whether the block is still valid. `now` returns seconds since 1970, and is called only if needed.
    pub fn is_fresh(&self, now: impl FnOnce() -> u64) -> bool {
        self.fresh
            .is_none_or(|(from, until)| (from..until).contains(&now()))
    }

    /// The field lines of an HTTP/1.1 head.
    pub fn rendered(&self) -> &[u8] {
        self.rendered.as_bytes()
    }

    /// The names and values of the fields.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rendered
            .split("\r\n")
            .filter_map(|line| line.split_once(": "))
    }
}

#[cfg(test)]
mod tests;
