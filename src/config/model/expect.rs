//! What the config expects of itself: requests, and whether they are let in. For `check`; nobody is judged by it.

use super::super::source::{Place, Spanned};

/// `[[expect]]`
#[derive(Debug)]
pub struct Expectation {
    /// Where the entry stands.
    pub place: Place,
    /// Who asks; a client without a certificate if nobody is said.
    pub who: Option<(Claim, Spanned<String>)>,
    /// The domain that is taken to have vouched.
    pub trust_domain: Option<Spanned<String>>,
    /// Whether a front proxy speaks for the client.
    pub front_proxy: Option<Spanned<bool>>,
    /// The listener, where there are several.
    pub listener: Option<Spanned<String>>,
    /// The method.
    pub method: Spanned<String>,
    /// The URL, or a path.
    pub url: Spanned<String>,
    /// Header fields.
    pub headers: Vec<(Spanned<String>, Spanned<String>)>,
    /// The request body.
    pub body: Option<Spanned<String>>,
    /// Where the client is.
    pub source: Option<Spanned<String>>,
    /// When.
    pub at: Option<Spanned<String>>,
    /// What is expected.
    pub verdict: Spanned<ExpectedVerdict>,
    /// For which reason.
    pub reason: Option<Spanned<String>>,
    /// By which permission.
    pub permission: Option<Spanned<String>>,
}

/// By what it is said who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The name of an ApiUser.
    User,
    /// The common name of a certificate that counts.
    CommonName,
    /// A DNS name of one.
    Dns,
    /// A URI of one.
    Uri,
    /// An e-mail address of one.
    Email,
    /// The SHA-256 of one.
    Fingerprint,
    /// The SHA-256 of its key.
    Spki,
    /// A PEM file with a chain, which is verified.
    Certificate,
}

/// What is expected to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// The request goes on, be it only in shadow mode.
    Permit,
    /// It does not.
    Refuse,
}
