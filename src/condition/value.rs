//! Values of expressions and their kinds. Borrowed from the request or the expression wherever they can be.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// What an expression gives, known when it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    One(Scalar),
    List(Scalar),
}

/// The kind of a value that is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Bool,
    Int,
    Text,
    Time,
    Span,
    Address,
}

impl Kind {
    pub(super) const BOOL: Self = Self::One(Scalar::Bool);
    pub(super) const INT: Self = Self::One(Scalar::Int);
    pub(super) const TEXT: Self = Self::One(Scalar::Text);
    pub(super) const TIME: Self = Self::One(Scalar::Time);
    pub(super) const SPAN: Self = Self::One(Scalar::Span);
    pub(super) const ADDRESS: Self = Self::One(Scalar::Address);
}

impl Scalar {
    /// As CEL calls it.
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(scalar) => f.write_str(scalar.name()),
            Self::List(scalar) => write!(f, "list of {}", scalar.name()),
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'v> {
    Bool(bool),
    Int(i64),
    Text(Cow<'v, str>),
    /// Nanoseconds since 1970.
    Time(i128),
    /// Nanoseconds.
    Span(i128),
    Address(IpAddr),
    List(List<'v>),
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum List<'v> {
    /// Of a certificate.
    Names(&'v [Box<str>]),
    /// Of the expression.
    Written(&'v [Value<'v>]),
    /// Made for this request.
    Made(Vec<Value<'v>>),
}

impl<'v> Value<'v> {
    pub(super) fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The same value without its own memory.
    pub(super) fn borrowed(&'v self) -> Self {
        match self {
            Self::Text(text) => Self::text(text),
            Self::List(List::Made(values)) => Self::List(List::Written(values)),
            other => other.clone(),
        }
    }
}

impl<'v> List<'v> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Written(values) => values.len(),
            Self::Made(values) => values.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<Value<'v>> {
        match self {
            Self::Names(names) => names.get(at).map(|name| Value::text(name)),
            Self::Written(values) => values.get(at).map(Value::borrowed),
            Self::Made(values) => values.get(at).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'v>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::Time(value) => f.write_str(&super::calendar::written(*value)),
            Self::Span(value) => write!(f, "{}s", value / super::calendar::SECOND),
            Self::Address(value) => value.fmt(f),
            Self::List(list) => {
                let elements: Vec<String> = list.iter().map(|value| value.to_string()).collect();
                write!(f, "[{}]", elements.join(", "))
            }
        }
    }
}
