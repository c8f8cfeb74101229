//! Signed assertions: what they say, who verifies them, and how keys change.

use super::told;
use crate::support::client::{BOTH, Connection, get};
use crate::support::gateway::{listener, listener_with, user};
use crate::support::{Client, Gateway, Pki, Upstream, eventually, require_program, run};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::Value;

/// A key in a file of this name.
fn write_key(pki: &Pki, name: &str, kind: &'static rcgen::SignatureAlgorithm) {
    std::fs::write(
        pki.path(name),
        KeyPair::generate_for(kind).unwrap().serialize_pem(),
    )
    .unwrap();
}

fn jwt(pki: &Pki, keys: &[&str], lines: &str) -> String {
    let keys: Vec<_> = keys.iter().map(|key| pki.path(key)).collect();
    format!("[identity_headers.jwt]\nkeys = {keys:?}\n{lines}\n")
}

/// Header and claims, if one of these keys verifies them.
fn verified(assertion: &str, key_set: &str) -> Option<(Value, Value)> {
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let (header, keys): (Value, Value) = (json(header), serde_json::from_str(key_set).unwrap());
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == header["kid"])?;
    let part = |name: &str| decoded(key[name].as_str().unwrap());
    let outcome = match header["alg"].as_str().unwrap() {
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

fn assertion(connection: &mut Connection<'_>, upstream: &Upstream, path: &str) -> String {
    assert_eq!(connection.send(get(path)).unwrap().status, 200);
    let up = upstream.recorded().pop().unwrap();
    let [one] = up
        .values("x-portcullis-assertion")
        .try_into()
        .expect("one assertion");
    one.to_owned()
}

fn key_set(gateway: &Gateway) -> String {
    let (status, body) = gateway.admin("/.well-known/jwks.json");
    assert_eq!(status, 200, "{body}");
    body
}

#[test]
fn an_upstream_can_verify_the_user() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    write_key(&pki, "ec.key", &PKCS_ECDSA_P256_SHA256);
    let config = listener(&pki)
        + &user("alice", &["*"])
        + "[identity_headers]\nsets = [\"jwt\"]\n"
        + &jwt(&pki, &["ec.key"], "issuer = \"https://gateway.example\"")
        + &told("one", &upstream, "")
        + &told("two", &upstream, "jwt_audience = \"https://two.example\"")
        + &told("three", &upstream, "identity_headers = [\"x-client\"]");
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let mut connection = client.connect(version).unwrap();
        for (path, audience) in [("/one", "one"), ("/two", "https://two.example")] {
            let first = assertion(&mut connection, &upstream, path);
            let (header, claims) = verified(&first, &key_set(&gateway)).expect("a good signature");
            assert_eq!(
                (&header["alg"], &header["typ"]),
                (&"ES256".into(), &"JWT".into())
            );
            assert_eq!(
                (&claims["sub"], &claims["aud"]),
                (&"alice".into(), &audience.into())
            );
            assert_eq!(claims["iss"], "https://gateway.example");
            assert_eq!(
                claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
                60
            );
            let again = assertion(&mut connection, &upstream, path);
            assert_eq!(
                first, again,
                "made once for a connection, not for a request"
            );
            let other = assertion(&mut client.connect(version).unwrap(), &upstream, path);
            assert_ne!(first, other);
        }
        assert_eq!(connection.send(get("/three")).unwrap().status, 200);
        assert_eq!(
            upstream
                .recorded()
                .pop()
                .unwrap()
                .values("x-portcullis-assertion"),
            [""; 0]
        );
    }
}

#[test]
fn an_assertion_is_made_anew_before_it_ends() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    write_key(&pki, "ed.key", &PKCS_ED25519);
    let config = listener_with(&pki, "")
        + &user("alice", &["*"])
        + &jwt(&pki, &["ed.key"], "lifetime = \"2s\"")
        + &told("api", &upstream, "identity_headers = \"jwt\"");
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let mut connection = client.connect(version).unwrap();
        let first = assertion(&mut connection, &upstream, "/api");
        let second = eventually("a new assertion", || {
            Some(assertion(&mut connection, &upstream, "/api")).filter(|now| *now != first)
        });
        let claims = [first, second].map(|text| verified(&text, &key_set(&gateway)).unwrap().1);
        assert!(
            claims[0]["iat"].as_u64() < claims[1]["iat"].as_u64(),
            "{claims:?}"
        );
    }
}

#[test]
fn keys_can_be_changed_while_old_assertions_still_count() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    write_key(&pki, "old.key", &PKCS_ED25519);
    write_key(&pki, "new.key", &PKCS_ECDSA_P256_SHA256);
    let config = |keys: &[&str]| {
        listener_with(&pki, "")
            + &user("alice", &["*"])
            + &jwt(&pki, keys, "")
            + &told("api", &upstream, "identity_headers = \"jwt\"")
    };
    let gateway = Gateway::start(&config(&["old.key"]));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut connection = client
        .connect(crate::support::client::Version::Http1)
        .unwrap();
    let before = assertion(&mut connection, &upstream, "/api");
    gateway.reload_with(&config(&["new.key", "old.key"]));
    let after = assertion(&mut connection, &upstream, "/api");
    let published = key_set(&gateway);
    let ids = [&before, &after]
        .map(|text| verified(text, &published).expect("both verify").0["kid"].clone());
    assert_ne!(ids[0], ids[1], "the first key signs");
    gateway.reload_with(&config(&["new.key"]));
    let published = key_set(&gateway);
    assert!(
        verified(&before, &published).is_none(),
        "the old key is gone"
    );
    assert!(verified(&after, &published).is_some());
}

#[test]
fn keys_are_published_where_a_route_says_so() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    write_key(&pki, "ed.key", &PKCS_ED25519);
    let config = listener_with(&pki, "client_auth = \"optional\"\n")
        + &user("alice", &["GET /api"])
        + &jwt(&pki, &["ed.key"], "")
        + &told("api", &upstream, "identity_headers = \"jwt\"")
        + "[[route]]\npath = \"/.well-known/jwks.json\"\nrespond = \"jwks\"\nclient_auth = \"off\"\n\
           [[route]]\npath = \"/closed\"\nrespond = \"jwks\"\n";
    let gateway = Gateway::start(&config);
    let known = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let nobody = Client::new(&pki, None, gateway.address());
    for version in BOTH {
        for (client, path, status) in [
            (&nobody, "/.well-known/jwks.json", 200),
            (&known, "/closed", 200),
            (&nobody, "/closed", 401),
            (&nobody, "/.well-known/jwks.json/x", 401),
        ] {
            let answer = client.send(version, get(path)).unwrap();
            assert_eq!(answer.status, status, "{path}");
            if status == 200 {
                assert_eq!(answer.body, key_set(&gateway));
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/jwk-set+json")
                );
            }
        }
        let post = crate::support::client::request("POST", "/.well-known/jwks.json", "");
        assert_eq!(nobody.send(version, post).unwrap().status, 405);
    }
    assert!(!key_set(&gateway).contains("\"d\""), "nothing private");
}

#[test]
fn no_assertion_is_made_without_a_user() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    write_key(&pki, "ed.key", &PKCS_ED25519);
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &["*"])
        + &jwt(&pki, &["ed.key"], "")
        + &(told("api", &upstream, "identity_headers = \"jwt\"") + "client_auth = \"optional\"\n");
    let gateway = Gateway::start(&config);
    for version in BOTH {
        for (identity, count) in [
            (None, 0),
            (Some(pki.client("mallory")), 0),
            (Some(pki.client("alice")), 1),
        ] {
            let client = Client::new(&pki, identity.as_ref(), gateway.address());
            assert_eq!(client.send(version, get("/api")).unwrap().status, 200);
            let up = upstream.recorded().pop().unwrap();
            assert_eq!(up.values("x-portcullis-assertion").len(), count);
        }
    }
}

#[test]
fn without_keys_there_is_nothing_to_publish() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(
        &(listener_with(&pki, "") + &user("alice", &["*"]) + &told("api", &upstream, "")),
    );
    assert_eq!(gateway.admin("/.well-known/jwks.json").0, 404);
}

/// The keys that people make.
#[test]
fn keys_of_openssl_are_taken() {
    if !require_program("openssl") {
        return;
    }
    let (pki, upstream) = (Pki::new(), Upstream::start());
    for (file, algorithm) in [
        ("ed.key", vec!["-algorithm", "ed25519"]),
        (
            "ec.key",
            vec!["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ),
    ] {
        let path = pki.path(file);
        let (_, err, code) = run(
            "openssl",
            &[vec!["genpkey", "-out", path.to_str().unwrap()], algorithm].concat(),
        );
        assert_eq!(code, 0, "{err}");
        let config = listener_with(&pki, "")
            + &user("alice", &["*"])
            + &jwt(&pki, &[file], "")
            + &told("api", &upstream, "identity_headers = \"jwt\"");
        let gateway = Gateway::start(&config);
        let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
        let mut connection = client
            .connect(crate::support::client::Version::Http1)
            .unwrap();
        assert!(
            verified(
                &assertion(&mut connection, &upstream, "/api"),
                &key_set(&gateway)
            )
            .is_some()
        );
    }
}
