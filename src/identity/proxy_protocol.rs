//! Writes the header of the PROXY protocol, version 2, that tells an upstream the client of a connection: addresses and TLS
//! session (haproxy.org's `proxy-protocol.txt`).

use super::known_client::KnownClient;
use super::proxy_v2::{
    CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL, SIGNATURE, SUBTYPE_SSL_CN, TYPE_SSL,
};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A client connection and the identity of the client.
#[derive(Clone, Copy, Debug)]
pub struct ProxiedConnection<'a> {
    /// The address of the client.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// The requested server name.
    pub server_name: Option<&'a str>,
    /// The TLS version such as `TLSv1.3`; the underscore of the TLS library is allowed.
    pub version: &'a str,
    /// Whether the client sent its certificate on this connection, or the session is resumed.
    pub session: Session,
    /// The identity of the client; empty if the upstream must not receive it.
    pub known: KnownClient<'a>,
}

/// The connection on which a client sent its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// This connection.
    New,
    /// An earlier connection.
    Resumed,
}

/// Version 2, command PROXY: the header is for a connection of a client.
const VERSION_AND_COMMAND: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

const TYPE_ALPN: u8 = 0x01;
const TYPE_AUTHORITY: u8 = 0x02;
const SUBTYPE_SSL_VERSION: u8 = 0x21;

/// The header for a connection.
pub fn proxy_header(connection: &ProxiedConnection<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    let family = addresses(&mut body, connection.client, connection.local);
    // The protocol after this header, regardless of the client's protocol.
    field(&mut body, TYPE_ALPN, b"http/1.1");
    if let Some(name) = connection.server_name {
        field(&mut body, TYPE_AUTHORITY, name.as_bytes());
    }
    field(&mut body, TYPE_SSL, &tls(connection));
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[VERSION_AND_COMMAND, family]);
    header.extend_from_slice(&length(&body));
    header.extend_from_slice(&body);
    header
}

/// Writes both addresses and ports in one family, and returns the family.
fn addresses(body: &mut Vec<u8>, client: SocketAddr, local: SocketAddr) -> u8 {
    let family = match (client.ip().to_canonical(), local.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(local)) => {
            body.extend_from_slice(&client.octets());
            body.extend_from_slice(&local.octets());
            TCP_OVER_IPV4
        }
        (client, local) => {
            body.extend_from_slice(&as_ipv6(client).octets());
            body.extend_from_slice(&as_ipv6(local).octets());
            TCP_OVER_IPV6
        }
    };
    body.extend_from_slice(&client.port().to_be_bytes());
    body.extend_from_slice(&local.port().to_be_bytes());
    family
}

fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The TLS field: flags, the verification result (0 only if a certificate was verified), and subfields.
fn tls(connection: &ProxiedConnection<'_>) -> Vec<u8> {
    let (flags, verdict) = match (&connection.known.certificate, connection.session) {
        (None, _) => (CLIENT_SSL, 1u32),
        (Some(_), Session::New) => (CLIENT_SSL | CLIENT_CERT_CONN | CLIENT_CERT_SESS, 0),
        (Some(_), Session::Resumed) => (CLIENT_SSL | CLIENT_CERT_SESS, 0),
    };
    let mut value = vec![flags];
    value.extend_from_slice(&verdict.to_be_bytes());
    field(
        &mut value,
        SUBTYPE_SSL_VERSION,
        connection.version.replace('_', ".").as_bytes(),
    );
    if let Some(Ok(name)) = connection
        .known
        .certificate
        .as_ref()
        .map(|certificate| &certificate.peer.common_name)
    {
        field(&mut value, SUBTYPE_SSL_CN, name.as_str().as_bytes());
    }
    value
}

/// Writes type, length and value.
fn field(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&length(value));
    out.extend_from_slice(value);
}

/// The length as two bytes. Common names and server names have at most 255 bytes, so all lengths fit.
fn length(value: &[u8]) -> [u8; 2] {
    u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::VerifiedCertificate;
    use crate::identity::tests::peer;

    fn connection<'a>(client: &str, local: &str) -> ProxiedConnection<'a> {
        ProxiedConnection {
            client: client.parse().unwrap(),
            local: local.parse().unwrap(),
            server_name: None,
            version: "TLSv1_3",
            session: Session::New,
            known: KnownClient::default(),
        }
    }

    #[test]
    fn a_client_without_a_certificate_is_an_address() {
        let header = proxy_header(&connection("192.0.2.1:4660", "[::ffff:198.51.100.2]:443"));
        let expected = [
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x29".as_slice(),
            &[192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb],
            b"\x01\0\x08http/1.1",
            b"\x20\0\x0f\x01\0\0\0\x01\x21\0\x07TLSv1.3",
        ]
        .concat();
        assert_eq!(header, expected);
    }

    #[test]
    fn a_client_with_a_certificate_has_a_name() {
        let peer = peer("alice");
        let certificate = Some(VerifiedCertificate {
            peer: &peer,
            domain: "test",
            chain: &[],
        });
        let mut connection = connection("[2001:db8::1]:1", "192.0.2.1:2");
        connection.known.certificate = certificate;
        connection.server_name = Some("api.example");
        let tail = |flags: u8| {
            let tls = [
                &[flags, 0, 0, 0, 0],
                b"\x21\0\x07TLSv1.3\x22\0\x05alice".as_slice(),
            ]
            .concat();
            [b"\x02\0\x0bapi.example\x20\0\x17".as_slice(), &tls].concat()
        };
        let header = proxy_header(&connection);
        assert_eq!(header[12..16], [0x21, 0x21, 0, (header.len() - 16) as u8]);
        assert_eq!(
            header[16..32],
            "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets()
        );
        assert_eq!(
            header[32..48],
            "::ffff:192.0.2.1".parse::<Ipv6Addr>().unwrap().octets()
        );
        assert_eq!(header[48..52], [0, 1, 0, 2]);
        assert!(header.ends_with(&tail(7)), "{header:?}");
        connection.session = Session::Resumed;
        assert!(proxy_header(&connection).ends_with(&tail(5)));
    }
}
