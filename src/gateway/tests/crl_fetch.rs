//! Revocation lists from URLs: a fetch that fails changes nothing, and one that brings a list counts.

use super::super::crl_fetch::fetch_due;
use super::*;
use crate::pki::RevocationList;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// Answers each request with this status and body.
fn server(status: &'static str, body: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let length = stream.read(&mut piece).unwrap();
                assert!(length > 0, "a whole request");
                request.extend_from_slice(&piece[..length]);
            }
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

/// The result of the first fetch from this server, and how many files are in the cache.
async fn fetched(scene: &Scene, server: SocketAddr, result: &str) -> usize {
    let tables = BASE.replace(
        "[upstream.api]",
        &format!(
            "[trust_domain.test.crl_fetch]\nurls = [\"http://{server}/ca.crl\"]\ncache = \"cache\"\n[upstream.api]"
        ),
    );
    std::fs::create_dir_all(scene.path("cache")).unwrap();
    scene.write("gateway.toml", &tables);
    let config = scene.path("gateway.toml");
    let telemetry = Arc::new(Telemetry::default());
    let outcome = load(&config, None, &telemetry, Depth::Errors);
    let report = outcome.report();
    let snapshot = Arc::new(outcome.snapshot.unwrap_or_else(|| panic!("{report}")));
    let shared = Arc::new(Shared::new(snapshot.clone(), telemetry));
    let all = || {
        let fetches = &shared.telemetry.metrics.crl_fetches;
        ["new", "unchanged", "unreachable", "unusable", result]
            .map(|word| fetches.with_label_values(&["test", word]).get())
            .iter()
            .sum::<u64>()
    };
    fetch_due(&shared, &snapshot);
    until(|| all() > 0).await;
    let fetches = &shared.telemetry.metrics.crl_fetches;
    assert_eq!(
        fetches.with_label_values(&["test", result]).get(),
        1,
        "{result}"
    );
    // Only a file that changes activates anything.
    assert!(Arc::ptr_eq(&shared.snapshot.load_full(), &snapshot));
    std::fs::read_dir(scene.path("cache")).unwrap().count()
}

#[tokio::test]
async fn a_list_of_the_ca_is_kept_and_nothing_else_is() {
    let scene = Scene::new();
    let signed = RevocationList::default().sign(&scene.authority, 1).unwrap();
    let other = Scene::new();
    let foreign = RevocationList::default().sign(&other.authority, 1).unwrap();
    for (status, body, result) in [
        ("200 OK", "nonsense".to_owned(), "unusable"),
        ("200 OK", foreign.pem.to_string(), "unusable"),
        ("404 Not Found", signed.pem.to_string(), "unreachable"),
    ] {
        assert_eq!(fetched(&scene, server(status, body), result).await, 0);
    }
    let good = server("200 OK", signed.pem.to_string());
    assert_eq!(fetched(&scene, good, "new").await, 1);
    assert_eq!(fetched(&scene, good, "unchanged").await, 1);
}
