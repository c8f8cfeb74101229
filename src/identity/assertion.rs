//! Assertions: short-lived signed statements (JWT, RFC 7519) that tell an upstream the user, and the key set to verify them
//! (RFC 7517). Identifies no user itself.

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

/// Signs assertions, and publishes the keys to verify them.
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
    pair: SigningKeyPair,
    /// The thumbprint of the public key (RFC 7638), which is also its `kid`.
    pub id: String,
    public: Value,
}

#[derive(Debug)]
enum SigningKeyPair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// The key has an unsupported kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is neither of ECDSA P-256 nor of Ed25519")]
pub struct UnsupportedKey;

/// A signed statement about a user.
pub(super) struct Assertion {
    /// The compact form of RFC 7515.
    pub(super) text: String,
    /// The end of half its lifetime, in seconds since 1970.
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
            let x = encoded(x);
            let y = encoded(y);
            let id = thumbprint(&format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
            ));
            let public = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": id, "alg": "ES256", "use": "sig"});
            return Ok(Self {
                pair: SigningKeyPair::Es256(pair),
                id,
                public,
            });
        }
        let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| UnsupportedKey)?;
        let x = encoded(pair.public_key().as_ref());
        let id = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        let public = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "alg": "EdDSA", "use": "sig"});
        Ok(Self {
            pair: SigningKeyPair::EdDsa(pair),
            id,
            public,
        })
    }

    /// Signs claims; returns header, claims and signature. `None` if the library cannot sign.
    fn sign(&self, claims: Map<String, Value>) -> Option<String> {
        let algorithm = match self.pair {
            SigningKeyPair::Es256(_) => "ES256",
            SigningKeyPair::EdDsa(_) => "EdDSA",
        };
        let header = json!({"alg": algorithm, "kid": self.id, "typ": "JWT"});
        let signed = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(Value::Object(claims).to_string().as_bytes())
        );
        let signature = match &self.pair {
            SigningKeyPair::Es256(pair) => {
                pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?
            }
            SigningKeyPair::EdDsa(pair) => pair.sign(signed.as_bytes()),
        };
        Some(format!("{signed}.{}", encoded(signature.as_ref())))
    }
}

impl AssertionSigner {
    /// Creates a signer. The first key signs; all keys are published. `None` without a key.
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

    /// An assertion at `now` (seconds since 1970) for an upstream. `None` if the client is not an ApiUser.
    pub(super) fn assertion(
        &self,
        client: &KnownClient<'_>,
        audience: &str,
        now: u64,
    ) -> Option<Assertion> {
        let user = client.user?;
        let expires = self.expires(client, now);
        let mut claims = Map::new();
        let mut add = |name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        add("iss", self.issuer.as_str().into());
        add("sub", (*user.name).into());
        add("aud", audience.into());
        add("iat", now.into());
        add("nbf", now.into());
        add("exp", expires.into());
        add("jti", encoded(&crate::tls::random::<16>()).into());
        if let Some(certificate) = &client.certificate {
            add("trust_domain", certificate.domain.into());
            if let Ok(name) = &certificate.peer.common_name {
                add("cn", name.as_str().into());
            }
            if let Some(leaf) = certificate.chain.first() {
                // RFC 8705 section 3.1
                add(
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

    /// The expiry time of an assertion: not after the client's certificate expires, unless an expired certificate is
    /// tolerated.
    fn expires(&self, client: &KnownClient<'_>, now: u64) -> u64 {
        let expires = now.saturating_add(self.lifetime.as_secs());
        let certificate = client
            .certificate
            .as_ref()
            .and_then(|certificate| u64::try_from(certificate.peer.not_after).ok());
        certificate
            .filter(|ends| *ends > now)
            .map_or(expires, |ends| expires.min(ends))
    }
}

/// Base64url without padding (RFC 7515 section 2).
fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The thumbprint of a key (RFC 7638). `members` has only the required members, in the order of their names, without
/// spaces.
fn thumbprint(members: &str) -> String {
    encoded(digest(&SHA256, members.as_bytes()).as_ref())
}

#[cfg(test)]
pub(super) mod tests;
