//! The numbers of the PROXY protocol, version 2, that both who writes its headers and who reads them need
//! (haproxy's `proxy-protocol.txt`, section 2.2). Writes and reads nothing.

/// How every header begins.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What TLS settled.
pub(super) const TYPE_SSL: u8 = 0x20;
/// In it: the common name of the client's certificate.
pub(super) const SUBTYPE_SSL_CN: u8 = 0x22;

/// The client came by TLS.
pub(super) const CLIENT_SSL: u8 = 0x01;
/// It showed a certificate on this connection.
pub(super) const CLIENT_CERT_CONN: u8 = 0x02;
/// It showed one in this session.
pub(super) const CLIENT_CERT_SESS: u8 = 0x04;
