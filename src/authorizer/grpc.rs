//! One unary gRPC call over HTTP/2: head, message framing and trailers. Independent of the messages.

use super::verdict::AuthorizerError;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::time::Duration;

/// Maximum size of a response message, in bytes.
pub(super) const MAX_MESSAGE: usize = 64 << 10;
/// Length of the prefix of each message, in bytes: a flag and a length.
const PREFIX: usize = 5;

/// Creates a call of the method with this URL, with one message. `None` if the message is too long.
pub(super) fn request(url: &str, message: &[u8], timeout: Duration) -> Option<Request<Bytes>> {
    let length = u32::try_from(message.len()).ok()?;
    let mut body = BytesMut::with_capacity(PREFIX + message.len());
    // Not compressed.
    body.put_u8(0);
    body.put_u32(length);
    body.put_slice(message);
    // The protocol allows at most eight digits.
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

/// Reads the only message of a successful response.
///
/// # Errors
/// [`AuthorizerError`] if the response is incomplete, malformed or has another status.
pub(super) async fn message(response: Response<Incoming>) -> Result<Bytes, AuthorizerError> {
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(AuthorizerError::Failed(head.status));
    }
    let kind = head
        .headers
        .get("content-type")
        .map(|kind| kind.as_bytes())
        .unwrap_or_default();
    if !kind.starts_with(b"application/grpc") {
        return Err(AuthorizerError::Malformed("not gRPC"));
    }
    // A response of only trailers has the status in its head.
    if let Some(status) = status(&head.headers)? {
        return Err(if status == 0 {
            AuthorizerError::Malformed("no message")
        } else {
            AuthorizerError::Status(status)
        });
    }
    let collected = Limited::new(body, MAX_MESSAGE + PREFIX)
        .collect()
        .await
        .map_err(broken)?;
    match collected.trailers().map(status).transpose()?.flatten() {
        Some(0) => unframed(collected.to_bytes()),
        Some(status) => Err(AuthorizerError::Status(status)),
        None => Err(AuthorizerError::Malformed("no grpc-status")),
    }
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> AuthorizerError {
    match error.is::<http_body_util::LengthLimitError>() {
        true => AuthorizerError::Malformed("too large"),
        false => AuthorizerError::unreachable(error),
    }
}

fn status(fields: &HeaderMap) -> Result<Option<u32>, AuthorizerError> {
    let mut values = fields.get_all("grpc-status").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            let number = one.to_str().ok().and_then(|text| text.parse().ok());
            number.map(Some).ok_or(AuthorizerError::Malformed(
                "a grpc-status that is not a number",
            ))
        }
        _ => Err(AuthorizerError::Malformed("two grpc-status")),
    }
}

/// Removes the prefix of the only message in the body.
fn unframed(mut body: Bytes) -> Result<Bytes, AuthorizerError> {
    let (flag, length) = match body.get(..PREFIX) {
        Some(&[flag, a, b, c, d]) => (flag, u32::from_be_bytes([a, b, c, d])),
        _ => return Err(AuthorizerError::Malformed("no message")),
    };
    let message = body.split_off(PREFIX);
    match (flag, usize::try_from(length)) {
        (0, Ok(length)) if length == message.len() => Ok(message),
        (0, _) => Err(AuthorizerError::Malformed("not one message")),
        // The request does not offer compression.
        _ => Err(AuthorizerError::Malformed("a compressed message")),
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
    fn a_grpc_response_is_one_uncompressed_message() {
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
                    Err(AuthorizerError::Malformed(_))
                ),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_status_appears_once_and_is_a_number() {
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
