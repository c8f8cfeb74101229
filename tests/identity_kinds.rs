//! A certificate is an ApiUser's by its DNS names, URIs, e-mail addresses, digest or key as well as by its common name.

mod reserved;
mod roles;
mod tolerated;

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

/// What came of a request: the ApiUser that it went up as, or the reason of its refusal.
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
fn a_digest_counts_only_if_the_chain_does() {
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

#[test]
fn domains_do_not_speak_for_each_others_names() {
    let (staff, partners, upstream) = (Pki::new(), Pki::named("Partners CA"), Upstream::start());
    let one = |name: &str, line: &str, domain: &str| {
        user(name, &format!("{line}\ntrust_domain = \"{domain}\""))
    };
    let config = named_listener("main", &staff, "trust_domains = [\"staff\", \"partners\"]")
        + &one("web-of-staff", "client_dns = \"web.example.org\"", "staff")
        + &one(
            "web-of-partners",
            "client_dns = \"web.example.org\"",
            "partners",
        )
        + &one(
            "agent",
            "client_uri = \"spiffe://example.org/agent\"",
            "staff",
        )
        + &trust_domain("staff", &staff)
        + &trust_domain("partners", &partners)
        + &process()
        + &route_to(upstream.address);
    let gateway = Gateway::start(&config);
    let judged = |pki: &Pki, name: SanType| {
        let identity = certificate(pki, subject(&[]), &[name]);
        judge(
            &Client::new(&staff, Some(&identity), gateway.address()),
            &upstream,
        )
    };
    assert_eq!(judged(&staff, dns("web.example.org")), is("web-of-staff"));
    assert_eq!(
        judged(&partners, dns("web.example.org")),
        is("web-of-partners")
    );
    assert_eq!(
        judged(&staff, uri("spiffe://example.org/agent")),
        is("agent")
    );
    assert_eq!(
        judged(&partners, uri("spiffe://example.org/agent")),
        refused("unknown_user")
    );
}

#[test]
fn an_odd_common_name_is_nobody_but_does_not_hide_another_name() {
    let scene = Scene::new(
        &(user("web", "client_dns = \"web.example.org\"")
            + &user("alice", "client_cn = \"alice\"")),
    );
    let odd: [&[DnValue]; 7] = [
        &["alice".into(), "alice".into()],
        &["".into()],
        &["alice\0".into()],
        &["alice\u{1b}[0m".into()],
        &[DnValue::BmpString(BmpString::try_from("alice").unwrap())],
        &["a".repeat(256).into()],
        &[],
    ];
    for common_names in odd {
        assert_eq!(
            scene.judge_names(common_names, &[]),
            refused("unusable_name"),
            "{common_names:?}"
        );
        assert_eq!(
            scene.judge_names(common_names, &[dns("web.example.org")]),
            is("web"),
            "{common_names:?}"
        );
        assert_eq!(
            scene.judge_names(common_names, &[dns("no.example.org")]),
            refused("unknown_user"),
            "{common_names:?}"
        );
    }
    // What is text is compared as it is: patterns and look-alikes are other names.
    for name in [
        "*",
        "alic?",
        "*.example.org",
        "\u{430}lice",
        "\u{ff41}lice",
        "alice\u{200b}",
        "ALICE",
    ] {
        assert_eq!(
            scene.judge_names(&[name.into()], &[]),
            refused("unknown_user"),
            "{name}"
        );
    }
    a_malformed_name_harms_no_other_kind(&scene);
}

fn a_malformed_name_harms_no_other_kind(scene: &Scene) {
    assert_eq!(
        scene.judge_names(
            &["alice".into()],
            &[dns("bad..name"), dns("web.example.org")]
        ),
        is("alice")
    );
    let bad = [dns("bad..name"), dns("web.example.org")];
    assert_eq!(
        scene.judge_names(&["x".into()], &bad),
        refused("unusable_name")
    );
    let line = scene
        .gateway
        .wait_for_access(|line| line["cn"] == "x" && line["reason"] == "unusable_name");
    assert_eq!(
        line["detail"],
        "the DNS names cannot be used: it is not a DNS name"
    );
    assert_eq!(
        scene.judge_names(
            &["x".into()],
            &[email("no address"), dns("web.example.org")]
        ),
        is("web")
    );
}

#[test]
fn after_a_reload_a_name_is_whose_it_is_now() {
    let scene = Scene::new(&user("old", "client_dns = \"web.example.org\""));
    let identity = certificate(&scene.pki, subject(&[]), &[dns("web.example.org")]);
    let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
    let config =
        |line: &str| listener(&scene.pki) + &user("new", line) + &route_to(scene.upstream.address);
    for version in BOTH {
        scene
            .gateway
            .reload_with(&config("client_dns = \"web.example.org\""));
        let mut connection = client.connect(version).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        assert_eq!(
            scene
                .upstream
                .recorded()
                .pop()
                .unwrap()
                .values("x-client-user"),
            ["new"]
        );
        scene
            .gateway
            .reload_with(&config("client_email = \"web@example.org\""));
        let answer = connection.send(get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (403, "unknown_user")
        );
    }
}

#[test]
fn whoami_and_explain_say_by_what_a_user_was_found() {
    let scene = Scene::new(
        &(user(
            "web",
            "client_dns = \"web.example.org\"\nclient_uri = \"urn:web\"",
        ) + "[[route]]\npath = \"/v1\"\nrespond = \"whoami\"\n"),
    );
    let identity = certificate(&scene.pki, subject(&["x".into()]), &[uri("urn:web")]);
    let answer = Client::new(&scene.pki, Some(&identity), scene.gateway.address()).get("/v1");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["results"][0]["identified_by"], "uri");
    let file = scene.gateway.config_file.to_str().unwrap();
    let ask = |arguments: &[&str]| {
        run(
            PORTCULLIS,
            &[&["explain", "-c", file], arguments, &["GET", "/"]].concat(),
        )
    };
    let certificate = identity.certificate_file.to_str().unwrap();
    for (arguments, kind) in [
        (["--cert", certificate], "uri"),
        (["--dns", "Web.example.org"], "dns"),
        (["--uri", "urn:web"], "uri"),
    ] {
        let (out, err, code) = ask(&arguments);
        assert_eq!(code, 0, "{err}{out}");
        assert!(out.contains(&format!("by {kind}\n")), "{out}");
    }
    for arguments in [
        ["--dns", "no.example.org"],
        ["--uri", "urn:no"],
        ["--email", "a@b"],
        ["--cn", "web.example.org"],
    ] {
        let (out, _, code) = ask(&arguments);
        assert!(
            code == 1 && out.contains("unknown_user"),
            "{arguments:?} {out}"
        );
    }
    for arguments in [
        ["--dns", "*.example.org"],
        ["--uri", "spiffe:x"],
        ["--email", "a"],
        ["--fingerprint", "ab"],
        ["--spki", "ab"],
    ] {
        let (_, err, code) = ask(&arguments);
        assert!(
            code == 2 && err.contains("no certificate leads to a user"),
            "{arguments:?} {err}"
        );
    }
}

/// A subject with an O or OU beside the common name.
fn organized(common_name: &str, parts: &[(DnType, DnValue)]) -> DistinguishedName {
    let mut subject = subject(&[common_name.into()]);
    for (kind, value) in parts {
        subject.push(kind.clone(), value.clone());
    }
    subject
}
