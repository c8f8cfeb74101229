//! Why a condition cannot be used, and why one has no outcome for a request. Neither ever means yes.

use std::sync::Arc;

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The octet of the text where it is wrong, if that is known.
    pub offset: Option<usize>,
}

/// Why a condition is neither true nor false for a request. Says nothing that the client sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// It is not there, and the expression does not ask first whether it is.
    #[error("`{0}` is absent")]
    Absent(Arc<str>),
    /// It stands more than once, and two readers would pick different ones.
    #[error("`{0}` stands more than once")]
    Several(Arc<str>),
    /// It stands under another name that some readers take for the same one.
    #[error("`{0}` is written otherwise, and an upstream may read both as one")]
    OtherSpelling(Arc<str>),
    /// Its octets are no text.
    #[error("`{0}` is not text in UTF-8")]
    NotText(Arc<str>),
    /// The query can be read in more than one way.
    #[error("the query cannot be read in one way alone")]
    UnclearQuery,
    /// A text that is turned into a number is none.
    #[error("a text is no whole number")]
    NotANumber,
    /// No 64 bits hold the number, or no calendar the time.
    #[error("a number or a time is out of range")]
    OutOfRange,
    /// Division by zero, or what remains of it.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// The list has no such element.
    #[error("a list has no such element")]
    NoSuchElement,
    /// Values are not of the kinds that the check found, which cannot be.
    #[error("values do not fit the condition")]
    Unfit,
    /// More work than a request is worth.
    #[error("the condition needs too much work")]
    TooCostly,
}
