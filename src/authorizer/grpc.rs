//! One unary call of gRPC over HTTP/2: its head, its framing of messages, and its trailers. Knows no message.

use super::verdict::Silence;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::time::Duration;

/// Longest answer.
pub(super) const LARGEST: usize = 64 << 10;
/// A flag and a length stand before each message.
const PREFIX: usize = 5;

/// A call of the method with this URL, with one message.
pub(super) fn request(url: &str, message: &[u8], timeout: Duration) -> Option<Request<Bytes>> {
    let length = u32::try_from(message.len()).ok()?;
    let mut body = BytesMut::with_capacity(PREFIX + message.len());
    // Not compressed.
    body.put_u8(0);
    body.put_u32(length);
    body.put_slice(message);
    // At most eight digits.
    let timeout = timeout.as_millis().clamp(1, 99_999_999);
    Request::post(url)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", format!("{timeout}m"))
        .header(
            "user-agent",
            concat!("portcullis/", env!("CARGO_PKG_VERSION")),
        )
        .body(body.freeze())
        .ok()
}

/// The one message of a whole and good answer.
pub(super) async fn message(answer: Response<Incoming>) -> Result<Bytes, Silence> {
    let (head, body) = answer.into_parts();
    if head.status != StatusCode::OK {
        return Err(Silence::Failed(head.status));
    }
    let kind = head
        .headers
        .get("content-type")
        .map(|kind| kind.as_bytes())
        .unwrap_or_default();
    if !kind.starts_with(b"application/grpc") {
        return Err(Silence::Malformed("no gRPC"));
    }
    // Trailers alone come as the head.
    if let Some(status) = status(&head.headers)? {
        return Err(if status == 0 {
            Silence::Malformed("no message")
        } else {
            Silence::Status(status)
        });
    }
    let collected = Limited::new(body, LARGEST + PREFIX)
        .collect()
        .await
        .map_err(broken)?;
    match collected.trailers().map(status).transpose()?.flatten() {
        Some(0) => unframed(collected.to_bytes()),
        Some(status) => Err(Silence::Status(status)),
        None => Err(Silence::Malformed("no grpc-status")),
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> Silence {
    match error.is::<http_body_util::LengthLimitError>() {
        true => Silence::Malformed("too large"),
        false => Silence::unreachable(error),
    }
}

fn status(fields: &HeaderMap) -> Result<Option<u32>, Silence> {
    let mut values = fields.get_all("grpc-status").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            let number = one.to_str().ok().and_then(|text| text.parse().ok());
            number
                .map(Some)
                .ok_or(Silence::Malformed("a grpc-status that is no number"))
        }
        _ => Err(Silence::Malformed("two grpc-status")),
    }
}

/// The one message, and nothing behind it.
fn unframed(mut body: Bytes) -> Result<Bytes, Silence> {
    let (flag, length) = match body.get(..PREFIX) {
        Some(&[flag, a, b, c, d]) => (flag, u32::from_be_bytes([a, b, c, d])),
        _ => return Err(Silence::Malformed("no message")),
    };
    let message = body.split_off(PREFIX);
    match (flag, usize::try_from(length)) {
        (0, Ok(length)) if length == message.len() => Ok(message),
        (0, _) => Err(Silence::Malformed("not one message")),
        // We have said that we take no compression.
        _ => Err(Silence::Malformed("a compressed message")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_says_how_long_its_message_is() {
        let request = request(
            "http://a:1/service/Method",
            b"abc",
            Duration::from_millis(500),
        )
        .unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().path()),
            ("POST", "/service/Method")
        );
        assert_eq!(request.headers()["grpc-timeout"], "500m");
        assert_eq!(request.into_body(), b"\0\0\0\0\x03abc"[..]);
    }

    #[test]
    fn an_answer_is_one_message_that_is_not_compressed() {
        assert_eq!(
            unframed(Bytes::from_static(b"\0\0\0\0\x03abc")).unwrap(),
            b"abc"[..]
        );
        assert_eq!(
            unframed(Bytes::from_static(b"\0\0\0\0\0")).unwrap(),
            b""[..]
        );
        for bad in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x03abc",
            b"\0\0\0\0\x03ab",
            b"\0\0\0\0\x03abcd",
            b"\0\xff\xff\xff\xffabc",
            b"\0\0\0\0\x01a\0\0\0\0\x01b",
        ] {
            assert!(
                matches!(
                    unframed(Bytes::copy_from_slice(bad)),
                    Err(Silence::Malformed(_))
                ),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_status_stands_once_and_is_a_number() {
        let fields = |values: &[&'static str]| {
            let mut fields = HeaderMap::new();
            for value in values {
                fields.append("grpc-status", value.parse().unwrap());
            }
            fields
        };
        assert_eq!(status(&fields(&[])).unwrap(), None);
        assert_eq!(status(&fields(&["14"])).unwrap(), Some(14));
        for bad in [&["0", "0"][..], &["ok"], &["-1"], &[""]] {
            assert!(status(&fields(bad)).is_err(), "{bad:?}");
        }
    }
}
