//! Assertions: short signed statements (JWT, RFC 7519) by which an upstream knows the user without trusting the network,
//! and the set of keys that it verifies them with (RFC 7517). Decides nothing about who the user is.

use super::known_client::KnownClient;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Signs assertions, and says by which keys they can be verified.
#[derive(Debug)]
pub struct AssertionSigner {
    key: AssertionKey,
    issuer: String,
    lifetime: Duration,
    key_set: Arc<str>,
}

/// A key that can sign assertions.
#[derive(Debug)]
pub struct AssertionKey {
    pair: Pair,
    /// The thumbprint of the public key (RFC 7638), which is also its `kid`.
    pub id: String,
    public: Value,
}

#[derive(Debug)]
enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// A key of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is neither of ECDSA P-256 nor of Ed25519")]
pub struct UnsupportedKey;

/// A signed statement about a user.
pub(super) struct Assertion {
    /// In the compact form of RFC 7515.
    pub(super) text: String,
    /// When it has lived for half its time: seconds since 1970.
    pub(super) renew_at: u64,
}

impl AssertionKey {
    /// Reads a private key.
    ///
    /// # Errors
    /// [`UnsupportedKey`]
    pub fn read(key: &PrivateKeyDer<'_>) -> Result<Self, UnsupportedKey> {
        let PrivateKeyDer::Pkcs8(key) = key else {
            return Err(UnsupportedKey);
        };
        let der = key.secret_pkcs8_der();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            // An uncompressed point: 4, x, y.
            let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
            let (x, y) = point.split_at_checked(32).ok_or(UnsupportedKey)?;
            let (x, y) = (encoded(x), encoded(y));
            let id = thumbprint(&format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
            ));
            let public = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": id, "alg": "ES256", "use": "sig"});
            return Ok(Self {
                pair: Pair::Es256(pair),
                id,
                public,
            });
        }
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| UnsupportedKey)?;
        let x = encoded(pair.public_key().as_ref());
        let id = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let public = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "alg": "EdDSA", "use": "sig"});
        Ok(Self {
            pair: Pair::EdDsa(pair),
            id,
            public,
        })
    }

    /// Header, claims and signature. `None` if the library cannot sign.
    fn sign(&self, claims: Map<String, Value>) -> Option<String> {
        let algorithm = match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
        };
        let header = json!({"alg": algorithm, "kid": self.id, "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(Value::Object(claims).to_string().as_bytes())
        );
        let signature = match &self.pair {
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?,
            Pair::EdDsa(pair) => pair.sign(signed.as_bytes()),
        };
        Some(format!("{signed}.{}", encoded(signature.as_ref())))
    }
}

impl AssertionSigner {
    /// The first key signs; all of them are published. `None` without a key.
    pub fn new(keys: Vec<AssertionKey>, issuer: String, lifetime: Duration) -> Option<Self> {
        let public: Vec<_> = keys.iter().map(|key| &key.public).collect();
        let key_set = json!({ "keys": public }).to_string() + "\n";
        let key = keys.into_iter().next()?;
        Some(Self {
            key,
            issuer,
            lifetime,
            key_set: key_set.into(),
        })
    }

    /// The public keys as JSON (RFC 7517).
    pub fn key_set(&self) -> &Arc<str> {
        &self.key_set
    }

    /// A statement of `now` (seconds since 1970) for an upstream. `None` for a client that is no ApiUser.
    pub(super) fn assertion(
        &self,
        client: &KnownClient<'_>,
        audience: &str,
        now: u64,
    ) -> Option<Assertion> {
        let user = client.user?;
        let expires = self.expires(client, now);
        let mut claims = Map::new();
        let mut say = |name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        say("iss", self.issuer.as_str().into());
        say("sub", (*user.name).into());
        say("aud", audience.into());
        say("iat", now.into());
        say("nbf", now.into());
        say("exp", expires.into());
        say("jti", encoded(&crate::tls::random::<16>()).into());
        if let Some(certificate) = &client.certificate {
            say("trust_domain", certificate.domain.into());
            if let Ok(name) = &certificate.peer.common_name {
                say("cn", name.as_str().into());
            }
            if let Some(leaf) = certificate.chain.first() {
                // RFC 8705 section 3.1
                say(
                    "cnf",
                    json!({"x5t#S256": encoded(digest(&SHA256, leaf).as_ref())}),
                );
            }
        }
        let text = self.key.sign(claims)?;
        Some(Assertion {
            text,
            renew_at: now + expires.saturating_sub(now).div_ceil(2),
        })
    }

    /// Not beyond the client's certificate, unless that counts although it has expired.
    fn expires(&self, client: &KnownClient<'_>, now: u64) -> u64 {
        let expires = now.saturating_add(self.lifetime.as_secs());
        let certificate = client
            .certificate
            .as_ref()
            .and_then(|shown| u64::try_from(shown.peer.not_after).ok());
        certificate
            .filter(|ends| *ends > now)
            .map_or(expires, |ends| expires.min(ends))
    }
}

/// Base64url without padding (RFC 7515 section 2).
fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// RFC 7638: of the required members alone, in the order of their names, without spaces.
fn thumbprint(members: &str) -> String {
    encoded(digest(&SHA256, members.as_bytes()).as_ref())
}

#[cfg(test)]
pub(super) mod tests;
