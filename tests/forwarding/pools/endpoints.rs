//! Several endpoints of an upstream, and many requests at once.

use super::*;

#[test]
fn endpoints_take_turns() {
    let other = Upstream::start();
    let chain = Chain::configured(Upstream::start(), |_, address| {
        two_endpoints(address, other.address) + ONE_WORKER
    });
    for _ in 0..6 {
        assert_eq!(chain.client.get("/").status, 200);
    }
    assert_eq!(
        (chain.upstream.recorded().len(), other.recorded().len()),
        (3, 3)
    );
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_skipped() {
    let closed = ReservedPort::new();
    let chain = Chain::configured(Upstream::start(), |_, address| {
        two_endpoints(closed.address(), address)
    });
    for version in BOTH {
        for _ in 0..4 {
            let answer = chain
                .client
                .send(version, request("POST", "/", "once"))
                .unwrap();
            assert_eq!(answer.status, 200);
        }
    }
    assert_eq!(chain.upstream.recorded().len(), 8);
    let line = chain.gateway.wait_for_access(|line| line["status"] == 200);
    assert_eq!(line["endpoint"], chain.upstream.address.to_string());
}

fn two_endpoints(one: std::net::SocketAddr, other: std::net::SocketAddr) -> String {
    format!(
        "[upstream.api]\nendpoints = [\"http://{one}\", \"http://{other}\"]\n\
         [[route]]\npath = \"/\"\nupstream = \"api\"\n"
    )
}

#[test]
fn many_requests_on_many_connections_all_get_responses() {
    const REQUESTS: usize = 400;
    let chain = Chain::to(Upstream::answering(|seen| {
        Response::new(full(seen.body.clone()))
    }));
    let alice = chain.pki.client("alice");
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let client = Client::new(&chain.pki, Some(&alice), chain.gateway.address());
            scope.spawn(move || {
                let mut connection = client.connect(BOTH[worker % 2]).unwrap();
                for at in 0..REQUESTS {
                    let text = format!("{worker} {at}");
                    let answer = connection.send(request("POST", "/", &text)).unwrap();
                    assert_eq!((answer.status, answer.body), (200, text));
                }
            });
        }
    });
    assert_eq!(chain.upstream.recorded().len(), 8 * REQUESTS);
    chain
        .gateway
        .wait_for_metric("portcullis_connections_total", &[], 8.0);
    chain.is_unharmed();
}
