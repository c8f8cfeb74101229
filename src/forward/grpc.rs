//! What the gateway reads of gRPC requests: their content type and deadline (gRPC over HTTP/2). Reads no message.

use crate::head::Fields;
use std::time::Duration;

/// Whether a request is one of gRPC. `application/grpc-web` is not: it has no trailers of HTTP.
pub fn is_grpc<F: Fields + ?Sized>(fields: &F) -> bool {
    const NAME: &[u8] = b"application/grpc";
    let Some(kind) = fields.first_value("content-type") else {
        return false;
    };
    kind.split_at_checked(NAME.len())
        .is_some_and(|(name, rest)| {
            name.eq_ignore_ascii_case(NAME) && matches!(rest.first(), None | Some(b'+' | b';'))
        })
}

/// The deadline of a gRPC request, from its beginning. `None` without a valid one.
pub fn grpc_timeout<F: Fields + ?Sized>(fields: &F) -> Option<Duration> {
    if !is_grpc(fields) {
        return None;
    }
    let (unit, digits) = fields.first_value("grpc-timeout")?.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_a_content_type() {
        let is = |kind: &[u8]| is_grpc(&[("Content-Type", kind)][..]);
        for kind in [
            &b"application/grpc"[..],
            b"application/grpc+proto",
            b"Application/GRPC;x=y",
        ] {
            assert!(is(kind), "{kind:?}");
        }
        for kind in [
            &b"application/grpc-web"[..],
            b"application/grpcx",
            b"application/json",
            b"",
        ] {
            assert!(!is(kind), "{kind:?}");
        }
        assert!(!is_grpc::<[(&str, &[u8])]>(&[]));
    }

    #[test]
    fn a_deadline_has_at_most_eight_digits_and_a_unit() {
        let timeout = |value: &str, kind: &str| {
            let fields: &[(&str, &[u8])] = &[
                ("grpc-timeout", value.as_bytes()),
                ("content-type", kind.as_bytes()),
            ];
            grpc_timeout(fields)
        };
        let grpc = "application/grpc";
        for (value, expected) in [
            ("2H", Duration::from_secs(7200)),
            ("2M", Duration::from_secs(120)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("250m", Duration::from_millis(250)),
            ("1u", Duration::from_micros(1)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(timeout(value, grpc), Some(expected), "{value}");
        }
        for value in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "123456789S",
            "1.5S",
            " 1S",
        ] {
            assert_eq!(timeout(value, grpc), None, "{value}");
        }
        assert_eq!(timeout("1S", "text/plain"), None);
    }
}
