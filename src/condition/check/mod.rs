//! The type check: resolves every name of an expression, reads its literals, and makes sure that kinds fit. What passes
//! can only fail for what a request brings. Evaluates nothing.

mod call;
mod list;
mod name;
mod operator;
mod time;

use super::error::ConditionError;
use super::parse::{Places, parse, too_deep};
use super::tree::{Node, Read};
use super::value::{Kind, Scalar, Value};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use std::borrow::Cow;

/// How deep a checked expression is at most, so that its evaluation fits on any stack.
const DEEPEST: usize = 64;

/// What passed, and what it reads, each part once, in the order of the text.
pub(super) struct Checked {
    pub(super) node: Node,
    pub(super) reads: Vec<Read>,
}

/// A node and what it gives.
struct Typed {
    kind: Kind,
    node: Node,
}

struct Checker<'t> {
    places: Places<'t>,
    reads: Vec<Read>,
    depth: usize,
    /// What a macro calls its element, inside of it.
    variable: Option<(String, Scalar)>,
}

/// Reads and checks a text. Needs the parser's stack.
pub(super) fn check(text: &str) -> Result<Checked, ConditionError> {
    let (root, places) = parse(text)?;
    let mut checker = Checker {
        places,
        reads: Vec::new(),
        depth: 0,
        variable: None,
    };
    let outcome = checker.expression(&root)?;
    if outcome.kind != Kind::BOOL {
        let hint = "compare it with something, as in: request.method == \"GET\"";
        let message = format!(
            "a condition must give true or false, and this gives {}",
            with_article(outcome.kind)
        );
        return Err(checker.error(checker.start_of(&root), message, hint));
    }
    Ok(Checked {
        node: outcome.node,
        reads: checker.reads,
    })
}

impl Checker<'_> {
    fn expression(&mut self, expression: &IdedExpr) -> Result<Typed, ConditionError> {
        if self.depth >= DEEPEST {
            return Err(too_deep(self.places.of(expression.id)));
        }
        self.depth += 1;
        let typed = match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(name) => self.variable(expression, name),
            Expr::Select(select) => self.field(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => self.written_list(expression, &list.elements),
            Expr::Map(_) | Expr::Struct(_) => {
                Err(self.unsupported(expression, "maps and messages"))
            }
            Expr::Comprehension(_) | Expr::Unspecified => Err(self.unsupported(expression, "this")),
        };
        self.depth -= 1;
        typed
    }

    /// An expression that must give this.
    fn wanted(
        &mut self,
        expression: &IdedExpr,
        kind: Kind,
        by: &str,
    ) -> Result<Node, ConditionError> {
        let typed = self.expression(expression)?;
        if typed.kind == kind {
            return Ok(typed.node);
        }
        let message = format!(
            "{by} needs {} here, and this is {}",
            with_article(kind),
            with_article(typed.kind)
        );
        Err(self.error(
            self.start_of(expression),
            message,
            conversion(typed.kind, kind),
        ))
    }

    fn literal(
        &self,
        expression: &IdedExpr,
        literal: &LiteralValue,
    ) -> Result<Typed, ConditionError> {
        let (kind, value) = match literal {
            LiteralValue::Boolean(value) => (Kind::BOOL, Value::Bool(*value.inner())),
            LiteralValue::Int(value) => (Kind::INT, Value::Int(*value.inner())),
            LiteralValue::String(value) => (
                Kind::TEXT,
                Value::Text(Cow::Owned(value.inner().to_owned())),
            ),
            LiteralValue::UInt(_) => return Err(self.unsupported(expression, "unsigned numbers")),
            LiteralValue::Double(_) => {
                return Err(self.unsupported(expression, "numbers with fractions"));
            }
            LiteralValue::Bytes(_) => return Err(self.unsupported(expression, "bytes")),
            LiteralValue::Null => return Err(self.unsupported(expression, "null")),
        };
        Ok(Typed {
            kind,
            node: Node::Constant(value),
        })
    }

    fn read(&mut self, read: Read) -> Typed {
        self.note(&read);
        Typed {
            kind: read.kind(),
            node: Node::Read(read),
        }
    }

    fn note(&mut self, read: &Read) {
        if !self.reads.contains(read) {
            self.reads.push(read.clone());
        }
    }

    fn unsupported(&self, expression: &IdedExpr, what: &str) -> ConditionError {
        let hint = "conditions know bool, int, string, timestamp, duration and lists of these";
        self.error(
            self.places.of(expression.id),
            format!("conditions know no {what}"),
            hint,
        )
    }

    fn error(
        &self,
        offset: Option<usize>,
        message: String,
        hint: impl Into<String>,
    ) -> ConditionError {
        ConditionError {
            message,
            hint: hint.into(),
            offset,
        }
    }

    /// Where an expression begins: its leftmost node.
    fn start_of(&self, expression: &IdedExpr) -> Option<usize> {
        match &expression.expr {
            Expr::Select(select) => self.start_of(&select.operand),
            Expr::Call(CallExpr {
                target: Some(target),
                ..
            }) => self.start_of(target),
            Expr::Call(CallExpr {
                func_name, args, ..
            }) => match args.first() {
                Some(first) if is_infix(func_name) => self.start_of(first),
                _ => self
                    .places
                    .name_before(self.places.of(expression.id), func_name),
            },
            _ => self.places.of(expression.id),
        }
    }
}

fn is_infix(name: &str) -> bool {
    ![operators::LOGICAL_NOT, operators::NEGATE].contains(&name)
        && name.contains(['_', '@'])
        && !is_word(name)
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text of a literal.
fn literal_text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn with_article(kind: Kind) -> String {
    let article = if matches!(kind, Kind::INT | Kind::ADDRESS) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// What helps who has one kind and needs another.
fn conversion(has: Kind, needs: Kind) -> &'static str {
    match (has, needs) {
        (Kind::TEXT, Kind::INT) => "turn it into a number with int(...)",
        (Kind::INT | Kind::ADDRESS, Kind::TEXT) => "turn it into a text with string(...)",
        (Kind::TEXT, Kind::TIME) => "write timestamp(\"2026-12-31T00:00:00Z\")",
        (Kind::TEXT, Kind::SPAN) => "write duration(\"90s\")",
        (Kind::List(_), Kind::BOOL) => {
            "ask its elements, as in: certificate.dns.exists(name, name.endsWith(\".example\"))"
        }
        _ => "both sides of an operator, and what a function takes, must be of the right kind",
    }
}

/// All functions, for the manual's test.
#[cfg(test)]
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    call::FUNCTIONS
        .into_iter()
        .chain(call::METHODS)
        .filter(|name| *name != "existsOne")
}

/// The likeliest of these names, or all of them.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let best = known
        .clone()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, known)) if likeness > 0.8 => format!("did you mean `{known}`?"),
        _ => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
