//! Constants of the PROXY protocol, version 2, shared by writer and parser (haproxy's `proxy-protocol.txt`, section 2.2).

/// The first bytes of every header.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The TLS field.
pub(super) const TYPE_SSL: u8 = 0x20;
/// Subfield of the TLS field: the common name of the client's certificate.
pub(super) const SUBTYPE_SSL_CN: u8 = 0x22;

/// The client connected with TLS.
pub(super) const CLIENT_SSL: u8 = 0x01;
/// The client sent a certificate on this connection.
pub(super) const CLIENT_CERT_CONN: u8 = 0x02;
/// The client sent a certificate in this session.
pub(super) const CLIENT_CERT_SESS: u8 = 0x04;
