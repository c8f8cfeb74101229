//! Values of expressions and their kinds. Borrowed from the request or the expression if possible.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// The kind of a value, determined by the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CelKind {
    One(Scalar),
    List(Scalar),
}

/// The kind of a value other than a list, or of a list element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    Int,
    Text,
    Time,
    Span,
    Address,
}

impl CelKind {
    pub(super) const BOOL: Self = Self::One(Scalar::Bool);
    pub(super) const INT: Self = Self::One(Scalar::Int);
    pub(super) const TEXT: Self = Self::One(Scalar::Text);
    pub(super) const TIME: Self = Self::One(Scalar::Time);
    pub(super) const SPAN: Self = Self::One(Scalar::Span);
    pub(super) const ADDRESS: Self = Self::One(Scalar::Address);
}

impl Scalar {
    /// The name of the kind in CEL.
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Text => "string",
            Self::Time => "timestamp",
            Self::Span => "duration",
            Self::Address => "address",
        }
    }
}

impl fmt::Display for CelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(scalar) => f.write_str(scalar.name()),
            Self::List(scalar) => write!(f, "list of {}", scalar.name()),
        }
    }
}

/// A value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CelValue<'v> {
    Bool(bool),
    Int(i64),
    Text(Cow<'v, str>),
    /// Nanoseconds since 1970.
    Time(i128),
    /// Nanoseconds.
    Span(i128),
    Address(IpAddr),
    List(CelList<'v>),
}

/// A list value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CelList<'v> {
    /// Names of a certificate.
    Names(&'v [Box<str>]),
    /// Borrowed from the expression.
    Borrowed(&'v [CelValue<'v>]),
    /// Computed for this request.
    Owned(Vec<CelValue<'v>>),
}

impl<'v> CelValue<'v> {
    pub(super) fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The same value, borrowed.
    pub(super) fn borrowed(&'v self) -> Self {
        match self {
            Self::Text(text) => Self::text(text),
            Self::List(CelList::Owned(values)) => Self::List(CelList::Borrowed(values)),
            other => other.clone(),
        }
    }
}

impl<'v> CelList<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Borrowed(values) => values.len(),
            Self::Owned(values) => values.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<CelValue<'v>> {
        match self {
            Self::Names(names) => names.get(at).map(|name| CelValue::text(name)),
            Self::Borrowed(values) => values.get(at).map(CelValue::borrowed),
            Self::Owned(values) => values.get(at).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = CelValue<'v>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl fmt::Display for CelValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::Time(value) => f.write_str(&super::calendar::format_time(*value)),
            Self::Span(value) => write!(f, "{}s", value / super::calendar::SECOND),
            Self::Address(value) => value.fmt(f),
            Self::List(list) => {
                let elements: Vec<String> = list.iter().map(|value| value.to_string()).collect();
                write!(f, "[{}]", elements.join(", "))
            }
        }
    }
}
