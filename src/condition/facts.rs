//! The input of a condition: one request, its client, and the time. Borrowed.

use crate::tls::PeerCertificate;
use std::net::IpAddr;

/// One request as conditions read it. Only attributes that the expression names are read.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The request method that authorization uses.
    pub method: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The query as it is sent to the upstream, without the question mark; `None` if there is no question mark.
    pub query: Option<&'a str>,
    /// The host without its port, in lower case; empty if there is none.
    pub host: &'a str,
    /// The route's captures: names and captured segments, which stay percent-encoded.
    pub captures: &'a [(&'a str, &'a str)],
    /// The header fields.
    pub headers: &'a dyn HeaderValues,
    /// The client's verified certificate; `None` without one.
    pub certificate: Option<&'a PeerCertificate>,
    /// The name of the trust domain that verified the certificate.
    pub trust_domain: Option<&'a str>,
    /// The ApiUser.
    pub user: &'a str,
    /// The IP address of the client.
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: i64,
}

/// Header fields, looked up by name; independent of their representation.
pub trait HeaderValues {
    /// Calls `visit` with the value of each field whose name equals this name after folding (any case, any other
    /// character for a dash), in the order of arrival.
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(Spelling, &[u8]));
}

/// The spelling of a field name that equals the requested name after folding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The requested name, in any case.
    AsNamed,
    /// Another character for a dash: `X_Team` for `X-Team`.
    Otherwise,
}
