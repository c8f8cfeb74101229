//! Assertions verify with the published keys, and say what is known, for as long as it holds.

use super::*;
use crate::identity::VerifiedCertificate;
use crate::identity::tests::{alice, certificate, read};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use rcgen::{
    KeyPair as TestKey, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    SignatureAlgorithm,
};
use rustls::pki_types::{PrivatePkcs8KeyDer, PrivateSec1KeyDer};

pub(in crate::identity) fn key(kind: &'static SignatureAlgorithm) -> AssertionKey {
    let der = TestKey::generate_for(kind).unwrap().serialize_der();
    AssertionKey::read(&PrivatePkcs8KeyDer::from(der).into()).unwrap()
}

pub(in crate::identity) fn signer(keys: Vec<AssertionKey>) -> AssertionSigner {
    AssertionSigner::new(
        keys,
        "https://gateway.example".to_owned(),
        Duration::from_secs(60),
    )
    .unwrap()
}

/// Header and claims, if one of the published keys verifies them.
fn verified(text: &str, key_set: &str) -> Option<(Value, Value)> {
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
    let (signed, signature) = text.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = json(header);
    let keys: Value = serde_json::from_str(key_set).unwrap();
    let key = keys["keys"]
        .as_array()?
        .iter()
        .find(|key| key["kid"] == header["kid"])?;
    assert_eq!(key["alg"], header["alg"]);
    let part = |name: &str| decoded(key[name].as_str().unwrap());
    let outcome = match header["alg"].as_str()? {
        "ES256" => {
            let point = [&[4], part("x").as_slice(), &part("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed.as_bytes(), &decoded(signature))
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, part("x"))
            .verify(signed.as_bytes(), &decoded(signature)),
        other => panic!("{other}"),
    };
    outcome.ok().map(|()| (header, json(claims)))
}

#[test]
fn both_kinds_of_key_sign_what_their_public_halves_verify() {
    let der = certificate("alice cn", |_| {});
    let (peer, user) = (read(&der), alice());
    let chain = [der];
    let certificate = Some(VerifiedCertificate {
        peer: &peer,
        domain: "internal",
        chain: &chain,
    });
    let known = KnownClient {
        certificate,
        user: Some(&user),
        ..KnownClient::default()
    };
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
        let signer = signer(vec![key(kind)]);
        let assertion = signer.assertion(&known, "api", 1_000_000).unwrap();
        assert_eq!(assertion.renew_at, 1_000_030);
        let (header, claims) = verified(&assertion.text, signer.key_set()).unwrap();
        assert_eq!(header["typ"], "JWT");
        let digest = encoded(digest(&SHA256, &chain[0]).as_ref());
        for (name, expected) in [
            ("iss", json!("https://gateway.example")),
            ("sub", json!("alice")),
            ("aud", json!("api")),
            ("iat", json!(1_000_000)),
            ("nbf", json!(1_000_000)),
            ("exp", json!(1_000_060)),
            ("trust_domain", json!("internal")),
            ("cn", json!("alice cn")),
            ("cnf", json!({"x5t#S256": digest})),
        ] {
            assert_eq!(claims[name], expected, "{name}");
        }
        let again = signer.assertion(&known, "api", 1_000_000).unwrap();
        let (_, again) = verified(&again.text, signer.key_set()).unwrap();
        assert_ne!(claims["jti"], again["jti"]);
        let forged = assertion.text.replace('.', "e.");
        assert!(
            std::panic::catch_unwind(|| verified(&forged, signer.key_set()))
                .map_or(true, |found| found.is_none())
        );
        let stranger = self::signer(vec![key(kind)]);
        assert!(verified(&assertion.text, stranger.key_set()).is_none());
    }
}

#[test]
fn the_first_key_signs_and_all_are_published() {
    let (old, new) = (key(&PKCS_ED25519), key(&PKCS_ECDSA_P256_SHA256));
    let ids = [new.id.clone(), old.id.clone()];
    let user = alice();
    let known = KnownClient {
        user: Some(&user),
        ..KnownClient::default()
    };
    let signer = signer(vec![new, old]);
    let (header, claims) = verified(
        &signer.assertion(&known, "x", 5).unwrap().text,
        signer.key_set(),
    )
    .unwrap();
    assert_eq!(header["kid"], ids[0]);
    assert_eq!(
        claims["cnf"],
        Value::Null,
        "no claim about a certificate without one"
    );
    let published: Value = serde_json::from_str(signer.key_set()).unwrap();
    let published: Vec<_> = published["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].clone())
        .collect();
    assert_eq!(published, ids);
    assert!(!signer.key_set().contains("\"d\""), "no private part");
}

#[test]
fn only_users_are_asserted_and_not_beyond_their_certificates() {
    let signer = signer(vec![key(&PKCS_ED25519)]);
    let der = certificate("alice", |params| {
        params.not_after = time::OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
    });
    let (peer, user) = (read(&der), alice());
    let certificate = Some(VerifiedCertificate {
        peer: &peer,
        domain: "internal",
        chain: &[],
    });
    assert!(
        signer
            .assertion(
                &KnownClient {
                    certificate,
                    ..KnownClient::default()
                },
                "api",
                0
            )
            .is_none()
    );
    let known = KnownClient {
        certificate,
        user: Some(&user),
        ..KnownClient::default()
    };
    for (now, expires, renew_at) in [
        (1_899_999_000, 1_899_999_060u64, 1_899_999_030),
        (1_899_999_990, 1_900_000_000, 1_899_999_995),
        (1_899_999_999, 1_900_000_000, 1_900_000_000),
        // The certificate has expired, but the expiry is tolerated.
        (1_900_000_010, 1_900_000_070, 1_900_000_040),
    ] {
        let assertion = signer.assertion(&known, "api", now).unwrap();
        assert_eq!(
            verified(&assertion.text, signer.key_set()).unwrap().1["exp"],
            expires
        );
        assert_eq!(assertion.renew_at, renew_at);
    }
}

#[test]
fn other_keys_are_rejected() {
    let read = |der: PrivateKeyDer<'_>| AssertionKey::read(&der).map(|key| key.id);
    let other = TestKey::generate_for(&PKCS_ECDSA_P384_SHA384)
        .unwrap()
        .serialize_der();
    assert_eq!(
        read(PrivatePkcs8KeyDer::from(other).into()),
        Err(UnsupportedKey)
    );
    assert_eq!(
        read(PrivateSec1KeyDer::from(vec![1, 2, 3]).into()),
        Err(UnsupportedKey)
    );
    assert_eq!(
        read(PrivatePkcs8KeyDer::from(vec![0x30, 0]).into()),
        Err(UnsupportedKey)
    );
}

/// RFC 8037 appendix A.
#[test]
fn keys_are_named_by_their_thumbprint() {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let beginning = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let key = AssertionKey::read(
        &PrivatePkcs8KeyDer::from([&beginning, seed.as_slice()].concat()).into(),
    )
    .unwrap();
    assert_eq!(
        key.public["x"],
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    assert_eq!(key.id, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}
