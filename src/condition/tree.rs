//! Checked expressions: every name is resolved, every literal is parsed.

use super::calendar::DatePart;
use super::value::{CelKind, CelValue, Scalar};
use crate::identity::Network;
use regex_automata::meta::Regex;
use std::sync::Arc;

/// A node of a checked expression.
#[derive(Debug)]
pub(super) enum CelNode {
    Constant(CelValue<'static>),
    Read(Attribute),
    /// Whether the attribute is present.
    Has(Attribute),
    /// The current element of a macro.
    Element,
    Not(Box<CelNode>),
    Negate(Box<CelNode>),
    Logic(Logic, Box<[CelNode; 2]>),
    Choose(Box<[CelNode; 3]>),
    Compare(Comparison, Box<[CelNode; 2]>),
    Arithmetic(Arithmetic, Box<[CelNode; 2]>),
    Find(TextTest, Box<[CelNode; 2]>),
    Matches(Box<CelNode>, Regex),
    /// The element, then the list.
    In(Box<[CelNode; 2]>),
    InNetwork(Box<CelNode>, Vec<Network>),
    Lower(Box<CelNode>),
    Size(Box<CelNode>),
    /// The list, then the position.
    Index(Box<[CelNode; 2]>),
    List(Vec<CelNode>),
    /// The list, then the expression for each element.
    Each(ListMacro, Box<[CelNode; 2]>),
    /// The part of a date; the offset of the zone from UTC in seconds; the timestamp.
    Calendar(DatePart, i32, Box<CelNode>),
    ToInt(Box<CelNode>),
    ToText(Box<CelNode>),
}

/// An attribute of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Method,
    Path,
    Host,
    User,
    Source,
    Now,
    Query(AttributeName),
    Header(AttributeName),
    Capture(AttributeName),
    Certificate(CertificateField),
}

/// The name of a query parameter, header field or capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AttributeName {
    pub(super) name: Box<str>,
    /// The attribute in expression syntax, for messages.
    pub(super) expression: Arc<str>,
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

    fn expression(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, _, field)| *field == self)
            .map_or("certificate", |(_, expression, _)| expression)
    }
}

impl Attribute {
    pub(super) fn kind(&self) -> CelKind {
        match self {
            Self::Source => CelKind::ADDRESS,
            Self::Now
            | Self::Certificate(CertificateField::NotBefore | CertificateField::NotAfter) => {
                CelKind::TIME
            }
            Self::Certificate(
                CertificateField::DnsNames
                | CertificateField::Uris
                | CertificateField::Emails
                | CertificateField::Organizations
                | CertificateField::OrganizationalUnits,
            ) => CelKind::List(Scalar::Text),
            _ => CelKind::TEXT,
        }
    }

    /// The attribute in expression syntax.
    pub(super) fn expression(&self) -> Arc<str> {
        match self {
            Self::Method => "request.method".into(),
            Self::Path => "request.path".into(),
            Self::Host => "request.host".into(),
            Self::User => "user".into(),
            Self::Source => "source".into(),
            Self::Now => "now".into(),
            Self::Query(named) | Self::Header(named) | Self::Capture(named) => {
                named.expression.clone()
            }
            Self::Certificate(field) => field.expression().into(),
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
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// A macro over a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListMacro {
    Exists,
    All,
    ExistsOne,
    Filter,
    Map,
}
