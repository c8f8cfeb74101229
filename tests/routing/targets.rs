//! Forms of the request target: paths and URLs of the same host are forwarded, all else is refused.

use super::{Scene, route};

fn request(target: &str, host: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes()
}

#[test]
fn a_whole_url_is_taken_if_it_names_the_same_host() {
    let scene = Scene::new(&route("/", ""));
    for (target, host, expected) in [
        ("https://localhost/a?b", "localhost", "GET /a?b"),
        ("http://localhost/a", "localhost", "GET /a"),
        ("https://LOCALHOST:8443/a", "localhost:8443", "GET /a"),
        ("https://localhost", "localhost", "GET /"),
        ("https://localhost/a%2fb", "localhost", "400 encoded_slash"),
        ("https://localhost/a", "other.test", "400 bad_host"),
        ("https://other.test/a", "localhost", "400 bad_host"),
        ("https://localhost:1/a", "localhost", "400 bad_host"),
        (
            "https://localhost@other.test/a",
            "localhost",
            "400 bad_host",
        ),
        ("https://user@localhost/a", "localhost", "400 bad_host"),
        ("https://user@localhost/a", "user@localhost", "400 bad_host"),
    ] {
        assert_eq!(
            scene.outcome_of(&request(target, host)),
            expected,
            "{target} with {host}"
        );
    }
}

#[test]
fn a_target_that_is_no_path_is_rejected() {
    let scene = Scene::new(&route("/", ""));
    for (target, host, word) in [
        ("*", "localhost", "bad_path"),
        ("a/b", "localhost", "bad_path"),
        ("../x", "localhost", "bad_path"),
        ("localhost", "localhost", "bad_path"),
        ("localhost:443", "localhost:443", "bad_path"),
        ("localhost:443", "localhost", "bad_host"),
        ("?x", "localhost", "bad_path"),
    ] {
        assert_eq!(
            scene.outcome_of(&request(target, host)),
            format!("400 {word}"),
            "{target}"
        );
    }
    let options = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(scene.outcome_of(options), "400 bad_path");
    let options = b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(scene.outcome_of(options), "OPTIONS /");
}
