//! Expectations of a config: requests with their expected decisions, for `check` alone.

use super::super::source::{Place, Spanned};

/// `[[expect]]`
#[derive(Debug)]
pub struct Expectation {
    /// Place of the entry.
    pub place: Place,
    /// Client identity; `None` means a client without a certificate.
    pub who: Option<(Claim, Spanned<String>)>,
    /// The trust domain that is assumed to have verified the client.
    pub trust_domain: Option<Spanned<String>>,
    /// Whether a front proxy forwards the client.
    pub front_proxy: Option<Spanned<bool>>,
    /// The listener, if there are several.
    pub listener: Option<Spanned<String>>,
    /// The method.
    pub method: Spanned<String>,
    /// The URL, or a path.
    pub url: Spanned<String>,
    /// Header fields.
    pub headers: Vec<(Spanned<String>, Spanned<String>)>,
    /// The request body.
    pub body: Option<Spanned<String>>,
    /// Address of the client.
    pub source: Option<Spanned<String>>,
    /// Time of the request.
    pub at: Option<Spanned<String>>,
    /// Expected decision.
    pub verdict: Spanned<ExpectedVerdict>,
    /// Expected reason word.
    pub reason: Option<Spanned<String>>,
    /// Expected deciding permission.
    pub permission: Option<Spanned<String>>,
}

/// How an expectation identifies the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The name of an ApiUser.
    User,
    /// The common name of an accepted certificate.
    CommonName,
    /// A DNS name of an accepted certificate.
    Dns,
    /// A URI of an accepted certificate.
    Uri,
    /// An e-mail address of an accepted certificate.
    Email,
    /// The SHA-256 of an accepted certificate.
    Fingerprint,
    /// The SHA-256 of its public key.
    Spki,
    /// A PEM file with a chain, which is verified.
    Certificate,
}

/// Expected decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// The request is permitted, possibly only by shadow mode.
    Permit,
    /// The request is denied.
    Refuse,
}
