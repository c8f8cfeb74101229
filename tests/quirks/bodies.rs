//! Bodies that are too large, and bodies in small pieces.

use super::*;

#[test]
fn a_body_that_says_it_is_too_large_never_reaches_the_upstream() {
    for version in BOTH {
        let (upstream, seen) = always("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let front = Front::to(
            upstream.address,
            "[[route]]\npath = \"/small\"\nbody_size = \"1KiB\"\nupstream = \"api\"\n",
        );
        let refused = front
            .client
            .send(version, request("POST", "/small", &"x".repeat(1025)))
            .unwrap();
        assert_eq!(
            (refused.status, refused.reason().as_str()),
            (413, "body_too_large"),
            "{version:?}"
        );
        assert_eq!(seen_by(&seen), Vec::new());
        let taken = front
            .client
            .send(version, request("POST", "/other", ""))
            .unwrap();
        assert_eq!(taken.status, 200);
    }
}

#[test]
fn what_comes_in_small_pieces_comes_whole_whether_it_is_acknowledged_at_once_or_not() {
    for (version, quick_ack) in BOTH
        .into_iter()
        .flat_map(|way| [(way, "adaptive"), (way, "off")])
    {
        let theirs = Pki::named("Their CA");
        let upstream = tls_upstream(&theirs, |mut stream| {
            while !stream.read_head().is_empty() {
                stream.write("HTTP/1.1 200 OK\r\nContent-Length: 13312\r\n\r\n");
                for letter in ('a'..='z').take(13) {
                    stream.write(&letter.to_string().repeat(1024));
                }
            }
        });
        let endpoint = format!("https://localhost:{}", upstream.address.port());
        let keys = format!(
            "anchors = [\"{}\"]\nquick_ack = \"{quick_ack}\"\n",
            theirs.ca_file().display()
        );
        let front = Front::new(&endpoint, &keys);
        let mut connection = front.client.connect(version).unwrap();
        let expected: String = ('a'..='m')
            .map(|letter| letter.to_string().repeat(1024))
            .collect();
        for _ in 0..5 {
            assert!(
                connection.send(get("/")).unwrap().body == expected,
                "{version:?} {quick_ack}"
            );
        }
    }
}
