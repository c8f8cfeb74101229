//! Trailers: what may not stand in the head may not come behind the body either.

use super::{Scene, X_CLIENT, beginning_with};
use crate::support::client::{BOTH, body_with_trailers};
use http::{HeaderMap, HeaderName, Request};

const FORBIDDEN: [&str; 10] = [
    "X-Client-CN",
    "x_client_user",
    "X-Forwarded-Client-Cert",
    "Remote-User",
    "X-Forwarded-For",
    "X-HTTP-Method-Override",
    "X-Original-URL",
    "Authorization",
    "Cookie",
    "Host",
];

#[test]
fn trailers_in_chunks_carry_no_identity() {
    let scene = Scene::new();
    let named = FORBIDDEN.join(", ");
    let lines: String = FORBIDDEN
        .iter()
        .map(|name| format!("{name}: root\r\n"))
        .collect();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTrailer: X-Checksum, {named}\r\n\
         Transfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n{lines}X-Checksum: 42\r\n\r\n"
    );
    let answer = scene.alice().exchange(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    check(&scene);
}

#[test]
fn trailers_of_either_version_carry_no_identity() {
    let scene = Scene::new();
    let names: Vec<HeaderName> = FORBIDDEN.iter().map(|name| name.parse().unwrap()).collect();
    for version in BOTH {
        let mut trailers = HeaderMap::new();
        for name in &names {
            trailers.insert(name.clone(), "root".parse().unwrap());
        }
        trailers.insert("x-checksum", "42".parse().unwrap());
        let request = Request::post("https://localhost/")
            .header("trailer", format!("x-checksum, {}", FORBIDDEN.join(", ")))
            .body(body_with_trailers("data", trailers))
            .unwrap();
        let answer = scene.alice().send(version, request).unwrap();
        assert_eq!(answer.status, 200, "{version:?}");
        check(&scene);
    }
}

/// Only the harmless trailer went up, and the head says who the client is.
fn check(scene: &Scene) {
    let up = scene.upstream.recorded().pop().unwrap();
    assert_eq!(up.body, "data");
    let trailers = up.trailers.clone().expect("trailers");
    let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-checksum"]);
    assert_eq!(trailers["x-checksum"], "42");
    assert_eq!(beginning_with(&up, "x-client-"), X_CLIENT);
    assert!(!up.headers.values().any(|value| value == "root"), "{up:?}");
}
