//! Conditions in CEL: from text to a checked expression, and from one request to yes, no or an error. Pure: no socket, no
//! clock, and it grants nothing.

mod error;
mod facts;
mod reads;

pub use error::{ConditionError, EvaluationError};
pub use facts::{Facts, HeaderValues, Headers};
pub use reads::{Input, Reads};

/// A checked expression.
#[derive(Debug)]
pub struct Condition {
    text: Box<str>,
    reads: Reads,
}

impl Condition {
    /// Reads and checks an expression.
    ///
    /// # Errors
    /// [`ConditionError`] with the place inside the text.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        Err(ConditionError {
            message: format!("`{text}` is no condition"),
            hint: "no expression is understood".to_owned(),
            offset: None,
        })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for a request.
    ///
    /// # Errors
    /// [`EvaluationError`] if it has no outcome, which never means yes.
    pub fn holds(&self, _facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        Ok(false)
    }

    /// Each part of the request that it names, with its value as text: for explanations.
    pub fn values(&self, _facts: &Facts<'_>) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What it looks at.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}
