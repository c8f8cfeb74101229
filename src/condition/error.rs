//! Errors of conditions: at compilation, and at evaluation for a request. An error never counts as true.

use std::sync::Arc;

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong.
    pub message: String,
    /// The action that resolves the error.
    pub hint: String,
    /// The byte offset of the error in the text, if known.
    pub offset: Option<usize>,
}

/// The reason why a condition is neither true nor false for a request. Contains no data from the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The attribute is absent, and the expression does not test its presence first.
    #[error("`{0}` is absent")]
    Absent(Arc<str>),
    /// The attribute is repeated, and an upstream may use another value.
    #[error("`{0}` is repeated")]
    Several(Arc<str>),
    /// The request has a field with a name that some readers treat as the same name.
    #[error(
        "`{0}` has another spelling in the request, which an upstream may treat as the same field"
    )]
    OtherSpelling(Arc<str>),
    /// The value is not UTF-8.
    #[error("`{0}` is not UTF-8")]
    NotText(Arc<str>),
    /// The query can be read in more than one way.
    #[error("the query is ambiguous")]
    UnclearQuery,
    /// A text to convert is not an integer.
    #[error("a text is not an integer")]
    NotANumber,
    /// A number exceeds 64 bits, or a time the calendar.
    #[error("a number or a time is out of range")]
    OutOfRange,
    /// Division or remainder by zero.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// The list has no such element.
    #[error("a list has no such element")]
    NoSuchElement,
    /// A value has another kind than the check determined. Unreachable after a successful check.
    #[error("values do not fit the condition")]
    Unfit,
    /// The evaluation exceeded its work limit.
    #[error("the condition needs too much work")]
    TooCostly,
}
