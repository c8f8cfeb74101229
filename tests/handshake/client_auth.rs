//! What `client_auth` means on listeners and on routes.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener_with, named_listener, process, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream};
use rustls::AlertDescription;

/// `/` for ApiUsers, `/public` for everybody, `/maybe` for everybody but with the identity if there is one.
fn routes(upstream: &Upstream) -> String {
    route_to(upstream.address)
        + "[[route]]\npath = \"/public\"\nupstream = \"api\"\nclient_auth = \"off\"\n\
           [[route]]\npath = \"/maybe\"\nupstream = \"api\"\nclient_auth = \"optional\"\n"
}

/// The identity fields that reached the upstream with the last request.
fn identity_fields(upstream: &Upstream) -> Vec<String> {
    let last = upstream.recorded().pop().expect("a request");
    let names = last.headers.keys().map(ToString::to_string);
    names.filter(|name| name.starts_with("x-client-")).collect()
}

#[test]
fn an_optional_certificate_is_demanded_by_the_route() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &["GET /*"])
        + &routes(&upstream);
    let gateway = Gateway::start(&config);
    let stranger = Client::new(&pki, None, gateway.address());
    let alice = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let answer = stranger.send(version, get("/")).unwrap();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "no_certificate")
        );
        assert_eq!(alice.send(version, get("/")).unwrap().status, 200);
    }
    assert_eq!(upstream.recorded().len(), 2);
}

#[test]
fn a_bad_certificate_is_rejected_where_none_would_do() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &["GET /*"])
        + &routes(&upstream);
    let gateway = Gateway::start(&config);
    let foreign = Pki::named("Other CA").client("alice");
    let client = Client::new(&pki, Some(&foreign), gateway.address());
    assert_eq!(client.alert(), AlertDescription::UnknownCA);
    let labels = [("listener", "main"), ("reason", "unknown_issuer")];
    gateway.wait_for_metric("portcullis_handshake_failures_total", &labels, 1.0);
    assert_eq!(
        Client::new(&pki, None, gateway.address())
            .get("/public")
            .status,
        200
    );
}

#[test]
fn without_client_auth_only_public_routes_respond() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config =
        named_listener("main", &pki, "client_auth = \"off\"") + &process() + &routes(&upstream);
    let gateway = Gateway::start(&config);
    // A client that has a certificate is not asked for it, so it is nobody either.
    for identity in [None, Some(pki.client("alice"))] {
        let client = Client::new(&pki, identity.as_ref(), gateway.address());
        let answer = client.get("/");
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (401, "no_certificate")
        );
        assert_eq!(client.get("/public").status, 200);
        assert_eq!(identity_fields(&upstream), [""; 0]);
        assert_eq!(client.get("/maybe").status, 200);
        assert_eq!(identity_fields(&upstream), ["x-client-verify"]);
    }
    assert_eq!(
        upstream.recorded().len(),
        4,
        "what was refused did not go up"
    );
}

#[test]
fn a_route_with_optional_client_auth_forwards_a_known_identity() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let config = listener_with(&pki, "client_auth = \"optional\"")
        + &user("alice", &[])
        + &routes(&upstream);
    let gateway = Gateway::start(&config);
    for (identity, verify, cn, name) in [
        (None, "NONE", vec![], vec![]),
        (Some("alice"), "SUCCESS", vec!["alice"], vec!["alice"]),
        (Some("mallory"), "SUCCESS", vec!["mallory"], vec![]),
    ] {
        let identity = identity.map(|name| pki.client(name));
        let client = Client::new(&pki, identity.as_ref(), gateway.address());
        assert_eq!(client.get("/maybe").status, 200);
        let up = upstream.recorded().pop().unwrap();
        assert_eq!(up.values("x-client-verify"), [verify]);
        assert_eq!(up.values("x-client-cn"), cn);
        assert_eq!(up.values("x-client-user"), name);
        assert_eq!(client.get("/public").status, 200);
        assert_eq!(
            identity_fields(&upstream),
            [""; 0],
            "a public route says nothing"
        );
    }
}

#[test]
fn a_deny_of_a_known_user_applies_on_public_routes_that_identify() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let blocked = "[api_user.mallory]\nclient_cn = \"mallory\"\ndeny = [\"* /maybe/blocked*\"]\n";
    let config = listener_with(&pki, "client_auth = \"optional\"") + blocked + &routes(&upstream);
    let gateway = Gateway::start(&config);
    let mallory = Client::new(&pki, Some(&pki.client("mallory")), gateway.address());
    let refused = mallory.get("/maybe/blocked/x");
    assert_eq!((refused.status, refused.reason().as_str()), (403, "denied"));
    assert_eq!(mallory.get("/maybe/other").status, 200);
}
