//! A certificate is an ApiUser's by its DNS names, URIs, e-mail addresses, digest or key as well as by its common name.

mod reserved;
mod roles;
mod tolerated;
mod domains;

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, named_listener, process, route_to, trust_domain};
use crate::support::pki::{Identity, subject};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, Upstream, run};
use rcgen::string::{BmpString, Ia5String};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair,
    PublicKeyData, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A gateway, and clients for it.
struct Scene {
    pki: Pki,
    upstream: Upstream,
    gateway: Gateway,
}

/// What came of a request: the ApiUser that it went up as, or the reason of its rejection.
type Verdict = Result<String, String>;

impl Scene {
    fn new(users: &str) -> Self {
        Self::of(Pki::new(), users)
    }

    fn of(pki: Pki, users: &str) -> Self {
        let upstream = Upstream::start();
        let gateway = Gateway::start(&(listener(&pki) + users + &route_to(upstream.address)));
        Self {
            pki,
            upstream,
            gateway,
        }
    }

    fn judge(&self, identity: &Identity) -> Verdict {
        judge(
            &Client::new(&self.pki, Some(identity), self.gateway.address()),
            &self.upstream,
        )
    }

    /// A client whose certificate has this subject and these alternative names.
    fn judge_names(&self, common_names: &[DnValue], names: &[SanType]) -> Verdict {
        self.judge(&certificate(&self.pki, subject(common_names), names))
    }

    /// A client without a common name, but with these alternative names.
    fn judge_san(&self, names: &[SanType]) -> Verdict {
        self.judge_names(&[], names)
    }
}

fn judge(client: &Client, upstream: &Upstream) -> Verdict {
    let answer = client.get("/");
    match answer.status {
        200 => Ok(upstream
            .recorded()
            .pop()
            .expect("a request")
            .values("x-client-user")
            .concat()),
        status => {
            assert_eq!(status, 403, "{}", answer.body);
            Err(answer.reason())
        }
    }
}

fn is(user: &str) -> Verdict {
    Ok(user.to_owned())
}

fn refused(reason: &str) -> Verdict {
    Err(reason.to_owned())
}

fn params(subject: DistinguishedName, names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.subject_alt_names = names.to_vec();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn certificate(pki: &Pki, subject: DistinguishedName, names: &[SanType]) -> Identity {
    pki.sign("with-names", params(subject, names))
}

fn ia5(text: &str) -> Ia5String {
    Ia5String::try_from(text).unwrap()
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(ia5(name))
}

fn uri(uri: &str) -> SanType {
    SanType::URI(ia5(uri))
}

fn email(address: &str) -> SanType {
    SanType::Rfc822Name(ia5(address))
}

/// A user that is found by one line, and may read.
fn user(name: &str, line: &str) -> String {
    format!("[api_user.{name}]\n{line}\npermissions = [\"GET /*\"]\n")
}

fn sha256(octets: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets)
        .as_ref()
        .to_vec()
}

fn hexadecimal(octets: &[u8], between: &str) -> String {
    octets
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect::<Vec<_>>()
        .join(between)
}

fn fingerprint(identity: &Identity) -> Vec<u8> {
    sha256(&CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap())
}

/// Names, and whose they are.
fn names_of_each_kind() -> Vec<(Vec<SanType>, Verdict)> {
    vec![
        (vec![dns("web1.example.org")], is("web")),
        (vec![dns("WEB2.Example.ORG")], is("web")),
        (
            vec![dns("other.example.org"), dns("web2.example.org")],
            is("web"),
        ),
        (
            vec![dns("web1.example.org."), dns("web2.example.org")],
            refused("unusable_name"),
        ),
        (vec![dns("web3.example.org")], refused("unknown_user")),
        (vec![dns("a.web1.example.org")], refused("unknown_user")),
        (vec![dns("*.example.org")], refused("unusable_name")),
        (
            vec![dns("web1.example.org\0.evil.example")],
            refused("unusable_name"),
        ),
        (vec![uri("spiffe://example.org/Agent")], is("agent")),
        (vec![uri("urn:example:agent")], is("agent")),
        (vec![uri("urn:x"), uri("urn:example:agent")], is("agent")),
        (
            vec![uri("spiffe://example.org/agent")],
            refused("unknown_user"),
        ),
        (
            vec![uri("spiffe://example.org/Agent/x")],
            refused("unknown_user"),
        ),
        (
            vec![uri("spiffe://example.org/Agent"), uri("urn:x")],
            refused("unusable_name"),
        ),
        (
            vec![uri("spiffe://other.org/x"), uri("urn:example:agent")],
            refused("unusable_name"),
        ),
        (
            vec![uri("SPIFFE://example.org/Agent")],
            refused("unusable_name"),
        ),
        (vec![email("Alice@example.ORG")], is("alice")),
        (vec![email("alice@example.org")], refused("unknown_user")),
        (
            vec![email("\"Alice\"@example.org")],
            refused("unusable_name"),
        ),
        // A value of one kind is none of another.
        (vec![uri("dns:web1.example.org")], refused("unknown_user")),
        (vec![dns("Alice")], refused("unknown_user")),
        (vec![email("web1@example.org")], refused("unknown_user")),
    ]
}

#[test]
fn each_kind_of_name_is_its_user_and_no_other() {
    let scene = Scene::new(
        &(user(
            "web",
            "client_dns = [\"Web1.example.org\", \"web2.example.org\"]",
        ) + &user(
            "agent",
            "client_uri = [\"spiffe://example.org/Agent\", \"urn:example:agent\"]",
        ) + &user("alice", "client_email = \"Alice@Example.org\"")
            + &user("common", "client_cn = \"web1.example.org\"")),
    );
    for (names, verdict) in names_of_each_kind() {
        assert_eq!(scene.judge_san(&names), verdict, "{names:?}");
    }
    assert_eq!(
        scene.judge_names(&["web1.example.org".into()], &[]),
        is("common")
    );
    assert_eq!(
        scene.judge_names(&["web2.example.org".into()], &[]),
        refused("unknown_user")
    );
    assert_eq!(
        scene.judge_names(&["Web1.example.org".into()], &[]),
        refused("unknown_user")
    );
}

#[test]
fn a_fingerprint_is_one_certificate_and_a_pin_is_one_key() {
    let pki = Pki::new();
    let (pinned, kept) = (pki.client("pinned"), pki.client("kept"));
    let key = KeyPair::from_pem(&kept.key).unwrap();
    let pin = hexadecimal(&sha256(&key.subject_public_key_info()), "");
    let users = user(
        "by-certificate",
        &format!(
            "client_fingerprint = \"{}\"",
            hexadecimal(&fingerprint(&pinned), ":")
        ),
    ) + &user("by-key", &format!("client_spki = \"{pin}\""));
    let renewed = pki.client_with_key("renewed", &key);
    let again = pki.client_with_key("again", &KeyPair::from_pem(&pinned.key).unwrap());
    let scene = Scene::of(pki, &users);
    assert_eq!(scene.judge(&pinned), is("by-certificate"));
    assert_eq!(scene.judge(&again), refused("unknown_user"));
    assert_eq!(scene.judge(&kept), is("by-key"));
    assert_eq!(scene.judge(&renewed), is("by-key"));
    assert_eq!(
        scene.judge(&scene.pki.client("other")),
        refused("unknown_user")
    );
    let kinds = ["fingerprint", "spki"];
    for kind in kinds {
        scene
            .gateway
            .wait_for_access(|line| line["identified_by"] == kind);
    }
}

#[test]
fn a_digest_identifies_only_with_a_verified_chain() {
    let (pki, other) = (Pki::new(), Pki::named("Other CA"));
    let (good, stranger) = (pki.client("good"), other.client("stranger"));
    let both = format!(
        "client_fingerprint = [\"{}\", \"{}\"]",
        hexadecimal(&fingerprint(&good), ""),
        hexadecimal(&fingerprint(&stranger), "")
    );
    let scene = Scene::of(pki, &user("pinned", &both));
    assert_eq!(scene.judge(&good), is("pinned"));
    let client = Client::new(&scene.pki, Some(&stranger), scene.gateway.address());
    assert_eq!(client.alert(), rustls::AlertDescription::UnknownCA);
}

#[test]
fn several_kinds_of_one_user_are_several_ways_in() {
    let scene = Scene::new(&user(
        "alice",
        "client_cn = \"alice\"\nclient_dns = \"a.example.org\"\nclient_email = \"a@b\"",
    ));
    for (common_name, names, kind) in [
        (Some("alice"), vec![], "cn"),
        (None, vec![dns("a.example.org")], "dns"),
        (Some("other"), vec![email("a@b")], "email"),
        (
            Some("alice"),
            vec![email("a@b"), dns("a.example.org")],
            "cn",
        ),
    ] {
        let common_names: Vec<DnValue> = common_name.into_iter().map(Into::into).collect();
        assert_eq!(
            scene.judge_names(&common_names, &names),
            is("alice"),
            "{names:?}"
        );
        let count = scene.gateway.access_log().len();
        scene
            .gateway
            .wait_for_access(|line| line["identified_by"] == kind && line["user"] == "alice");
        assert!(count <= 4);
    }
    assert_eq!(
        scene.judge_names(&["other".into()], &[dns("b.example.org")]),
        refused("unknown_user")
    );
}

#[test]
fn a_certificate_that_leads_to_two_users_is_neither() {
    let scene = Scene::new(
        &(user(
            "alice",
            "client_cn = \"alice\"\nclient_dns = \"alice.example.org\"",
        ) + &user(
            "bob",
            "client_dns = \"bob.example.org\"\nclient_uri = \"urn:bob\"",
        )),
    );
    for (common_name, names) in [
        ("alice", vec![dns("bob.example.org")]),
        ("alice", vec![uri("urn:bob")]),
        ("x", vec![dns("alice.example.org"), dns("bob.example.org")]),
        ("x", vec![uri("urn:bob"), dns("alice.example.org")]),
    ] {
        let verdict = scene.judge_names(&[common_name.into()], &names);
        assert_eq!(verdict, refused("ambiguous_identity"), "{names:?}");
    }
    let line = scene
        .gateway
        .wait_for_access(|line| line["reason"] == "ambiguous_identity");
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("\"alice\"") && detail.contains("\"bob\""),
        "{line}"
    );
    assert!(line["user"].is_null(), "{line}");
    assert!(scene.upstream.recorded().is_empty());
    // The twins: one user twice, and one user and nobody.
    assert_eq!(
        scene.judge_names(&["alice".into()], &[dns("alice.example.org")]),
        is("alice")
    );
    assert_eq!(
        scene.judge_names(&["x".into()], &[uri("urn:bob"), dns("bob.example.org")]),
        is("bob")
    );
}

/// A subject with an O or OU beside the common name.
fn organized(common_name: &str, parts: &[(DnType, DnValue)]) -> DistinguishedName {
    let mut subject = subject(&[common_name.into()]);
    for (kind, value) in parts {
        subject.push(kind.clone(), value.clone());
    }
    subject
}
