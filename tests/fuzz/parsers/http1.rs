//! HTTP/1 heads, chunks and trailers, and targets.

use super::Reading;
use portcullis::forward::{
    ChunkScanner, RequestKind, field_space, parse_head, parse_response_head, read_trailers,
};
use portcullis::route::CanonicalTarget;

/// A head has one length, found from exactly its bytes.
pub fn request_head(bytes: &[u8]) -> Reading {
    let mut space = field_space();
    let Ok(Some(head)) = parse_head(bytes, &mut space) else {
        return Reading::Rejected;
    };
    let length = head.length;
    let again = |piece: &[u8]| matches!(parse_head(piece, &mut field_space()), Ok(Some(_)));
    assert!(again(&bytes[..length]), "the head alone");
    assert!(!again(&bytes[..length - 1]), "the head without its end");
    Reading::Accepted
}

/// As of requests.
pub fn response_head(bytes: &[u8]) -> Reading {
    let mut reading = Reading::Rejected;
    for asked in [RequestKind::Head, RequestKind::Other] {
        let mut space = field_space();
        let Ok(Some(head)) = parse_response_head(bytes, asked, &mut space) else {
            continue;
        };
        reading = Reading::Accepted;
        let length = head.length;
        let again = |piece: &[u8]| {
            let mut space = field_space();
            matches!(parse_response_head(piece, asked, &mut space), Ok(Some(_)))
        };
        assert!(again(&bytes[..length]), "the head alone");
        assert!(!again(&bytes[..length - 1]), "the head without its end");
    }
    reading
}

/// A chunked body ends at the same byte, or fails, however it is cut.
pub fn chunks(bytes: &[u8]) -> Reading {
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
    let Ok(length) = at_once else {
        return Reading::Rejected;
    };
    assert_eq!((length, whole.is_complete()), (taken, cut.is_complete()));
    Reading::Accepted
}

/// Trailers that pass neither frame nor authenticate, and read the same when they are written again.
pub fn trailers(bytes: &[u8]) -> Reading {
    let Ok(passing) = read_trailers(bytes) else {
        return Reading::Rejected;
    };
    let mut written = Vec::new();
    for (name, value) in &passing {
        assert!(
            ![
                "content-length",
                "transfer-encoding",
                "host",
                "authorization"
            ]
            .contains(&name.as_str()),
            "{name}"
        );
        written.extend_from_slice(name.as_str().as_bytes());
        written.extend_from_slice(b": ");
        written.extend_from_slice(value.as_bytes());
        written.extend_from_slice(b"\r\n");
    }
    written.extend_from_slice(b"\r\n");
    assert_eq!(read_trailers(&written), Ok(passing));
    Reading::Accepted
}

/// The canonical form of a canonical target is itself.
pub fn path(bytes: &[u8]) -> Reading {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Reading::Rejected;
    };
    let Ok(target) = CanonicalTarget::parse(text) else {
        return Reading::Rejected;
    };
    let canonical = target.pieces().concat();
    let again = CanonicalTarget::parse(&canonical).map(|target| target.pieces().concat());
    assert_eq!(again.ok(), Some(canonical));
    Reading::Accepted
}
