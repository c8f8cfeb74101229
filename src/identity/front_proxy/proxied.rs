//! Parses the header of the PROXY protocol, version 2, that a front proxy sends before TLS (haproxy.org's
//! `proxy-protocol.txt`). Strict: a malformed header closes the connection. Reads no socket and verifies no certificate.

use super::{Forwarded, ForwardedRejection};
use crate::config::Belief;
use crate::identity::proxy_v2::{
    CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL, SIGNATURE, SUBTYPE_SSL_CN, TYPE_SSL,
};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The connection is the proxy's own, such as a health check.
    Local,
    /// The connection of a client.
    Client(Box<ProxiedClient>),
}

/// The client's address and the destination address.
type Addresses = (SocketAddr, SocketAddr);

/// The client in a PROXY header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxiedClient {
    /// The client's address and the destination address.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    tls: Option<ProxiedTls>,
}

/// The TLS session between client and proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ProxiedTls {
    flags: u8,
    /// The verification result; 0 only if the proxy verified a certificate.
    verdict: u32,
    certificate: Option<Vec<u8>>,
    common_name: Option<Vec<u8>>,
}

/// The reason why a header is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// The connection does not begin with a header.
    #[error("the connection does not begin with a PROXY header of version 2")]
    Missing,
    /// Version 1, which cannot carry certificates.
    #[error("the PROXY header is of version 1; version 2 is needed")]
    Version1,
    /// The header is longer than the maximum.
    #[error("the PROXY header is too long")]
    TooLong,
    /// The header is malformed; a description.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
}

const TYPE_CRC32C: u8 = 0x03;
const SUBTYPE_SSL_CLIENT_CERT: u8 = 0x28;
const CLIENT_CERT: u8 = CLIENT_CERT_CONN | CLIENT_CERT_SESS;

impl ProxyHeader {
    /// Length of the prefix in bytes. It contains the length of the rest.
    pub const PREFIX: usize = 16;
    /// Maximum length after the prefix in bytes: room for a certificate.
    pub const MOST: usize = 8 << 10;

    /// Checks that the first bytes of a connection can begin a header.
    ///
    /// # Errors
    /// [`ProxyHeaderError::Missing`] or [`ProxyHeaderError::Version1`]
    pub fn may_begin(bytes: &[u8]) -> Result<(), ProxyHeaderError> {
        if bytes
            .iter()
            .zip(SIGNATURE)
            .all(|(byte, expected)| byte == expected)
        {
            return Ok(());
        }
        Err(if bytes.first() == Some(&b'P') {
            ProxyHeaderError::Version1
        } else {
            ProxyHeaderError::Missing
        })
    }

    /// The number of bytes after a prefix.
    ///
    /// # Errors
    /// [`ProxyHeaderError`]
    pub fn length(prefix: &[u8; Self::PREFIX]) -> Result<usize, ProxyHeaderError> {
        Self::may_begin(prefix)?;
        let [.., high, low] = *prefix;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > Self::MOST {
            Err(ProxyHeaderError::TooLong)
        } else {
            Ok(length)
        }
    }

    /// Parses a complete header.
    ///
    /// # Errors
    /// [`ProxyHeaderError`]
    pub fn read(bytes: &[u8]) -> Result<Self, ProxyHeaderError> {
        let (prefix, body) = bytes
            .split_first_chunk()
            .ok_or(ProxyHeaderError::Malformed("it is cut short"))?;
        if Self::length(prefix)? != body.len() {
            return Err(ProxyHeaderError::Malformed("its length is wrong"));
        }
        let [.., command, family, _, _] = *prefix;
        match command {
            // The specification requires to ignore the rest.
            0x20 => return Ok(Self::Local),
            0x21 => {}
            _ => {
                return Err(ProxyHeaderError::Malformed(
                    "its version or command is unknown",
                ));
            }
        }
        let (addresses, fields) = addresses(family, body)?;
        let tls = read_fields(bytes, bytes.len() - fields.len())?;
        Ok(Self::Client(Box::new(ProxiedClient { addresses, tls })))
    }
}

/// The addresses at the beginning of the body, and the rest of the body.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<Addresses>, &[u8]), ProxyHeaderError> {
    const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("its addresses are cut short");
    /// Length of two Unix socket paths in bytes.
    const UNIX: usize = 2 * 108;
    match family {
        0x00 => Ok((None, body)),
        0x11 => {
            let (bytes, rest) = body.split_first_chunk::<12>().ok_or(CUT)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *bytes;
            let from = Ipv4Addr::new(a, b, c, d);
            let to = Ipv4Addr::new(e, f, g, h);
            Ok((Some(with_ports(from.into(), to.into(), ports)), rest))
        }
        0x21 => {
            let (from, rest) = body.split_first_chunk::<16>().ok_or(CUT)?;
            let (to, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
            let from = Ipv6Addr::from(*from);
            let to = Ipv6Addr::from(*to);
            Ok((Some(with_ports(from.into(), to.into(), *ports)), rest))
        }
        0x31 => Ok((None, body.get(UNIX..).ok_or(CUT)?)),
        _ => Err(ProxyHeaderError::Malformed(
            "its address family is unknown, or not a stream",
        )),
    }
}

fn with_ports(from: IpAddr, to: IpAddr, [a, b, c, d]: [u8; 4]) -> Addresses {
    (
        SocketAddr::new(from, u16::from_be_bytes([a, b])),
        SocketAddr::new(to, u16::from_be_bytes([c, d])),
    )
}

/// The TLS field among the fields that begin at `at`, if present.
fn read_fields(header: &[u8], at: usize) -> Result<Option<ProxiedTls>, ProxyHeaderError> {
    let mut tls = None;
    let mut rest = header.get(at..).unwrap_or_default();
    while !rest.is_empty() {
        let field_at = header.len() - rest.len();
        let (kind, value);
        (kind, value, rest) = field(rest)?;
        match kind {
            TYPE_SSL if tls.is_some() => {
                return Err(ProxyHeaderError::Malformed("its TLS field is repeated"));
            }
            TYPE_SSL => tls = Some(ProxiedTls::read(value)?),
            TYPE_CRC32C if !checksum_is(header, field_at + 3, value) => {
                return Err(ProxyHeaderError::Malformed("its checksum is wrong"));
            }
            _ => {}
        }
    }
    Ok(tls)
}

/// Splits the first field into type, value and the rest.
fn field(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), ProxyHeaderError> {
    const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("a field is cut short");
    let ([kind, high, low], rest) = bytes.split_first_chunk::<3>().ok_or(CUT)?;
    let (value, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
        .ok_or(CUT)?;
    Ok((*kind, value, rest))
}

/// Whether the CRC-32C of the header, with zeros in place of the checksum at `at`, equals `checksum`.
fn checksum_is(header: &[u8], at: usize, checksum: &[u8]) -> bool {
    let zeroed = header.iter().enumerate().map(|(index, byte)| {
        if (at..at + 4).contains(&index) {
            0
        } else {
            *byte
        }
    });
    checksum == crc32c(zeroed).to_be_bytes()
}

fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

impl ProxiedTls {
    fn read(value: &[u8]) -> Result<Self, ProxyHeaderError> {
        const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("its TLS field is cut short");
        let ([flags, verdict @ ..], mut rest) = value.split_first_chunk::<5>().ok_or(CUT)?;
        let mut tls = Self {
            flags: *flags,
            verdict: u32::from_be_bytes(*verdict),
            ..Self::default()
        };
        while !rest.is_empty() {
            let (kind, value);
            (kind, value, rest) = field(rest)?;
            let slot = match kind {
                SUBTYPE_SSL_CN => &mut tls.common_name,
                SUBTYPE_SSL_CLIENT_CERT => &mut tls.certificate,
                _ => continue,
            };
            if slot.replace(value.to_vec()).is_some() {
                return Err(ProxyHeaderError::Malformed("it names two clients"));
            }
        }
        Ok(tls)
    }
}

impl ProxiedClient {
    /// The identity of the client.
    pub(super) fn identity(&self, belief: Belief) -> Result<Forwarded, ForwardedRejection> {
        let tls = self
            .tls
            .as_ref()
            .filter(|tls| tls.flags & CLIENT_SSL != 0 && tls.flags & CLIENT_CERT != 0);
        let tls = tls.ok_or(ForwardedRejection::Missing)?;
        if tls.verdict != 0 {
            return Err(ForwardedRejection::Unverified);
        }
        match (&tls.certificate, &tls.common_name, belief) {
            (Some(der), _, _) => Ok(Forwarded::Chain(vec![CertificateDer::from(der.clone())])),
            (None, Some(name), Belief::CommonName) => std::str::from_utf8(name)
                .map(|name| Forwarded::CommonName(name.into()))
                .map_err(|_| ForwardedRejection::Malformed("the common name is not UTF-8")),
            (None, Some(_), Belief::Certificate) => Err(ForwardedRejection::WithoutCertificate(
                "the PROXY header has only the common name; let the proxy send the certificate (field 0x28), or set \
                 `believe = \"common-name\"`",
            )),
            (None, None, _) => Err(ForwardedRejection::Missing),
        }
    }
}

#[cfg(test)]
mod tests;
