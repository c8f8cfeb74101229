//! A JWK set (RFC 7517): the public keys of an issuer. Selects a key and verifies a signature.

use super::json::strict_object;
use super::{Algorithm, TokenError};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Maximum number of keys in a set. An issuer usually has two or three.
const MAX_KEYS: usize = 64;

/// The SHA-256 of a public key, which identifies it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

/// The keys of an issuer.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Debug)]
struct PublicKey {
    digest: KeyDigest,
    id: Option<String>,
    /// The only algorithm of the key, if it names one.
    algorithm: Option<Algorithm>,
    material: KeyMaterial,
}

#[derive(Debug)]
enum KeyMaterial {
    /// A point on P-256 or P-384, or an Ed25519 key, for exactly this algorithm.
    Plain(Algorithm, Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

/// The reason why a text is not an accepted key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON, a repeated name, or no `keys`.
    #[error("it is no JWK set: not JSON with a list `keys`, or a name in it stands twice")]
    Malformed,
    /// The set contains a private or secret key, with which any reader of the set could sign tokens.
    #[error("it holds a private or secret key")]
    PrivateKey,
    /// The set contains no key for verification.
    #[error("it holds no key for signatures: P-256, P-384, Ed25519, or RSA with 2048 to 8192 bits")]
    NoKey,
    /// The set contains more keys than the maximum.
    #[error("it holds more than 64 keys")]
    TooMany,
}

impl KeySet {
    /// Parses a set. Keys for other purposes and of unknown kinds are ignored.
    ///
    /// # Errors
    /// [`KeySetError`]
    pub fn read(text: &[u8]) -> Result<Self, KeySetError> {
        let set = strict_object(text).ok_or(KeySetError::Malformed)?;
        let listed = set
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeySetError::Malformed)?;
        if listed.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut keys = Vec::new();
        for key in listed {
            let key = key.as_object().ok_or(KeySetError::Malformed)?;
            if key.contains_key("d") || key.contains_key("k") {
                return Err(KeySetError::PrivateKey);
            }
            keys.extend(PublicKey::read(key));
        }
        if keys.is_empty() {
            Err(KeySetError::NoKey)
        } else {
            Ok(Self { keys })
        }
    }

    /// Verifies a signature with the only key that matches algorithm and id, and returns the digest of that key.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &str,
        signature: &[u8],
    ) -> Result<KeyDigest, TokenError> {
        let mut matching = self
            .keys
            .iter()
            .filter(|key| key.supports(algorithm) && (id.is_none() || key.id.as_deref() == id));
        let (Some(key), None) = (matching.next(), matching.next()) else {
            return Err(TokenError::UnknownKey);
        };
        key.verify(algorithm, signed.as_bytes(), signature)
            .map(|()| key.digest)
    }

    /// The first key.
    #[cfg(test)]
    pub(super) fn any(&self) -> Option<KeyDigest> {
        self.keys.first().map(|key| key.digest)
    }

    /// Whether the set contains a key.
    pub fn has(&self, digest: &KeyDigest) -> bool {
        self.keys.iter().any(|key| key.digest == *digest)
    }
}

impl PublicKey {
    /// Parses a key for signatures. `None` for all others.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations
            .is_some_and(|operations| !operations.iter().any(|operation| operation == "verify"))
        {
            return None;
        }
        let material = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => {
                KeyMaterial::Plain(Algorithm::Es256, point(bytes("x")?, &bytes("y")?, 32)?)
            }
            ("EC", Some("P-384")) => {
                KeyMaterial::Plain(Algorithm::Es384, point(bytes("x")?, &bytes("y")?, 48)?)
            }
            ("OKP", Some("Ed25519")) => {
                KeyMaterial::Plain(Algorithm::EdDsa, bytes("x").filter(|key| key.len() == 32)?)
            }
            ("RSA", _) => {
                let modulus = bytes("n").filter(|modulus| (256..=1024).contains(&modulus.len()))?;
                let exponent = bytes("e").filter(|exponent| (1..=8).contains(&exponent.len()))?;
                KeyMaterial::Rsa { modulus, exponent }
            }
            _ => return None,
        };
        let algorithm = match text("alg") {
            None => None,
            // A key for an unsupported algorithm is ignored.
            Some(name) => Some(Algorithm::named(name)?),
        };
        let id = text("kid").map(str::to_owned);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &material.bytes()).as_ref());
        Some(Self {
            digest: KeyDigest(hash),
            id,
            algorithm,
            material,
        })
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        let kind_matches = match &self.material {
            KeyMaterial::Plain(only, _) => *only == algorithm,
            KeyMaterial::Rsa { .. } => algorithm.of_rsa_keys().is_some(),
        };
        kind_matches && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let result = match &self.material {
            KeyMaterial::Plain(_, key) => {
                let algorithm = algorithm.of_plain_keys().ok_or(TokenError::UnknownKey)?;
                UnparsedPublicKey::new(algorithm, key).verify(signed, signature)
            }
            KeyMaterial::Rsa { modulus, exponent } => {
                let parameters = algorithm.of_rsa_keys().ok_or(TokenError::UnknownKey)?;
                RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(parameters, signed, signature)
            }
        };
        result.map_err(|_| TokenError::Signature)
    }
}

impl KeyMaterial {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(_, key) => key.clone(),
            Self::Rsa { modulus, exponent } => [modulus.as_slice(), exponent].concat(),
        }
    }
}

/// An uncompressed point (SEC 1 section 2.3.3).
fn point(x: Vec<u8>, y: &[u8], length: usize) -> Option<Vec<u8>> {
    (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7515 appendix A.3, and what it has signed there.
    const KEY: &str = r#"{"kty":"EC","crv":"P-256","kid":"a",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
        cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn set(keys: &str) -> Result<KeySet, KeySetError> {
        KeySet::read(format!("{{\"keys\":[{keys}]}}").as_bytes())
    }

    fn verify(
        set: &KeySet,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &str,
    ) -> Result<(), TokenError> {
        let signature = URL_SAFE_NO_PAD.decode(SIGNATURE).unwrap();
        set.verify(algorithm, id, signed, &signature).map(drop)
    }

    #[test]
    fn the_example_of_the_standard_verifies_and_nothing_near_it() {
        let keys = set(KEY).unwrap();
        assert_eq!(verify(&keys, Algorithm::Es256, None, SIGNED), Ok(()));
        assert_eq!(verify(&keys, Algorithm::Es256, Some("a"), SIGNED), Ok(()));
        assert_eq!(
            verify(&keys, Algorithm::Es256, Some("b"), SIGNED),
            Err(TokenError::UnknownKey)
        );
        assert_eq!(
            verify(&keys, Algorithm::EdDsa, None, SIGNED),
            Err(TokenError::UnknownKey)
        );
        assert_eq!(
            verify(
                &keys,
                Algorithm::Es256,
                None,
                &SIGNED.replace("eyJp", "eyJq")
            ),
            Err(TokenError::Signature)
        );
        let two = set(&format!("{KEY},{}", KEY.replace("\"a\"", "\"b\""))).unwrap();
        assert_eq!(
            verify(&two, Algorithm::Es256, None, SIGNED),
            Err(TokenError::UnknownKey),
            "which of them?"
        );
        assert_eq!(verify(&two, Algorithm::Es256, Some("b"), SIGNED), Ok(()));
    }

    #[test]
    fn keys_that_cannot_verify_are_left_out_and_secret_ones_rejected() {
        assert_eq!(set("").unwrap_err(), KeySetError::NoKey);
        let other = |from: &str, to: &str| set(&KEY.replace(from, to)).err();
        assert_eq!(
            other("\"kid\":\"a\"", "\"use\":\"enc\""),
            Some(KeySetError::NoKey)
        );
        assert_eq!(
            other("\"kid\":\"a\"", "\"key_ops\":[\"encrypt\"]"),
            Some(KeySetError::NoKey)
        );
        assert_eq!(
            other("\"kid\":\"a\"", "\"alg\":\"HS256\""),
            Some(KeySetError::NoKey)
        );
        assert_eq!(other("\"kid\":\"a\"", "\"alg\":\"ES256\""), None);
        assert_eq!(other("P-256", "P-521"), Some(KeySetError::NoKey));
        assert_eq!(
            other("\"kid\":\"a\"", "\"d\":\"AAAA\""),
            Some(KeySetError::PrivateKey)
        );
        assert_eq!(
            set(r#"{"kty":"oct","k":"AAAA"}"#).err(),
            Some(KeySetError::PrivateKey)
        );
        assert_eq!(KeySet::read(b"{}").err(), Some(KeySetError::Malformed));
        assert_eq!(KeySet::read(b"<html>").err(), Some(KeySetError::Malformed));
    }
}
