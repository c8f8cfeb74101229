//! The header of the PROXY protocol, version 2, as a front proxy sends it before TLS. Strict: what cannot be read ends the
//! connection. Receives nothing and verifies nothing; the octets are as haproxy.org's `proxy-protocol.txt` says.

use super::{Forwarded, ForwardedRefusal};
use crate::config::Belief;
use crate::identity::proxy_v2::{
    CLIENT_CERT_CONN, CLIENT_CERT_SESS, CLIENT_SSL, SIGNATURE, SUBTYPE_SSL_CN, TYPE_SSL,
};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The connection is the proxy's own, to see whether we live.
    Local,
    /// The connection is a client's.
    Client(Box<ProxiedClient>),
}

/// A client's address, and where it connected to.
type Addresses = (SocketAddr, SocketAddr);

/// What a header says about a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxiedClient {
    /// The client's address, and where it connected to.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    tls: Option<ProxiedTls>,
}

/// What TLS settled between client and proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ProxiedTls {
    flags: u8,
    /// 0 only for a certificate that the proxy has verified.
    verdict: u32,
    certificate: Option<Vec<u8>>,
    common_name: Option<Vec<u8>>,
}

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// Something else comes first.
    #[error("the connection does not begin with a PROXY header of version 2")]
    Missing,
    /// Version 1, which can say nothing about certificates.
    #[error("the PROXY header is of version 1; version 2 is needed")]
    Version1,
    /// More than we take.
    #[error("the PROXY header is too long")]
    TooLong,
    /// It is no header.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
}

const TYPE_CRC32C: u8 = 0x03;
const SUBTYPE_SSL_CLIENT_CERT: u8 = 0x28;
const CLIENT_CERT: u8 = CLIENT_CERT_CONN | CLIENT_CERT_SESS;

impl ProxyHeader {
    /// Octets that say how many follow.
    pub const PREFIX: usize = 16;
    /// Most octets behind the prefix: a certificate and what goes with it.
    pub const MOST: usize = 8 << 10;

    /// Whether a connection that begins so may begin with a header.
    ///
    /// # Errors
    /// [`ProxyHeaderError::Missing`] or [`ProxyHeaderError::Version1`]
    pub fn may_begin(octets: &[u8]) -> Result<(), ProxyHeaderError> {
        if octets
            .iter()
            .zip(SIGNATURE)
            .all(|(is, wanted)| is == wanted)
        {
            return Ok(());
        }
        Err(if octets.first() == Some(&b'P') {
            ProxyHeaderError::Version1
        } else {
            ProxyHeaderError::Missing
        })
    }

    /// How many octets follow a prefix.
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

    /// Reads a whole header.
    ///
    /// # Errors
    /// [`ProxyHeaderError`]
    pub fn read(octets: &[u8]) -> Result<Self, ProxyHeaderError> {
        let (prefix, body) = octets
            .split_first_chunk()
            .ok_or(ProxyHeaderError::Malformed("it is cut short"))?;
        if Self::length(prefix)? != body.len() {
            return Err(ProxyHeaderError::Malformed("its length is wrong"));
        }
        let [.., command, family, _, _] = *prefix;
        match command {
            // What else it says is to be ignored.
            0x20 => return Ok(Self::Local),
            0x21 => {}
            _ => {
                return Err(ProxyHeaderError::Malformed(
                    "its version or command is unknown",
                ));
            }
        }
        let (addresses, fields) = addresses(family, body)?;
        let tls = read_fields(octets, octets.len() - fields.len())?;
        Ok(Self::Client(Box::new(ProxiedClient { addresses, tls })))
    }
}

/// The addresses at the front of the body, and what follows them.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<Addresses>, &[u8]), ProxyHeaderError> {
    const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("its addresses are cut short");
    /// Two paths of Unix sockets.
    const UNIX: usize = 2 * 108;
    match family {
        0x00 => Ok((None, body)),
        0x11 => {
            let (octets, rest) = body.split_first_chunk::<12>().ok_or(CUT)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *octets;
            let (from, to) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
            Ok((Some(with_ports(from.into(), to.into(), ports)), rest))
        }
        0x21 => {
            let (from, rest) = body.split_first_chunk::<16>().ok_or(CUT)?;
            let (to, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
            let (from, to) = (Ipv6Addr::from(*from), Ipv6Addr::from(*to));
            Ok((Some(with_ports(from.into(), to.into(), *ports)), rest))
        }
        0x31 => Ok((None, body.get(UNIX..).ok_or(CUT)?)),
        _ => Err(ProxyHeaderError::Malformed(
            "its address family is unknown, or not of streams",
        )),
    }
}

fn with_ports(from: IpAddr, to: IpAddr, [a, b, c, d]: [u8; 4]) -> Addresses {
    (
        SocketAddr::new(from, u16::from_be_bytes([a, b])),
        SocketAddr::new(to, u16::from_be_bytes([c, d])),
    )
}

/// What TLS settled, if the fields from `at` on say so.
fn read_fields(header: &[u8], at: usize) -> Result<Option<ProxiedTls>, ProxyHeaderError> {
    let mut tls = None;
    let mut rest = header.get(at..).unwrap_or_default();
    while !rest.is_empty() {
        let before = header.len() - rest.len();
        let (kind, value);
        (kind, value, rest) = field(rest)?;
        match kind {
            TYPE_SSL if tls.is_some() => {
                return Err(ProxyHeaderError::Malformed(
                    "it says twice what TLS settled",
                ));
            }
            TYPE_SSL => tls = Some(ProxiedTls::read(value)?),
            TYPE_CRC32C if !checksum_is(header, before + 3, value) => {
                return Err(ProxyHeaderError::Malformed("its checksum is wrong"));
            }
            _ => {}
        }
    }
    Ok(tls)
}

/// Type, value and what follows.
fn field(octets: &[u8]) -> Result<(u8, &[u8], &[u8]), ProxyHeaderError> {
    const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("a field is cut short");
    let ([kind, high, low], rest) = octets.split_first_chunk::<3>().ok_or(CUT)?;
    let (value, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
        .ok_or(CUT)?;
    Ok((*kind, value, rest))
}

/// Whether the CRC-32C of the header, with zeros where it stands itself, is this.
fn checksum_is(header: &[u8], at: usize, said: &[u8]) -> bool {
    let zeroed = header.iter().enumerate().map(|(place, octet)| {
        if (at..at + 4).contains(&place) {
            0
        } else {
            *octet
        }
    });
    said == crc32c(zeroed).to_be_bytes()
}

fn crc32c(octets: impl Iterator<Item = u8>) -> u32 {
    !octets.fold(u32::MAX, |sum, octet| {
        (0..8).fold(sum ^ u32::from(octet), |sum, _| {
            sum >> 1 ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

impl ProxiedTls {
    fn read(value: &[u8]) -> Result<Self, ProxyHeaderError> {
        const CUT: ProxyHeaderError = ProxyHeaderError::Malformed("what TLS settled is cut short");
        let ([flags, verdict @ ..], mut rest) = value.split_first_chunk::<5>().ok_or(CUT)?;
        let mut tls = Self {
            flags: *flags,
            verdict: u32::from_be_bytes(*verdict),
            ..Self::default()
        };
        while !rest.is_empty() {
            let (kind, value);
            (kind, value, rest) = field(rest)?;
            let place = match kind {
                SUBTYPE_SSL_CN => &mut tls.common_name,
                SUBTYPE_SSL_CLIENT_CERT => &mut tls.certificate,
                _ => continue,
            };
            if place.replace(value.to_vec()).is_some() {
                return Err(ProxyHeaderError::Malformed("it names two clients"));
            }
        }
        Ok(tls)
    }
}

impl ProxiedClient {
    /// Who the client is.
    pub(super) fn identity(&self, belief: Belief) -> Result<Forwarded, ForwardedRefusal> {
        let tls = self
            .tls
            .as_ref()
            .filter(|tls| tls.flags & CLIENT_SSL != 0 && tls.flags & CLIENT_CERT != 0);
        let tls = tls.ok_or(ForwardedRefusal::Missing)?;
        if tls.verdict != 0 {
            return Err(ForwardedRefusal::Unverified);
        }
        match (&tls.certificate, &tls.common_name, belief) {
            (Some(der), _, _) => Ok(Forwarded::Chain(vec![CertificateDer::from(der.clone())])),
            (None, Some(name), Belief::CommonName) => std::str::from_utf8(name)
                .map(|name| Forwarded::CommonName(name.into()))
                .map_err(|_| ForwardedRefusal::Malformed("the common name is not UTF-8")),
            (None, Some(_), Belief::Certificate) => Err(ForwardedRefusal::WithoutCertificate(
                "the PROXY header has only the common name; let the proxy send the certificate (field 0x28), or set \
                 `believe = \"common-name\"`",
            )),
            (None, None, _) => Err(ForwardedRefusal::Missing),
        }
    }
}

#[cfg(test)]
mod tests;
