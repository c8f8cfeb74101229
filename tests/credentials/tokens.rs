//! Certificate-bound tokens: what counts, and everything near it that does not.

mod keys;

use super::*;
use crate::support::gateway::user;
use crate::support::pki::Identity;
use crate::support::upstream::full;
use crate::support::{PORTCULLIS, eventually, run};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use aws_lc_rs::{rsa, signature};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const TOKEN: &str = "credentials = [\"token\"]";

fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A key that signs tokens with ES256.
struct Signer {
    key: EcdsaKeyPair,
    id: &'static str,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            id,
        }
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig",
               "x": encoded(&point[1..33]), "y": encoded(&point[33..])})
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.id})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", encoded(signature.as_ref()))
    }

    fn bearer(&self, claims: &Value) -> String {
        format!("Bearer {}", self.sign(&self.header(), claims))
    }
}

fn signed_part(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encoded(header.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    )
}

fn thumbprint(identity: &Identity) -> String {
    let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    encoded(digest(&SHA256, &der).as_ref())
}

/// Good claims of alice for this certificate.
fn claims(identity: &Identity) -> Value {
    json!({"iss": "https://idp.example", "aud": ["other", "gateway"], "sub": "alice-id", "exp": now() + 300,
           "nbf": now() - 5, "iat": now() - 5, "cnf": {"x5t#S256": thumbprint(identity)}})
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut changed = claims.clone();
    changed[name] = value;
    changed
}

fn without(claims: &Value, name: &str) -> Value {
    let mut changed = claims.clone();
    changed.as_object_mut().unwrap().remove(name);
    changed
}

/// A scene with one issuer whose keys lie in a file; alice is known by her tokens alone.
struct TokenScene {
    scene: Scene,
    keys: PathBuf,
    _folder: tempfile::TempDir,
}

impl TokenScene {
    fn new(keys: &[Value], more: &str, route: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwks.json");
        std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
        let users = format!(
            "[token_issuer.idp]\nissuer = \"https://idp.example\"\naudience = \"gateway\"\njwks = \"{}\"\n{more}\n\
             [api_user.alice]\nclient_token = \"alice-id\"\npermissions = [\"*\"]\n",
            file.display()
        );
        Self {
            scene: Scene::new(&users, route),
            keys: file,
            _folder: folder,
        }
    }

    /// The client of a certificate that is no ApiUser's, and the certificate.
    fn device(&self) -> (Client, Identity) {
        let identity = self.scene.pki.client("device");
        (
            Client::new(
                &self.scene.pki,
                Some(&identity),
                self.scene.gateway.address(),
            ),
            identity,
        )
    }

    /// The detail of the last rejection in the log.
    fn detail(&self) -> String {
        let lines = self.scene.gateway.access_log();
        lines.last().unwrap()["detail"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

#[test]
fn a_token_that_is_bound_to_the_certificate_names_its_user() {
    let signer = Signer::new("one");
    let scene = TokenScene::new(&[signer.jwk()], "", TOKEN);
    let (client, identity) = scene.device();
    let good = claims(&identity);
    assert_eq!(
        scene.scene.judge(&client, &[&signer.bearer(&good)]),
        "200 alice token"
    );
    for up in scene.scene.upstream.recorded() {
        assert_eq!(
            up.values("authorization"),
            Vec::<&str>::new(),
            "it was meant for the gateway"
        );
        assert_eq!(
            (up.values("x-client-user"), up.values("x-client-cn")),
            (vec!["alice"], vec!["device"])
        );
    }
    let other = claims(&scene.scene.pki.client("thief"));
    assert_eq!(
        scene.scene.judge(&client, &[&signer.bearer(&other)]),
        "401 invalid_token",
        "another's"
    );
    assert_eq!(
        scene
            .scene
            .judge(&scene.scene.client("thief"), &[&signer.bearer(&good)]),
        "401 invalid_token",
        "stolen"
    );
    assert_eq!(
        scene
            .scene
            .judge(&scene.scene.anonymous(), &[&signer.bearer(&good)]),
        "401 invalid_token",
        "bare"
    );
    assert_eq!(scene.scene.judge(&client, &[]), "401 no_credentials");
    let unknown = with(&good, "sub", json!("bob-id"));
    assert_eq!(
        scene.scene.judge(&client, &[&signer.bearer(&unknown)]),
        "403 unknown_user"
    );
}

#[test]
fn explain_says_that_a_token_would_do() {
    let scene = TokenScene::new(&[Signer::new("one").jwk()], "", TOKEN);
    let config = scene.scene.gateway.config_file.to_str().unwrap().to_owned();
    let explain = |who: &[&str]| {
        run(
            PORTCULLIS,
            &[
                &["explain", "-c", &config],
                who,
                &["GET", "https://localhost/x"],
            ]
            .concat(),
        )
    };
    let (out, _, code) = explain(&["--user", "alice"]);
    assert!(code == 0 && out.contains("by token"), "{out}");
    let (out, _, code) = explain(&[]);
    assert!(code == 1 && out.contains("no_credentials"), "{out}");
}

#[test]
fn each_claim_must_be_right() {
    let signer = Signer::new("one");
    let scene = TokenScene::new(&[signer.jwk()], "", TOKEN);
    let (client, identity) = scene.device();
    let good = claims(&identity);
    let broken = json!({"x5t#S256": "AAAA"});
    let table = [
        (with(&good, "aud", json!("other")), "another audience"),
        (
            with(&good, "aud", json!(["gateway", 1])),
            "another audience",
        ),
        (without(&good, "aud"), "another audience"),
        (
            with(&good, "iss", json!("https://idp.example/")),
            "issuer is not in the config",
        ),
        (without(&good, "iss"), "issuer is not in the config"),
        (with(&good, "exp", json!(now() - 60)), "expired"),
        (without(&good, "exp"), "expired"),
        (with(&good, "exp", json!("soon")), "not a JWT"),
        (with(&good, "nbf", json!(now() + 600)), "not valid yet"),
        (with(&good, "iat", json!(now() + 600)), "not valid yet"),
        (without(&good, "cnf"), "bound to no certificate"),
        (
            with(&good, "cnf", json!({"jkt": "x"})),
            "bound to no certificate",
        ),
        (with(&good, "cnf", broken), "not a JWT"),
        (without(&good, "sub"), "names no user"),
        (with(&good, "sub", json!("")), "names no user"),
    ];
    for (claims, detail) in table {
        assert_eq!(
            scene.scene.judge(&client, &[&signer.bearer(&claims)]),
            "401 invalid_token",
            "{claims}"
        );
        assert!(
            scene.detail().contains(detail),
            "{claims}: {}",
            scene.detail()
        );
    }
    for (name, value) in [
        ("aud", json!("gateway")),
        ("exp", json!(now() - 10)),
        ("nbf", json!(now() + 10)),
    ] {
        assert_eq!(
            scene
                .scene
                .judge(&client, &[&signer.bearer(&with(&good, name, value))]),
            "200 alice token",
            "{name}"
        );
    }
}

/// Tokens with these claims, and what is wrong with each.
fn wrongly_signed(signer: &Signer, good: &Value) -> [(String, &'static str); 14] {
    let stranger = Signer::new("one");
    let header = |alg: &str| json!({"alg": alg, "kid": "one"});
    let hmac_key = aws_lc_rs::hmac::Key::new(
        aws_lc_rs::hmac::HMAC_SHA256,
        signer.key.public_key().as_ref(),
    );
    let unsigned = signed_part(&header("HS256"), good);
    let confused = format!(
        "{unsigned}.{}",
        encoded(aws_lc_rs::hmac::sign(&hmac_key, unsigned.as_bytes()).as_ref())
    );
    let none = format!("{}.", signed_part(&header("none"), good));
    let token = signer.sign(&signer.header(), good);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let forged = signed_part(&signer.header(), &with(good, "sub", json!("root")));
    let mut critical = signer.header();
    critical["crit"] = json!(["b64"]);
    [
        (stranger.sign(&signer.header(), good), "signature is wrong"),
        (format!("{forged}.{signature}"), "signature is wrong"),
        (format!("{head}."), "signature is wrong"),
        (none, "algorithm is not allowed"),
        (confused, "algorithm is not allowed"),
        (
            signer.sign(&header("ES384"), good),
            "algorithm is not allowed",
        ),
        (signer.sign(&header("RS256"), good), "no key of its issuer"),
        (
            signer.sign(&json!({"alg": "ES256", "kid": "three"}), good),
            "no key of its issuer",
        ),
        (
            signer.sign(&json!({"alg": "ES256"}), good),
            "no key of its issuer",
        ),
        (
            signer.sign(&json!({"alg": "ES256", "kid": "two"}), good),
            "signature is wrong",
        ),
        (signer.sign(&critical, good), "critical"),
        (
            signer.sign(
                &json!({"alg": "ES256", "kid": "one", "typ": "dpop+jwt"}),
                good,
            ),
            "its type",
        ),
        (format!("{token}.x"), "not a JWT"),
        ("x".to_owned(), "not a JWT"),
    ]
}

#[test]
fn each_part_of_the_signature_must_be_right() {
    let signer = Signer::new("one");
    let scene = TokenScene::new(&[signer.jwk(), Signer::new("two").jwk()], "", TOKEN);
    let (client, identity) = scene.device();
    let good = claims(&identity);
    for (token, detail) in wrongly_signed(&signer, &good) {
        assert_eq!(
            scene.scene.judge(&client, &[&format!("Bearer {token}")]),
            "401 invalid_token",
            "{detail}"
        );
        assert!(
            scene.detail().contains(detail),
            "{detail}: {}",
            scene.detail()
        );
    }
    assert_eq!(
        scene.scene.judge(&client, &["Bearer a b"]),
        "400 bad_authorization"
    );
    let long = format!("Bearer {}", "a".repeat(8193));
    assert_eq!(
        scene.scene.judge(&client, &[&long]),
        "400 bad_authorization"
    );
    assert_eq!(
        scene.scene.judge(&client, &[&signer.bearer(&good)]),
        "200 alice token"
    );
}
