//! What a condition may look at: one request, who sent it, and when. Borrowed; holds no opinion.

use crate::tls::PeerCertificate;
use std::net::IpAddr;

/// One request as conditions see it. Nothing of it is read unless an expression names it.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The method that is judged.
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
    /// The client's certificate, verified; `None` if it came without one.
    pub certificate: Option<&'a PeerCertificate>,
    /// The name of the trust domain that vouched for the certificate.
    pub trust_domain: Option<&'a str>,
    /// The ApiUser.
    pub user: &'a str,
    /// Where the client is.
    pub source: IpAddr,
    /// Seconds since 1970.
    pub now: i64,
}

/// Header fields of whatever engine, looked up by name.
pub trait HeaderValues {
    /// Calls `visit` with the value of each field that has this name to a reader that folds names (any case, any other
    /// character in place of a dash), in the order of arrival.
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(Spelling, &[u8]));
}

/// How the name of a field is written that has a wanted name to a reader that folds names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As the wanted name, in any case.
    AsNamed,
    /// With another character: `X_Team` for `X-Team`.
    Otherwise,
}
