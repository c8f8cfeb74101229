//! Certificates that end on open connections, and those of the gateway itself.

use super::*;

#[test]
fn a_certificate_ends_for_all_connections_of_its_client_at_once() {
    let (pki, upstream) = (Pki::new(), Upstream::start());
    let gateway = Gateway::start(&config(&pki, &upstream));
    let client = Client::new(
        &pki,
        Some(&pki.of_kind("alice", Kind::ExpiresIn(8))),
        gateway.address(),
    );
    let bob = Client::new(&pki, Some(&pki.client("bob")), gateway.address());
    let connect = |client| {
        let mut connection = Client::connect(client, Version::Http1).unwrap();
        assert_eq!(connection.send(get("/")).unwrap().status, 200);
        connection
    };
    let (mut first, mut others) = (connect(&client), [(); 4].map(|()| connect(&client)));
    let mut of_bob = connect(&bob);
    eventually("one of them finds it", || {
        let answer = first.send(get("/")).unwrap();
        (answer.status != 200).then(|| assert_eq!(answer.reason(), "expired"))
    });
    // They share what is known of the client, and with it when the clock was looked at.
    for connection in &mut others {
        assert_eq!(connection.send(get("/")).unwrap().reason(), "expired");
    }
    assert_eq!(of_bob.send(get("/")).unwrap().status, 200);
}

#[test]
fn status_lists_anchors_and_certificates_for_upstreams() {
    let (pki, theirs) = (Pki::new(), Pki::named("Upstream CA"));
    let Identity {
        certificate_file,
        key_file,
        ..
    } = pki.of_kind("gateway", Kind::ExpiresIn(50 * DAY));
    let upstream = format!(
        "[upstream.api]\nendpoints = [\"https://127.0.0.1:1\"]\nanchors = [{:?}]\ncertificate = {certificate_file:?}\n\
         private_key = {key_file:?}\n[[route]]\npath = \"/\"\nupstream = \"api\"\n",
        theirs.ca_file(),
    );
    let gateway = Gateway::start(&(listener(&pki) + &users() + &upstream));
    for (kind, file) in [
        ("upstream_anchor", theirs.ca_file()),
        ("upstream_client", certificate_file),
    ] {
        let labels = [("kind", kind), ("name", "api")];
        let told = gateway.metric(
            "portcullis_certificate_not_after_timestamp_seconds",
            &labels,
        );
        assert_eq!(
            told,
            not_after(&std::fs::read_to_string(file).unwrap()) as f64,
            "{kind}"
        );
    }
}
