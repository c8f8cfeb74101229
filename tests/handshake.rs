//! TLS: who gets in, with which alert the others are refused, and what the log says.

use crate::support::client::{BOTH, get};
use crate::support::gateway::{listener, route_to, user};
use crate::support::{Client, Gateway, Pki, Upstream};

#[test]
fn a_client_with_a_certificate_reaches_the_upstream() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&(listener(&pki) + &user("alice", &["GET /*"]) + &route_to(upstream.address)));
    let client = Client::new(&pki, Some(&pki.client("alice")), gateway.address());
    for version in BOTH {
        let answer = client.send(version, get("/")).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    }
}
