//! What must hold for each parser of foreign bytes, whatever the bytes are. Run by cargo-fuzz (`fuzz_targets`) and, over seeds and
//! their mutations, by `cargo test` (`tests/fuzz_smoke.rs`). A parser that panics fails, too.

use portcullis::condition::Condition;
use portcullis::forward::{
    Asked, ChunkScanner, field_space, parse_head, parse_response_head, read_trailers,
};
use portcullis::identity::ProxyHeader;
use portcullis::route::CanonicalTarget;
use portcullis::tls::{CertificateFacts, DenyList, certificates_in};

/// A parser with inputs that it accepts.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: &'static [&'static [u8]],
}

/// All targets; each has a file in `fuzz_targets`.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "request_head",
        run: request_head,
        seeds: &[
            b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\n\r\n",
            b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"PUT / HTTP/1.0\r\nHost: [::1]:80\r\nContent-Length: 3\r\nConnection: close, x-a\r\n\r\nabc",
        ],
    },
    Target {
        name: "response_head",
        run: response_head,
        seeds: &[
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    },
    Target {
        name: "chunks",
        run: chunks,
        seeds: &[
            b"3\r\nabc\r\n0\r\n\r\n",
            b"1;name=value\r\na\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET ",
        ],
    },
    Target {
        name: "trailers",
        run: trailers,
        seeds: &[b"\r\n", b"X-Sum: 1\r\nServer-Timing: a;dur=1\r\n\r\n"],
    },
    Target {
        name: "path",
        run: path,
        seeds: &[
            b"/a/b/../c//d?x=%20&y=1",
            b"/%E2%82%AC/%2e%2e/a;b=c/./%41",
            b"/api/{x}/%c3%bc",
        ],
    },
    Target {
        name: "proxy_v2",
        run: proxy_v2,
        seeds: &[
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\x10\0\x01\xbb",
            b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00",
        ],
    },
    Target {
        name: "condition",
        run: condition,
        seeds: &[
            b"request.method == \"GET\" && captures.kind in [\"a\", \"b\"]",
            b"has(certificate.cn) && certificate.cn.startsWith(\"x\") || now < timestamp(\"2030-01-01T00:00:00Z\")",
            b"!(user in [\"a\"]) ? source.startsWith(\"10.\") : request.path.matches(\"^/a\")",
        ],
    },
    Target {
        name: "deny_list",
        run: deny_list,
        seeds: &[
            b"# comment\nuser alice\ncn bob\n",
            b"fingerprint 0000000000000000000000000000000000000000000000000000000000000000\n",
        ],
    },
    Target {
        name: "certificate",
        run: certificate,
        seeds: &[
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            include_bytes!("seeds/certificate.pem"),
        ],
    },
];

/// A head has one length, found from exactly its bytes.
pub fn request_head(bytes: &[u8]) {
    let mut space = field_space();
    let Ok(Some(head)) = parse_head(bytes, &mut space) else {
        return;
    };
    let length = head.length;
    let again = |piece: &[u8]| matches!(parse_head(piece, &mut field_space()), Ok(Some(_)));
    assert!(again(&bytes[..length]), "the head alone");
    assert!(!again(&bytes[..length - 1]), "the head without its end");
}

/// As of requests.
pub fn response_head(bytes: &[u8]) {
    for asked in [Asked::Head, Asked::Other] {
        let mut space = field_space();
        let Ok(Some(head)) = parse_response_head(bytes, asked, &mut space) else {
            continue;
        };
        let length = head.length;
        let again = |piece: &[u8]| {
            let mut space = field_space();
            matches!(parse_response_head(piece, asked, &mut space), Ok(Some(_)))
        };
        assert!(again(&bytes[..length]), "the head alone");
        assert!(!again(&bytes[..length - 1]), "the head without its end");
    }
}

/// A chunked body ends at the same byte, or fails, however it is cut.
pub fn chunks(bytes: &[u8]) {
    let mut whole = ChunkScanner::default();
    let at_once = whole.scan(bytes);
    let mut cut = ChunkScanner::default();
    let mut taken = 0;
    let mut failed = false;
    for byte in bytes {
        match cut.scan(&[*byte]) {
            Ok(length) => taken += length,
            Err(_) => {
                failed = true;
                break;
            }
        }
        if cut.is_complete() {
            break;
        }
    }
    assert_eq!(at_once.is_err(), failed);
    if let Ok(length) = at_once {
        assert_eq!((length, whole.is_complete()), (taken, cut.is_complete()));
    }
}

/// Trailers that pass are valid fields.
pub fn trailers(bytes: &[u8]) {
    let _ = read_trailers(bytes);
}

/// The canonical form of a canonical target is itself.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(target) = CanonicalTarget::parse(text) {
        let canonical = target.pieces().concat();
        let again = CanonicalTarget::parse(&canonical).map(|target| target.pieces().concat());
        assert_eq!(again.ok(), Some(canonical));
    }
}

/// Every beginning of a header that can be read may begin one.
pub fn proxy_v2(bytes: &[u8]) {
    if ProxyHeader::read(bytes).is_ok() {
        for length in 0..=bytes.len() {
            assert!(ProxyHeader::may_begin(&bytes[..length]).is_ok(), "{length}");
        }
    }
}

/// A condition is accepted or has an error with a text.
pub fn condition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Condition::compile(text) {
        Ok(condition) => assert_eq!(condition.text(), text),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What one strict reading accepts, the lenient one reads without an error and to the same list.
pub fn deny_list(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (usable, errors) = DenyList::parse_usable(text);
    match DenyList::parse(text) {
        Ok(list) => {
            assert!(errors.is_empty());
            assert_eq!(list.len(), usable.len());
        }
        Err(_) => assert!(!errors.is_empty()),
    }
}

/// PEM and the DER in it.
pub fn certificate(bytes: &[u8]) {
    for der in certificates_in(bytes).unwrap_or_default() {
        let _ = CertificateFacts::read(&der);
    }
}
