//! Each upstream is told who the client is in the words that it knows, and no client can say them itself.

/// Signed assertions and their keys.
mod assertions;
/// The PROXY protocol to upstreams.
mod proxy_protocol;
/// No name of any set comes from a client, however it is written.
mod stripping;

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, listener_with, user};
use crate::support::pki::{Identity, Kind};
use crate::support::upstream::Recorded;
use crate::support::{Client, Gateway, Pki, Upstream};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// An upstream of this name with further keys, below `/NAME`.
fn told(name: &str, upstream: &Upstream, lines: &str) -> String {
    format!(
        "[upstream.{name}]\nendpoints = [\"http://{}\"]\n{lines}\n[[route]]\npath = \"/{name}\"\nupstream = \"{name}\"\n",
        upstream.address
    )
}

fn der(identity: &Identity) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .map(Result::unwrap)
        .collect()
}

/// The names and values of all fields that are not in this list of ordinary ones.
fn identity_fields(up: &Recorded) -> Vec<(String, String)> {
    let ordinary = [
        "host",
        "via",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
    ];
    let fields = up
        .headers
        .iter()
        .filter(|(name, _)| !ordinary.contains(&name.as_str()));
    fields
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

fn pairs<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn fingerprint(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// A client certificate of alice, with what `change` makes of it.
fn alice_with(pki: &Pki, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    pki.sign("alice", params)
}

/// Alice with a certificate of an intermediate CA, which she sends along.
fn alice_below_an_intermediate(pki: &Pki) -> Identity {
    let intermediate = pki.of_kind("Intermediate", Kind::Authority);
    let issuer = Issuer::from_ca_cert_pem(
        &intermediate.certificate,
        KeyPair::from_pem(&intermediate.key).unwrap(),
    )
    .unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "alice");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem() + &intermediate.certificate;
    Identity {
        certificate,
        key: key.serialize_pem(),
        ..intermediate
    }
}

fn one_upstream_for_each(pki: &Pki, upstream: &Upstream) -> String {
    listener(pki)
        + &user("alice", &["*"])
        + "[identity_headers]\nsets = [\"rfc9440\"]\n"
        + &told("envoy", upstream, "identity_headers = \"xfcc\"")
        + &told("default", upstream, "")
        + &told("nothing", upstream, "identity_headers = []")
        + &told("off", upstream, "identity_headers = \"off\"")
        + &told("nginx", upstream, "identity_headers = [\"nginx\"]")
        + &told("both", upstream, "identity_headers = [\"x-ssl\", \"xfcc\"]")
}

#[test]
fn each_upstream_gets_its_configured_header_set() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let alice = alice_with(&pki, |params| {
        params.subject_alt_names = vec![
            SanType::URI("spiffe://example.org/alice".try_into().unwrap()),
            SanType::DnsName("alice.example".try_into().unwrap()),
        ];
    });
    let hash = fingerprint(&der(&alice)[0]);
    let xfcc = format!(
        "Hash={hash};Subject=\"CN=alice\";URI=spiffe://example.org/alice;DNS=alice.example"
    );
    let byte_sequence = format!(":{}:", STANDARD.encode(&der(&alice)[0]));
    let config = one_upstream_for_each(&pki, &upstream);
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&alice), gateway.address());
    for version in BOTH {
        // One connection, so that each sees its own although they share it.
        let mut connection = client.connect(version).unwrap();
        let mut told = |path: &str| {
            assert_eq!(
                connection.send(get(path)).unwrap().status,
                200,
                "{path} {version:?}"
            );
            identity_fields(&upstream.recorded().pop().unwrap())
        };
        for _ in 0..2 {
            assert_eq!(
                told("/envoy"),
                pairs([("x-forwarded-client-cert", xfcc.as_str())])
            );
            assert_eq!(
                told("/default"),
                pairs([("client-cert", byte_sequence.as_str())])
            );
            assert_eq!((told("/nothing"), told("/off")), (vec![], vec![]));
            let nginx = told("/nginx");
            assert_eq!(
                nginx[0],
                ("ssl-client-verify".to_owned(), "SUCCESS".to_owned())
            );
            assert_eq!(nginx.len(), 4, "{nginx:?}");
            let both = told("/both");
            assert!(
                both.contains(&("x-ssl-client-verify".to_owned(), "0".to_owned())),
                "{both:?}"
            );
            assert!(
                both.contains(&("x-forwarded-client-cert".to_owned(), xfcc.clone())),
                "{both:?}"
            );
        }
    }
}

#[test]
fn the_client_chain_is_forwarded_without_the_leaf() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener(&pki)
        + &user("alice", &["*"])
        + &told(
            "api",
            &upstream,
            "identity_headers = [\"rfc9440\", \"xfcc-cert\", \"nginx\"]",
        );
    let gateway = Gateway::start(&config);
    let identity = alice_below_an_intermediate(&pki);
    let [leaf, intermediate] = der(&identity).try_into().unwrap();
    let client = Client::new(&pki, Some(&identity), gateway.address());
    for version in BOTH {
        assert_eq!(client.send(version, get("/api")).unwrap().status, 200);
        let up = upstream.recorded().pop().unwrap();
        assert_eq!(
            up.values("client-cert"),
            [format!(":{}:", STANDARD.encode(&leaf))]
        );
        assert_eq!(
            up.values("client-cert-chain"),
            [format!(":{}:", STANDARD.encode(&intermediate))]
        );
        assert_eq!(up.values("x-identity-left-out"), [""; 0]);
        let pem = up.values("ssl-client-cert")[0].to_owned();
        assert!(pem.starts_with("-----BEGIN%20CERTIFICATE-----%0A"), "{pem}");
        assert!(
            up.values("x-forwarded-client-cert")[0]
                .contains(&format!("Cert=\"{pem}\";Subject=\"CN=alice\""))
        );
    }
}

#[test]
fn a_huge_certificate_is_left_out_and_the_client_still_served() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let huge = alice_with(&pki, |params| {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 9999],
                vec![5; 15_000],
            ));
    });
    let sets = "identity_headers = [\"x-client\", \"rfc9440\", \"xfcc-cert\", \"nginx\"]";
    let config = listener(&pki) + &user("alice", &["*"]) + &told("api", &upstream, sets);
    let gateway = Gateway::start(&config);
    let client = Client::new(&pki, Some(&huge), gateway.address());
    for version in BOTH {
        assert_eq!(client.send(version, get("/api")).unwrap().status, 200);
        let up = upstream.recorded().pop().unwrap();
        assert_eq!(
            up.values("x-identity-left-out"),
            ["client-cert, x-forwarded-client-cert, ssl-client-cert"]
        );
        assert_eq!(
            (up.values("client-cert"), up.values("ssl-client-cert")),
            (vec![], vec![])
        );
        let expected = format!("Hash={};Subject=\"CN=alice\"", fingerprint(&der(&huge)[0]));
        assert_eq!(up.values("x-forwarded-client-cert"), [expected]);
        assert_eq!(up.values("x-client-user"), ["alice"]);
    }
}

#[test]
fn xfcc_contains_the_uri_of_the_gateway() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::URI(
        "spiffe://example.org/gateway".try_into().unwrap(),
    ));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    pki.sign("spiffe", params);
    let config = listener(&pki).replace("server.", "spiffe.")
        + &user("alice", &["*"])
        + &told("api", &upstream, "identity_headers = \"xfcc\"");
    let gateway = Gateway::start(&config);
    let alice = pki.client("alice");
    let client = Client::new(&pki, Some(&alice), gateway.address());
    assert_eq!(client.get("/api").status, 200);
    let expected = format!(
        "By=spiffe://example.org/gateway;Hash={};",
        fingerprint(&der(&alice)[0])
    );
    assert!(upstream.only().values("x-forwarded-client-cert")[0].starts_with(&expected));
}

#[test]
fn a_reload_changes_identity_headers_on_open_connections() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config =
        |sets: &str| listener(&pki) + &user("alice", &["*"]) + &told("api", &upstream, sets);
    let gateway = Gateway::start(&config("identity_headers = \"x-client\""));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let mut open = BOTH.map(|version| client.connect(version).unwrap());
    let mut names = || {
        open.each_mut().map(|connection| {
            assert_eq!(connection.send(get("/api")).unwrap().status, 200);
            let up = upstream.recorded().pop().unwrap();
            ["x-client-user", "x-ssl-client-verify"].map(|name| up.values(name).len())
        })
    };
    assert_eq!(names(), [[1, 0]; 2]);
    gateway.reload_with(&config("identity_headers = \"x-ssl\""));
    assert_eq!(names(), [[0, 1]; 2]);
}

#[test]
fn without_identity_no_header_set_contains_any() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let sets =
        "identity_headers = [\"x-client\", \"x-ssl\", \"nginx\", \"xfcc-cert\", \"rfc9440\"]";
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &["*"])
        + &told("closed", &upstream, sets)
        + &(told("public", &upstream, sets) + "client_auth = \"off\"\n")
        + &(told("open", &upstream, sets) + "client_auth = \"optional\"\n");
    let gateway = Gateway::start(&config);
    let known = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    let nobody = Client::new(&pki, None, gateway.address());
    for version in BOTH {
        let told = |client: &Client, path: &str| {
            assert_eq!(
                client.send(version, get(path)).unwrap().status,
                200,
                "{path}"
            );
            identity_fields(&upstream.recorded().pop().unwrap())
        };
        assert_eq!(told(&known, "/public"), []);
        let none = [
            ("x-client-verify", "NONE"),
            ("x-ssl", "1"),
            ("ssl-client-verify", "NONE"),
        ];
        assert_eq!(told(&nobody, "/open"), pairs(none));
        assert_eq!(told(&known, "/open"), told(&known, "/closed"));
        assert!(told(&known, "/open").contains(&("x-client-user".to_owned(), "alice".to_owned())));
        assert_eq!(nobody.send(version, get("/closed")).unwrap().status, 401);
    }
}
