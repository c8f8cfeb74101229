//! What authorizers are told: what the gateway knows, and of what clients say only what is named. What upstreams are told
//! by them, and nobody else.

use super::{BOTH, Fake, PATIENT, Scene, Speaks};
use crate::support::Client;
use crate::support::client::{Version, body_with_trailers, get, request};
use base64::Engine;
use http::{HeaderMap, HeaderValue, Request};

/// Fields that a client may not say, and some that it may.
const SAID: [(&str, &str); 12] = [
    ("x-client-user", "root"),
    ("X_Client_CN", "root"),
    ("client-cert", ":AAAA:"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-forwarded-uri", "/yes"),
    ("x-forwarded-method", "GET"),
    ("x-portcullis-listener", "admin"),
    ("x-request-id", "forged"),
    ("authorization", "Bearer secret"),
    ("cookie", "secret=1"),
    ("accept-language", "en"),
    ("accept_language", "de"),
];

fn said<T>(mut request: Request<T>, fields: &[(&'static str, &'static str)]) -> Request<T> {
    for (name, value) in fields {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_static(value));
    }
    request
}

#[test]
fn a_forward_authorizer_gets_the_identity_and_the_configured_fields() {
    let keys = PATIENT.to_owned() + "request_headers = [\"accept-language\"]\n";
    let scene = Scene::new(Speaks::ForwardAuth, "", &keys, "");
    let Fake::ForwardAuth(fake) = &scene.fake else {
        unreachable!()
    };
    for version in [Version::Http1, Version::Http2] {
        let identity = scene.pki.client("alice");
        let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
        let answer = client
            .send(
                version,
                said(request("POST", "/yes/%61?q=%2F", "a body"), &SAID),
            )
            .unwrap();
        let asked = fake.recorded().pop().unwrap();
        assert_eq!(
            (asked.method.as_str(), asked.target.as_str()),
            ("GET", "/check?by=portcullis")
        );
        assert!(asked.body.is_empty(), "never the body");
        let der = base64::engine::general_purpose::STANDARD.encode(identity.der());
        for (name, value) in [
            ("x-forwarded-method", "POST"),
            ("x-forwarded-uri", "/yes/a?q=%2F"),
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-portcullis-listener", "main"),
            ("x-portcullis-route", "/"),
            ("x-client-verify", "SUCCESS"),
            ("x-client-user", "alice"),
            ("x-client-cn", "alice"),
            ("x-client-trust-domain", "test"),
            ("x-request-id", answer.header("x-request-id").unwrap()),
        ] {
            assert_eq!(asked.values(name), [value], "{name}");
        }
        assert_eq!(
            asked.values("accept-language"),
            ["en", "de"],
            "also what looks like it"
        );
        assert_eq!(asked.values("client-cert"), [format!(":{der}:")]);
        for name in [
            "authorization",
            "cookie",
            "x_client_cn",
            "content-length",
            "accept_language",
        ] {
            assert_eq!(asked.values(name), [""; 0], "{name}");
        }
    }
}

#[test]
fn an_ext_authz_authorizer_gets_the_same_identity() {
    let keys = PATIENT.to_owned() + "request_headers = [\"accept-language\", \"cookie\"]\n";
    let scene = Scene::new(Speaks::ExtAuthz, "", &keys, "");
    let Fake::ExtAuthz(fake) = &scene.fake else {
        unreachable!()
    };
    let identity = scene.pki.client("alice");
    let client = Client::new(&scene.pki, Some(&identity), scene.gateway.address());
    for (version, protocol) in [(Version::Http1, "HTTP/1.1"), (Version::Http2, "HTTP/2")] {
        let answer = client
            .send(
                version,
                said(request("POST", "/yes/%61?q=%2F", "a body"), &SAID),
            )
            .unwrap();
        let (head, asked) = fake.asked().pop().unwrap();
        assert!(
            head["content-type"] == "application/grpc" && head["te"] == "trailers",
            "{head:?}"
        );
        assert_eq!(head["grpc-timeout"], "20000m");
        for (path, value) in [
            (&[1, 1, 1, 1, 2][..], "127.0.0.1"),
            (&[1, 1, 4], "CN=alice"),
            (&[1, 2, 1, 1, 2], "127.0.0.1"),
            (&[1, 4, 2, 1], answer.header("x-request-id").unwrap()),
            (&[1, 4, 2, 2], "POST"),
            (&[1, 4, 2, 4], "/yes/a?q=%2F"),
            (&[1, 4, 2, 5], "localhost"),
            (&[1, 4, 2, 6], "https"),
            (&[1, 4, 2, 10], protocol),
            (&[1, 4, 2, 11], ""),
            (&[1, 12, 1], "localhost"),
        ] {
            assert_eq!(asked.text(path), value, "{path:?}");
        }
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            asked.map(&[1, 4, 2, 3]),
            [pair("accept-language", "en,de"), pair("cookie", "secret=1")]
        );
        let context = [
            ("api_user", "alice"),
            ("listener", "main"),
            ("route", "/"),
            ("trust_domain", "test"),
        ];
        assert_eq!(
            asked.map(&[1, 10]),
            context.map(|(name, value)| pair(name, value))
        );
        let pem = asked
            .text(&[1, 1, 5])
            .replace("%0A", "\n")
            .replace("%20", " ")
            .replace("%2B", "+");
        let pem = pem.replace("%2F", "/").replace("%3D", "=");
        assert_eq!(pem.trim(), identity.certificate.replace('\r', "").trim());
    }
}

#[test]
fn only_an_authorizer_can_say_what_is_its_to_say() {
    for speaks in BOTH {
        let keys = PATIENT.to_owned() + "response_headers = [\"x-org\"]\n";
        let plain = "[[route]]\npath = \"/plain\"\nupstream = \"api\"\n";
        let scene = Scene::new(speaks, "", &keys, plain);
        let forged = [
            ("x-org", "forged"),
            ("X_Org", "forged"),
            ("x.org", "forged"),
            ("x-other", "mine"),
        ];
        for version in [Version::Http1, Version::Http2] {
            for (path, orgs) in [("/yes", vec!["example"]), ("/plain", vec![])] {
                assert_eq!(
                    scene
                        .client("alice")
                        .send(version, said(get(path), &forged))
                        .unwrap()
                        .status,
                    200
                );
                let up = scene.upstream.recorded().pop().unwrap();
                assert_eq!(
                    (up.values("x-org"), up.values("x-other")),
                    (orgs, vec!["mine"]),
                    "{path}"
                );
                assert_eq!((up.values("x_org").len(), up.values("x.org").len()), (0, 0));
            }
        }
    }
}

#[test]
fn what_is_an_authorizers_to_say_comes_in_no_trailer_either() {
    let keys = PATIENT.to_owned() + "response_headers = [\"x-org\"]\n";
    let scene = Scene::new(Speaks::ForwardAuth, "", &keys, "");
    for (name, comes) in [("x-org", false), ("x-sum", true)] {
        for version in [Version::Http1, Version::Http2] {
            let mut trailers = HeaderMap::new();
            trailers.insert(name, HeaderValue::from_static("said"));
            let request = Request::post("https://localhost/yes").header("trailer", name);
            let request = request.body(body_with_trailers("text", trailers)).unwrap();
            assert_eq!(
                scene.client("alice").send(version, request).unwrap().status,
                200
            );
            let up = scene.upstream.recorded().pop().unwrap();
            let came = up
                .trailers
                .as_ref()
                .is_some_and(|trailers| trailers.contains_key(name));
            assert_eq!(came, comes, "{name} {version:?}");
        }
    }
}

#[test]
fn what_was_not_named_stays_with_the_gateway() {
    let scene = Scene::new(Speaks::ForwardAuth, "", PATIENT, "");
    assert_eq!(
        scene
            .client("alice")
            .send(Version::Http1, said(get("/yes"), &[("x-org", "mine")]))
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        scene.upstream.only().values("x-org"),
        ["mine"],
        "the authorizer's own is not taken"
    );
}
