//! Unused connections to upstreams give way to those that are needed, also those of another worker; a request for which there
//! is none is told when to come again.

use super::{Scene, smallest_limit};
use crate::support::client::{Connection, Version, get, read};
use crate::support::gateway::ONE_WORKER;
use crate::support::upstream::HeldUpstream;
use crate::support::{Client, Gateway, eventually};
use http::Response;
use hyper::body::Incoming;
use tokio::task::JoinHandle;

/// So many requests at once on a connection.
fn ask(
    client: &Client,
    connection: &Connection<'_>,
    path: &'static str,
    count: usize,
) -> Vec<JoinHandle<u16>> {
    let ask = || {
        let mut sender = connection.http2().clone();
        client
            .runtime()
            .spawn(async move { status(&sender.send_request(get(path)).await.unwrap()) })
    };
    (0..count).map(|_| ask()).collect()
}

fn status(response: &Response<Incoming>) -> u16 {
    response.status().as_u16()
}

fn all_good(client: &Client, answers: Vec<JoinHandle<u16>>) {
    client.runtime().block_on(async {
        for answer in answers {
            assert_eq!(answer.await.unwrap(), 200);
        }
    });
}

/// One worker, and a second route and upstream.
fn two_upstreams(scene: &Scene, first: &HeldUpstream, second: &HeldUpstream) -> String {
    scene.config("", first.upstream.address)
        + &format!(
            "[upstream.other]\nendpoints = [\"http://{}\"]\n",
            second.upstream.address
        )
        + "[[route]]\npath = \"/other\"\nupstream = \"other\"\n"
}

#[test]
fn connections_that_are_kept_unused_give_way_to_those_that_are_needed() {
    let (scene, first, second) = (Scene::new(), HeldUpstream::start(), HeldUpstream::start());
    let config = two_upstreams(&scene, &first, &second);
    let limit = smallest_limit(&config);
    let gateway = Gateway::start_with_descriptors(&config, limit, limit);
    let part = gateway.metric("portcullis_descriptor_budget", &[("use", "upstreams")]) as usize;
    let alice = scene.client(&gateway, &scene.alice);
    let connection = alice.connect(Version::Http2).unwrap();
    for (path, held) in [("/", &first), ("/other", &second)] {
        let answers = ask(&alice, &connection, path, part);
        held.wait_for_requests(part);
        held.open();
        all_good(&alice, answers);
    }
}

#[test]
fn unused_connections_of_another_worker_give_way_to_requests_that_wait_for_them() {
    let (scene, first, second) = (Scene::new(), HeldUpstream::start(), HeldUpstream::start());
    let config =
        two_upstreams(&scene, &first, &second).replace(ONE_WORKER, "[gateway]\nworkers = 2\n");
    let limit = smallest_limit(&config);
    let gateway = Gateway::start_with_descriptors(&config, limit, limit);
    let part = gateway.metric("portcullis_descriptor_budget", &[("use", "upstreams")]) as usize;
    let alice = scene.client(&gateway, &scene.alice);
    let connections = [(); 2].map(|()| alice.connect(Version::Http2).unwrap());
    eventually("one connection on each worker", || {
        let open =
            |worker| gateway.metric("portcullis_worker_connections_open", &[("worker", worker)]);
        (open("0") == 1.0 && open("1") == 1.0).then_some(())
    });
    let answers = ask(&alice, &connections[0], "/", part);
    first.wait_for_requests(part);
    first.open();
    all_good(&alice, answers);
    let used = || gateway.metric("portcullis_descriptors_used", &[("use", "upstreams")]) as usize;
    assert!(
        used() > part / 2,
        "the first worker keeps most connections: {} of {part}",
        used()
    );
    let answers = ask(&alice, &connections[1], "/other", part);
    second.wait_for_requests(part);
    // Now none is unused.
    let denied = alice.runtime().block_on(async {
        let response = connections[0]
            .http2()
            .clone()
            .send_request(get("/"))
            .await
            .unwrap();
        read(response).await.unwrap()
    });
    assert_eq!(
        (denied.status, denied.reason().as_str()),
        (503, "upstream_connections_used_up")
    );
    assert_eq!(denied.header("retry-after"), Some("1"));
    second.open();
    all_good(&alice, answers);
    let failures = [("reason", "upstream_connections_used_up")];
    assert_eq!(
        gateway.metric("portcullis_upstream_failures_total", &failures),
        1.0
    );
    assert_eq!(alice.get("/").status, 200);
}
