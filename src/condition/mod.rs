//! Conditions in CEL: from text to a checked expression, and from one request to yes, no or an error. Pure: no socket, no
//! clock, and it grants nothing.
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
//! `filter` and `map`. `docs/conditions.md` says what each is, and how they are bounded.
//!
//! The crate `cel` parses. Check and evaluation are our own: its interpreter has no bound on work, and finds wrong kinds
//! only when a request is there; in the tests it is the oracle.

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
use tree::{Node, Read};

/// A checked expression.
#[derive(Debug)]
pub struct Condition {
    text: Box<str>,
    node: Node,
    /// Each part of a request that the expression names, once.
    named: Vec<Read>,
    reads: Reads,
}

impl Condition {
    /// Reads and checks an expression. What passes can only fail for what a request brings.
    ///
    /// # Errors
    /// [`ConditionError`] with the place inside the text.
    pub fn compile(text: &str) -> Result<Self, ConditionError> {
        if text.len() > parse::LONGEST {
            return Err(ConditionError {
                message: format!("the expression is longer than {} octets", parse::LONGEST),
                hint: "make it simpler, or write several permissions".to_owned(),
                offset: None,
            });
        }
        let check::Checked { node, reads: named } = with_stack(|| check::check(text))?;
        Ok(Self {
            text: text.into(),
            node,
            reads: Reads::of(&named),
            named,
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
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, EvaluationError> {
        Evaluation::of(facts).holds(&self.node)
    }

    /// Each part of the request that it names, with its value as text: for explanations. Credentials are not shown.
    pub fn values(&self, facts: &Facts<'_>) -> Vec<(String, String)> {
        let shown = |read| {
            (
                Read::written(read).to_string(),
                Evaluation::of(facts).shown(read),
            )
        };
        self.named.iter().map(shown).collect()
    }

    /// What it looks at.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}

/// Works on a stack that holds the parser, which recurses deep and is not ours. Should it panic, this is an error too.
fn with_stack<T: Send>(
    work: impl FnOnce() -> Result<T, ConditionError> + Send,
) -> Result<T, ConditionError> {
    let failed = |reason: &str| ConditionError {
        message: format!("the expression cannot be read: {reason}"),
        hint: "this is not the expression's fault if others are read".to_owned(),
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
            .unwrap_or_else(|_| Err(failed("the parser gave up")))
    })
}

#[cfg(test)]
mod tests;
