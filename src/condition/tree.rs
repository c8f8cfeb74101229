//! Checked expressions: every name resolved, every literal read. Does not evaluate them.

use super::calendar::Part;
use super::value::{Kind, Scalar, Value};
use crate::identity::Network;
use regex_automata::meta::Regex;
use std::sync::Arc;

/// An expression whose kinds fit.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Value<'static>),
    Read(Read),
    /// Whether it is there.
    Has(Read),
    /// What a macro goes through, one after the other.
    Element,
    Not(Box<Node>),
    Negate(Box<Node>),
    Logic(Logic, Box<[Node; 2]>),
    Choose(Box<[Node; 3]>),
    Compare(Comparison, Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Find(Find, Box<[Node; 2]>),
    Matches(Box<Node>, Regex),
    /// The element, then the list.
    In(Box<[Node; 2]>),
    InNetwork(Box<Node>, Vec<Network>),
    Lower(Box<Node>),
    Size(Box<Node>),
    /// The list, then the position.
    Index(Box<[Node; 2]>),
    List(Vec<Node>),
    /// The list, then what is asked of each element.
    Each(Each, Box<[Node; 2]>),
    /// How many seconds the zone is ahead of UTC.
    Calendar(Part, i32, Box<Node>),
    ToInt(Box<Node>),
    ToText(Box<Node>),
}

/// A part of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Method,
    Path,
    Host,
    User,
    Source,
    Now,
    Query(Named),
    Header(Named),
    Capture(Named),
    Certificate(CertificateField),
}

/// One of many that go by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Box<str>,
    /// As an expression writes it, for messages.
    pub(super) written: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateField {
    Domain,
    CommonName,
    DnsNames,
    Uris,
    Emails,
    Organizations,
    OrganizationalUnits,
    Subject,
    Issuer,
    Serial,
    Fingerprint,
    Spki,
    NotBefore,
    NotAfter,
}

impl CertificateField {
    pub(super) const NAMES: [(&'static str, &'static str, Self); 14] = [
        ("domain", "certificate.domain", Self::Domain),
        ("cn", "certificate.cn", Self::CommonName),
        ("dns", "certificate.dns", Self::DnsNames),
        ("uris", "certificate.uris", Self::Uris),
        ("emails", "certificate.emails", Self::Emails),
        (
            "organizations",
            "certificate.organizations",
            Self::Organizations,
        ),
        (
            "organizational_units",
            "certificate.organizational_units",
            Self::OrganizationalUnits,
        ),
        ("subject", "certificate.subject", Self::Subject),
        ("issuer", "certificate.issuer", Self::Issuer),
        ("serial", "certificate.serial", Self::Serial),
        ("fingerprint", "certificate.fingerprint", Self::Fingerprint),
        ("spki", "certificate.spki", Self::Spki),
        ("not_before", "certificate.not_before", Self::NotBefore),
        ("not_after", "certificate.not_after", Self::NotAfter),
    ];

    fn written(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, _, field)| *field == self)
            .map_or("certificate", |(_, written, _)| written)
    }
}

impl Read {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Source => Kind::ADDRESS,
            Self::Now
            | Self::Certificate(CertificateField::NotBefore | CertificateField::NotAfter) => {
                Kind::TIME
            }
            Self::Certificate(
                CertificateField::DnsNames
                | CertificateField::Uris
                | CertificateField::Emails
                | CertificateField::Organizations
                | CertificateField::OrganizationalUnits,
            ) => Kind::List(Scalar::Text),
            _ => Kind::TEXT,
        }
    }

    /// As an expression writes it.
    pub(super) fn written(&self) -> Arc<str> {
        match self {
            Self::Method => "request.method".into(),
            Self::Path => "request.path".into(),
            Self::Host => "request.host".into(),
            Self::User => "user".into(),
            Self::Source => "source".into(),
            Self::Now => "now".into(),
            Self::Query(named) | Self::Header(named) | Self::Capture(named) => {
                named.written.clone()
            }
            Self::Certificate(field) => field.written().into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Find {
    StartsWith,
    EndsWith,
    Contains,
}

/// What a macro asks of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    Exists,
    All,
    ExistsOne,
    Filter,
    Map,
}
