//! Parses upgrades to WebSocket (RFC 6455 section 4), the only supported upgrade: the client's
//! request and the upstream's agreement. Opens no tunnel.

use super::connection_fields::connection_names;
use crate::head::Fields;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The upgrade that a request asks for or a response grants. A response grants the request's
/// upgrade if both are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// An ordinary message.
    None,
    /// WebSocket, with the `Sec-WebSocket-Accept` value that proves that the upstream processed the
    /// handshake.
    WebSocket(WebSocketAccept),
}

/// A value of `Sec-WebSocket-Accept`: Base64 of a SHA-1 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketAccept([u8; ACCEPT_LENGTH]);

/// Errors of an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUpgrade {
    /// Not one `Sec-WebSocket-Key` of 16 bytes in Base64.
    #[error("there must be exactly one Sec-WebSocket-Key, of 16 bytes in Base64")]
    Key,
    /// Not one `Sec-WebSocket-Version`.
    #[error("there must be exactly one Sec-WebSocket-Version")]
    NoVersion,
    /// Another version than 13.
    #[error("Sec-WebSocket-Version is not 13")]
    OtherVersion,
}

const ACCEPT_LENGTH: usize = 28;
const KEY_LENGTH: usize = 24;
/// RFC 6455 section 1.3.
const WEBSOCKET_ID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The upgrade that a request asks for. Other protocols than WebSocket count as none: their fields
/// are hop-by-hop and are not forwarded.
///
/// # Errors
/// [`BadUpgrade`] if it asks for WebSocket without a valid handshake. An upstream that accepted it
/// would open a tunnel for bytes that are not WebSocket frames.
pub fn requested_upgrade<F: Fields + ?Sized>(
    method: &str,
    fields: &F,
) -> Result<Upgrade, BadUpgrade> {
    let asks = matches!(fields.only("upgrade"), Ok(Some(value)) if is_websocket(value));
    let named = || connection_names(fields).any(|name| name.eq_ignore_ascii_case("upgrade"));
    if !asks || method != "GET" || !named() {
        return Ok(Upgrade::None);
    }
    match fields.only("sec-websocket-version") {
        Ok(Some(b"13")) => {}
        Ok(Some(_)) => return Err(BadUpgrade::OtherVersion),
        Ok(None) | Err(_) => return Err(BadUpgrade::NoVersion),
    }
    let key = fields
        .only("sec-websocket-key")
        .ok()
        .flatten()
        .filter(|key| is_key(key))
        .ok_or(BadUpgrade::Key)?;
    Ok(Upgrade::WebSocket(WebSocketAccept::of_key(key)))
}

/// The upgrade that a response grants: none without exactly one `Sec-WebSocket-Accept`.
pub(super) fn granted_upgrade<F: Fields + ?Sized>(fields: &F) -> Upgrade {
    if !matches!(fields.only("upgrade"), Ok(Some(value)) if is_websocket(value)) {
        return Upgrade::None;
    }
    let accept = fields
        .only("sec-websocket-accept")
        .ok()
        .flatten()
        .and_then(|value| value.try_into().ok());
    accept.map_or(Upgrade::None, |accept| {
        Upgrade::WebSocket(WebSocketAccept(accept))
    })
}

fn is_websocket(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"websocket")
}

fn is_key(value: &[u8]) -> bool {
    let mut decoded = [0; KEY_LENGTH];
    value.len() == KEY_LENGTH && STANDARD.decode_slice(value, &mut decoded) == Ok(16)
}

impl WebSocketAccept {
    /// The value for a key (RFC 6455 section 4.2.2). SHA-1 only proves that the key was read.
    fn of_key(key: &[u8]) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, WEBSOCKET_ID].concat());
        let mut accept = [0; ACCEPT_LENGTH];
        // 20 bytes encode to 28 characters.
        let _ = STANDARD.encode_slice(digest.as_ref(), &mut accept);
        Self(accept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn asked(more: &[(&str, &'static [u8])]) -> Result<Upgrade, BadUpgrade> {
        let fields = [
            &[
                ("Connection", &b"keep-alive, Upgrade"[..]),
                ("Upgrade", b"WebSocket"),
            ],
            more,
        ]
        .concat();
        requested_upgrade("GET", fields.as_slice())
    }

    #[test]
    fn the_websocket_example_of_the_standard_is_accepted_only_with_its_response() {
        let asked = asked(&[("Sec-WebSocket-Version", b"13"), ("Sec-WebSocket-Key", KEY)]).unwrap();
        let granted = |fields: &[(&str, &[u8])]| granted_upgrade(fields);
        assert_eq!(
            granted(&[("upgrade", b"websocket"), ("sec-websocket-accept", ACCEPT)]),
            asked
        );
        assert_ne!(asked, Upgrade::None);
        for wrong in [
            &[("upgrade", &b"websocket"[..])][..],
            &[("sec-websocket-accept", ACCEPT)],
            &[("upgrade", b"h2c"), ("sec-websocket-accept", ACCEPT)],
            &[
                ("upgrade", b"websocket"),
                ("sec-websocket-accept", b"S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ],
            &[("upgrade", b"websocket"), ("sec-websocket-accept", KEY)],
            &[
                ("upgrade", b"websocket"),
                ("sec-websocket-accept", ACCEPT),
                ("sec-websocket-accept", ACCEPT),
            ],
        ] {
            assert_ne!(granted(wrong), asked, "{wrong:?}");
        }
    }

    #[test]
    fn a_handshake_without_one_key_and_version_13_is_none() {
        let version = ("Sec-WebSocket-Version", &b"13"[..]);
        assert_eq!(
            asked(&[("Sec-WebSocket-Key", KEY)]),
            Err(BadUpgrade::NoVersion)
        );
        assert_eq!(
            asked(&[("Sec-WebSocket-Key", KEY), version, version]),
            Err(BadUpgrade::NoVersion)
        );
        for other in [&b"8"[..], b"", b"13, 8", b"013"] {
            let fields = [("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", other)];
            assert_eq!(asked(&fields), Err(BadUpgrade::OtherVersion));
        }
        assert_eq!(asked(&[version]), Err(BadUpgrade::Key));
        assert_eq!(
            asked(&[
                version,
                ("Sec-WebSocket-Key", KEY),
                ("Sec-WebSocket-Key", KEY)
            ]),
            Err(BadUpgrade::Key)
        );
        for bad in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZ!==",
            b"dGhlIHNhbXBsZSBub25jZSEh",
        ] {
            assert_eq!(
                asked(&[version, ("Sec-WebSocket-Key", bad)]),
                Err(BadUpgrade::Key),
                "{bad:?}"
            );
        }
    }
}
