//! Who came by a front proxy loses what is open with its right, and nobody else on the same connection does.

use super::{Scene, byte_sequence, saying};
use crate::support::client::{BOTH, Version};
use crate::support::{Client, Gateway, Upstream, eventually};
use http_body_util::BodyExt;

/// An upstream whose answers never end.
fn endless() -> Upstream {
    Upstream::scripted(|mut stream, _| {
        crate::support::upstream::read_head(&mut stream);
        let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        while std::io::Write::write_all(&mut stream, text.as_bytes()).is_ok() {
            text = "1\r\n.\r\n".to_owned();
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    })
}

/// Takes frames of a body that goes on; how many there were.
async fn frames_of(mut body: hyper::body::Incoming, most: usize) -> usize {
    for count in 0..most {
        if !matches!(body.frame().await, Some(Ok(_))) {
            return count;
        }
    }
    most
}

/// Reads an answer to its end; whether the end was a clean one.
fn read_to_end(client: &Client, answer: http::Response<hyper::body::Incoming>) -> bool {
    client.runtime().block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(30), async {
            let mut body = answer.into_body();
            loop {
                match body.frame().await {
                    None => return true,
                    Some(Err(_)) => return false,
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
        .expect("the answer ends")
    })
}

/// The config of a scene, with the deny list `denied` for forwarded clients.
fn with_deny_list(scene: &Scene) -> String {
    let domain = crate::support::gateway::trust_domain("partners", &scene.partners);
    let list = format!("{domain}deny_list = {:?}\n", scene.partners.path("denied"));
    scene
        .config("", "identity = \"rfc9440\"")
        .replace(&domain, &list)
}

#[test]
fn a_stream_ends_when_its_client_is_on_the_deny_list_and_the_others_go_on() {
    let mut scene = Scene::new();
    scene.upstream = endless();
    let denied = scene.partners.path("denied");
    std::fs::write(&denied, "").unwrap();
    let with_list = with_deny_list(&scene);
    let gateway = Gateway::start(&with_list);
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        std::fs::write(&denied, "").unwrap();
        gateway.reload_with(&with_list);
        let fields = [("client-cert", &*byte_sequence(&scene.alice))];
        let mut connection = edge.connect(version).unwrap();
        let answer = connection.start(saying("/events", &fields)).unwrap();
        assert_eq!(answer.status(), 200);
        // On the same connection, where requests have streams of their own.
        let bob = byte_sequence(&scene.partners.client("bob"));
        let of_bob = (version == Version::Http2).then(|| {
            connection
                .start(saying("/bob/x", &[("client-cert", &bob)]))
                .unwrap()
        });
        std::fs::write(&denied, "cn alice\n").unwrap();
        gateway.reload_with(&with_list);
        assert!(!read_to_end(&edge, answer), "{version:?}");
        if let Some(of_bob) = of_bob {
            let frames = edge.runtime().block_on(frames_of(of_bob.into_body(), 20));
            assert_eq!(frames, 20);
        }
    }
}

#[test]
fn what_is_open_by_a_front_proxy_ends_with_its_listing_and_is_never_its_own() {
    let mut scene = Scene::new();
    scene.upstream = endless();
    let config = scene.config("", "identity = \"rfc9440\"");
    let gateway = Gateway::start(&config);
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        gateway.reload_with(&config);
        let mut connection = edge.connect(version).unwrap();
        let fields = [("client-cert", &*byte_sequence(&scene.alice))];
        let answer = connection.start(saying("/events", &fields)).unwrap();
        gateway.reload_with(&config.replace("peers = [\"edge\"]", "peers = [\"other\"]"));
        assert!(!read_to_end(&edge, answer), "{version:?}");
    }
    eventually("a line in the log", || {
        gateway
            .access_log()
            .into_iter()
            .find(|line| line["reason"] == "not_a_front_proxy")
    });
}

#[test]
fn a_forwarded_client_is_identified_again_after_a_reload_and_never_cached_as_denied() {
    let scene = Scene::new();
    let denied = scene.partners.path("denied");
    std::fs::write(&denied, "").unwrap();
    let with_list = with_deny_list(&scene);
    let gateway = Gateway::start(&with_list);
    let edge = scene.client(&gateway, &scene.edge);
    for version in BOTH {
        let mut connection = edge.connect(version).unwrap();
        let mut status = || {
            let fields = [("client-cert", &*byte_sequence(&scene.alice))];
            connection.send(saying("/", &fields)).unwrap().status
        };
        for (text, expected) in [("", 200), ("user alice\n", 403), ("", 200)] {
            std::fs::write(&denied, text).unwrap();
            gateway.reload_with(&with_list);
            assert_eq!(
                (status(), status()),
                (expected, expected),
                "{version:?} {text:?}"
            );
        }
    }
}

#[test]
fn a_connection_forwards_more_clients_than_it_caches() {
    let scene = Scene::new();
    let many: Vec<_> = (0..70).map(|_| scene.partners.client("alice")).collect();
    let gateway = scene.start("", "identity = \"rfc9440\"");
    let edge = scene.client(&gateway, &scene.edge);
    let mut connection = edge.connect(Version::Http1).unwrap();
    for identity in many.iter().chain(&many) {
        assert_eq!(
            connection
                .send(saying("/", &[("client-cert", &byte_sequence(identity))]))
                .unwrap()
                .status,
            200
        );
        let up = scene.last();
        let serial = identity.serial_text();
        assert_eq!(
            up.values("x-client-serial")[0].trim_start_matches('0'),
            serial.trim_start_matches('0')
        );
    }
}
