//! Refusals of gRPC requests: a trailers-only response, which has the HTTP status 200 and the gRPC status in its head.

use super::Rejection;
use http::StatusCode;
use std::fmt::Write;

pub(super) const CONTENT_TYPE: &str = "application/grpc";

/// The gRPC status for an HTTP status: that of gRPC's own mapping, but precise where gRPC has a status of that meaning.
fn code(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST => 13,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 12,
        StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::GATEWAY_TIMEOUT => 4,
        _ => 2,
    }
}

/// The gRPC status of a refused request, as fields.
pub(super) fn fields(rejection: &Rejection<'_>) -> [(&'static str, String); 2] {
    let message = match rejection {
        // The route hides why.
        Rejection::Absent { .. } => "Not found.".to_owned(),
        _ => format!("{} ({})", rejection.sentence(), rejection.reason().word()),
    };
    [
        ("grpc-status", code(rejection.status()).to_string()),
        ("grpc-message", percent_encoded(&message)),
    ]
}

/// `Status-Message` of gRPC: printable ASCII, with `%` and all other bytes percent-encoded.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::Denied;
    use crate::endpoint::ConnectError;
    use crate::respond::{ResponseFormat, refuse};
    use crate::upstream::UpstreamError;

    fn field(rejection: &Rejection<'_>, name: &str) -> String {
        let response = refuse(rejection, ResponseFormat::Grpc, "id");
        assert_eq!(response.sent_status(), StatusCode::OK);
        assert!(response.body.is_empty());
        let mut values = response.fields.into_iter().filter(|(own, _)| *own == name);
        values.next().expect("a field").1
    }

    #[test]
    fn a_refusal_has_the_grpc_status_of_its_meaning() {
        let endpoint = || "a:1".to_owned();
        let connect = UpstreamError::Connect {
            endpoint: endpoint(),
            source: ConnectError::NoDescriptors,
        };
        let late = UpstreamError::ResponseTimeout {
            endpoint: endpoint(),
        };
        for (rejection, expected) in [
            (Rejection::NoCertificate, "16"),
            (Rejection::UnknownUser, "7"),
            (Rejection::Denied(Denied::NoPermission), "7"),
            (Rejection::NoRoute, "12"),
            (Rejection::BadHost, "13"),
            (Rejection::Upstream(connect), "14"),
            (Rejection::Upstream(late), "4"),
            (Rejection::MethodNotAllowed, "2"),
        ] {
            assert_eq!(field(&rejection, "grpc-status"), expected, "{rejection:?}");
        }
        assert_eq!(code(StatusCode::TOO_MANY_REQUESTS), 8);
    }

    #[test]
    fn a_route_that_hides_denials_hides_them_from_grpc() {
        let absent = |denied| Rejection::Absent {
            denied,
            path: "x".into(),
        };
        let (hidden, missing) = (absent(Some(Denied::NoPermission)), absent(None));
        for name in ["grpc-status", "grpc-message"] {
            assert_eq!(field(&hidden, name), field(&missing, name));
        }
    }

    #[test]
    fn a_message_is_printable_ascii() {
        assert_eq!(percent_encoded("50% é\n"), "50%25 %C3%A9%0A");
        assert!(field(&Rejection::UnknownUser, "grpc-message").ends_with(" (unknown_user)"));
    }
}
