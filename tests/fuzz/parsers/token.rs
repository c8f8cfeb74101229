//! Tokens that are bound to a client certificate.

use super::Reading;
use super::authority::Authority;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::credentials::{
    Algorithm, IssuerSettings, KeySet, KeySource, TokenIssuer, TokenIssuers,
};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "portcullis";
/// The moment of all checks, in seconds since 1970.
const NOW: u64 = 1_700_000_000;

/// Header and claims, separated by a line feed, signed by the issuer. A token that is accepted says, when another parser of JSON
/// reads it, who its user is, for which audience, until when, and to which certificate it is bound.
pub fn jwt(bytes: &[u8]) -> Reading {
    let issuers = issuers();
    let fingerprint = "00".repeat(32);
    if let Ok(token) = std::str::from_utf8(bytes) {
        assert!(
            issuers.check(token, Some(&fingerprint), NOW).is_err(),
            "no signature"
        );
    }
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let header = parts.next().unwrap_or_default();
    let claims = parts.next().unwrap_or_default();
    let token = signed(header, claims);
    let checked = issuers.check(&token, Some(&fingerprint), NOW);
    assert_eq!(
        checked,
        issuers.check(&token, Some(&fingerprint), NOW),
        "the same again"
    );
    let Ok(proof) = checked else {
        return Reading::Rejected;
    };
    let header: Value = serde_json::from_slice(header).expect("JSON");
    let claims: Value = serde_json::from_slice(claims).expect("JSON");
    assert_eq!(header["alg"], "EdDSA");
    assert!(header.get("crit").is_none());
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], *proof.subject);
    assert!(!proof.subject.is_empty());
    let audience = &claims["aud"];
    assert!(
        audience == AUDIENCE
            || audience
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == AUDIENCE))
    );
    assert!(claims["exp"].as_f64().expect("a time") > NOW as f64);
    assert_eq!(claims["cnf"]["x5t#S256"], URL_SAFE_NO_PAD.encode([0; 32]));
    let elsewhere = "11".repeat(32);
    assert!(issuers.check(&token, Some(&elsewhere), NOW).is_err());
    assert!(issuers.check(&token, None, NOW).is_err());
    assert!(
        issuers
            .check(&token, Some(&fingerprint), proof.until + 1)
            .is_err()
    );
    Reading::Accepted
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = Authority::shared().sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn issuers() -> &'static TokenIssuers {
    static ISSUERS: OnceLock<TokenIssuers> = OnceLock::new();
    ISSUERS.get_or_init(|| {
        let point = URL_SAFE_NO_PAD.encode(Authority::shared().public_key());
        let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{point}"}}]}}"#);
        let keys = KeySet::read(keys.as_bytes()).expect("a key");
        let settings = IssuerSettings {
            name: "fuzz".into(),
            issuer: ISSUER.to_owned(),
            audiences: vec![AUDIENCE.to_owned()],
            algorithms: Algorithm::USUAL.to_vec(),
            user_claim: "sub".to_owned(),
            leeway: Duration::ZERO,
        };
        let issuer = TokenIssuer::new(settings, KeySource::File(Arc::new(keys)));
        let mut issuers = TokenIssuers::default();
        issuers.add(issuer).expect("the only issuer");
        issuers
    })
}
