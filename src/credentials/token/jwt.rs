//! A JWT in compact form (RFC 7519), taken apart strictly. Verifies no signature.

use super::json::strict_object;
use super::{Algorithm, TokenError};
use crate::tls::hexadecimal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// A token in parts. What it claims counts only once its signature is verified.
pub(super) struct Jwt<'t> {
    /// What is signed.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    /// Which key, if it says so.
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
}

impl<'t> Jwt<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // Dots are not in the alphabet, so a fourth part is malformed.
        let decoded = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| TokenError::Malformed)
        };
        let object = |part| strict_object(&decoded(part)?).ok_or(TokenError::Malformed);
        let (header, claims, signature) = (object(header)?, object(claims)?, decoded(signature)?);
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::Malformed),
        };
        // RFC 9068 says `at+jwt`; most issuers say `JWT`, or nothing.
        let kinds = ["JWT", "at+jwt", "application/at+jwt"];
        if text("typ")?
            .is_some_and(|kind| !kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)))
        {
            return Err(TokenError::Type);
        }
        let algorithm = Algorithm::named(text("alg")?.ok_or(TokenError::Malformed)?)
            .ok_or(TokenError::Algorithm)?;
        let key_id = text("kid")?.map(str::to_owned);
        Ok(Self {
            signed,
            signature,
            algorithm,
            key_id,
            claims,
        })
    }

    /// A claim that is a text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a time, in whole seconds since 1970. `Err` if it is something else.
    pub(super) fn time(&self, claim: &str) -> Result<Option<u64>, TokenError> {
        let Some(value) = self.claims.get(claim) else {
            return Ok(None);
        };
        let whole = value.as_u64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked"
        )]
        let fraction = || {
            value
                .as_f64()
                .filter(|time| (0.0..1e12).contains(time))
                .map(|time| time as u64)
        };
        whole
            .or_else(fraction)
            .map(Some)
            .ok_or(TokenError::Malformed)
    }

    /// Whether it is meant for one of these (RFC 7519 section 4.1.3).
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        let known = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| audiences.iter().any(|known| known == text))
        };
        match self.claims.get("aud") {
            Some(Value::Array(several)) => {
                several.iter().all(Value::is_string) && several.iter().any(known)
            }
            Some(one) => known(one),
            None => false,
        }
    }

    /// The SHA-256 of the certificate that it is bound to, in lower-case hex (RFC 8705 section 3.1).
    pub(super) fn certificate(&self) -> Result<String, TokenError> {
        let bound = self
            .claims
            .get("cnf")
            .and_then(|confirmation| confirmation.get("x5t#S256")?.as_str());
        let octets = URL_SAFE_NO_PAD
            .decode(bound.ok_or(TokenError::Unbound)?)
            .map_err(|_| TokenError::Malformed)?;
        if octets.len() != 32 {
            return Err(TokenError::Malformed);
        }
        Ok(hexadecimal(&octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &str, claims: &str) -> Result<Algorithm, TokenError> {
        let token = format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        Jwt::read(&token).map(|jwt| jwt.algorithm)
    }

    #[test]
    fn only_plain_tokens_with_a_public_key_algorithm_are_read() {
        assert_eq!(read(r#"{"alg":"ES256"}"#, "{}"), Ok(Algorithm::Es256));
        assert_eq!(
            read(r#"{"alg":"EdDSA","typ":"at+JWT","kid":"a"}"#, "{}"),
            Ok(Algorithm::EdDsa)
        );
        for (header, error) in [
            (r#"{"alg":"none"}"#, TokenError::Algorithm),
            (r#"{"alg":"None"}"#, TokenError::Algorithm),
            (r#"{"alg":"HS256"}"#, TokenError::Algorithm),
            (r#"{"alg":"ES256","crit":["exp"]}"#, TokenError::Critical),
            (r#"{"alg":"ES256","crit":[]}"#, TokenError::Critical),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, TokenError::Type),
            (r#"{"alg":"ES256","alg":"ES256"}"#, TokenError::Malformed),
            (r#"{"alg":["ES256"]}"#, TokenError::Malformed),
            (r#"{"alg":"ES256","kid":1}"#, TokenError::Malformed),
            (r#"{}"#, TokenError::Malformed),
        ] {
            assert_eq!(read(header, "{}"), Err(error), "{header}");
        }
        assert_eq!(
            read(r#"{"alg":"ES256"}"#, r#"{"exp":1,"exp":2}"#),
            Err(TokenError::Malformed)
        );
    }

    #[test]
    fn times_are_whole_or_broken_numbers_and_nothing_else() {
        let claims = r#"{"a":5,"b":5.9,"c":"5","d":-1,"e":1e300}"#;
        let token = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let jwt = Jwt::read(&token).unwrap();
        let (good, bad) = (
            |name| jwt.time(name).unwrap(),
            |name| jwt.time(name).is_err(),
        );
        assert_eq!(
            (good("a"), good("b"), good("none")),
            (Some(5), Some(5), None)
        );
        assert!(bad("c") && bad("d") && bad("e"));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(token in "[A-Za-z0-9_.-]{0,60}") {
            let _ = Jwt::read(&token);
        }
    }
}
