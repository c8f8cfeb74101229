//! Parses a JWT in compact form (RFC 7519) strictly. Verifies no signature.

use super::json::strict_object;
use super::{Algorithm, TokenError};
use crate::tls::hexadecimal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The parts of a token. Its claims are untrusted until the signature is verified.
pub(super) struct Jwt<'t> {
    /// The signed text: header and claims.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    /// The key id, if present.
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
}

impl<'t> Jwt<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // The alphabet has no dot, so a fourth part is malformed.
        let decoded = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| TokenError::Malformed)
        };
        let object = |part| strict_object(&decoded(part)?).ok_or(TokenError::Malformed);
        let header = object(header)?;
        let claims = object(claims)?;
        let signature = decoded(signature)?;
        if header.contains_key("crit") {
            return Err(TokenError::Critical);
        }
        let text = |name: &str| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::Malformed),
        };
        // RFC 9068 specifies `at+jwt`. Most issuers write `JWT`, or omit the type.
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

    /// A string claim.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A time claim in whole seconds since 1970.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] if the claim is not a time.
    pub(super) fn time(&self, claim: &str) -> Result<Option<u64>, TokenError> {
        let Some(value) = self.claims.get(claim) else {
            return Ok(None);
        };
        let integer = value.as_u64();
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
        integer
            .or_else(fraction)
            .map(Some)
            .ok_or(TokenError::Malformed)
    }

    /// Whether the audience contains one of these (RFC 7519 section 4.1.3).
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

    /// The SHA-256 of the certificate that the token is bound to, in lower-case hex (RFC 8705 section 3.1).
    pub(super) fn certificate(&self) -> Result<String, TokenError> {
        let bound = self
            .claims
            .get("cnf")
            .and_then(|confirmation| confirmation.get("x5t#S256")?.as_str());
        let bytes = URL_SAFE_NO_PAD
            .decode(bound.ok_or(TokenError::Unbound)?)
            .map_err(|_| TokenError::Malformed)?;
        if bytes.len() != 32 {
            return Err(TokenError::Malformed);
        }
        Ok(hexadecimal(&bytes))
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
