//! Conditions in CEL: compiles a text to a checked expression, and evaluates it for a request to true, false or an error.
//! Pure: no socket, no clock.
//!
//! | Name | Kind |
//! |---|---|
//! | `request.method`, `.path`, `.host`, `user` | string |
//! | `request.query["name"]`, `request.headers["name"]`, `captures["name"]` | string |
//! | `certificate.domain`, `.cn`, `.subject`, `.issuer`, `.serial`, `.fingerprint`, `.spki` | string |
//! | `certificate.dns`, `.uris`, `.emails`, `.organizations`, `.organizational_units` | list of string |
//! | `certificate.not_before`, `.not_after`, `now` | timestamp |
//! | `source` (and `source.ip`, a string) | address |
//!
//! Functions: `has`, `inNetwork`, `size`, `int`, `string`, `timestamp`, `duration`, `matches`, `startsWith`, `endsWith`,
//! `contains`, `lowerAscii`, the parts of a date (`getHours` and so on), and the macros `exists`, `all`, `exists_one`,
//! `filter` and `map`. `docs/conditions.md` describes each and the limits.
//!
//! The crate `cel` parses. Check and evaluation are separate code: the interpreter of `cel` has no work limit, and detects
//! type errors only at evaluation. In the tests it is the oracle.

mod calendar;
mod check;
mod error;
mod evaluate;
mod facts;
mod parse;
mod query;
mod reads;
mod tree;
mod value;

pub use error::{ConditionError, EvaluationError};
pub use facts::{Facts, HeaderValues, Spelling};
pub use reads::{Input, Reads};

use evaluate::Evaluation;
use tree::{Attribute, CelNode};

/// A checked expression.
#[derive(Debug)]
pub struct Condition {
    text: Box<str>,
    node: CelNode,
    /// Each attribute that the expression reads, once.
    attributes: Vec<Attribute>,
    reads: Reads,
}

impl Condition {
    /// Parses and checks an expression. After that, evaluation fails only because of the data of a request.
    ///
    /// # Errors
    /// [`ConditionError`] with the position in the text.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        if text.len() > parse::LONGEST {
            return Err(ConditionError {
                message: format!("the expression is longer than {} bytes", parse::LONGEST),
                hint: "make it simpler, or write several permissions".to_owned(),
                offset: None,
            });
        }
        let check::CheckedExpression {
            node,
            reads: attributes,
        } = with_stack(|| check::check(text))?;
        Ok(Self {
            text: text.into(),
            node,
            reads: Reads::of(&attributes),
            attributes,
        })
    }

    /// The text of the expression.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates the condition for a request.
    ///
    /// # Errors
    /// [`EvaluationError`] if it is neither true nor false. An error never counts as true.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        Evaluation::of(facts).holds(&self.node)
    }

    /// Each attribute that the condition reads, with its value as text, for explanations. Credentials are not shown.
    pub fn values(&self, facts: &Facts<'_>) -> Vec<(String, String)> {
        let named_value = |attribute| {
            (
                Attribute::expression(attribute).to_string(),
                Evaluation::of(facts).display(attribute),
            )
        };
        self.attributes.iter().map(named_value).collect()
    }

    /// The parts of a request that the condition reads.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}

/// Runs the work on a thread with a stack for the parser, which recurses deeply. A panic of the parser becomes an error.
fn with_stack<T: Send>(
    work: impl FnOnce() -> Result<T, ConditionError> + Send,
) -> Result<T, ConditionError> {
    let failed = |reason: &str| ConditionError {
        message: format!("the expression cannot be read: {reason}"),
        hint: "if other expressions fail too, the cause is not the expression".to_owned(),
        offset: None,
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("condition".to_owned())
            .stack_size(parse::STACK);
        let thread = thread
            .spawn_scoped(scope, work)
            .map_err(|error| failed(&error.to_string()))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(failed("the parser failed")))
    })
}

#[cfg(test)]
mod tests;
