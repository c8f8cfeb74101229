//! The type check: resolves every name of an expression, parses its literals, and checks the kinds of operands. After it,
//! evaluation fails only because of the data of a request.

mod call;
mod list;
mod name;
mod operator;
mod time;

use super::error::ConditionError;
use super::parse::{NodeOffsets, parse, too_deep};
use super::tree::{Attribute, CelNode};
use super::value::{CelKind, CelValue, Scalar};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use std::borrow::Cow;

/// Maximum depth of a checked expression, so that its evaluation fits on any stack.
const MAX_DEPTH: usize = 64;

/// A checked expression and the attributes it reads: each once, in the order of the text.
pub(super) struct CheckedExpression {
    pub(super) node: CelNode,
    pub(super) reads: Vec<Attribute>,
}

/// A node and the kind of its value.
struct Typed {
    kind: CelKind,
    node: CelNode,
}

struct Checker<'t> {
    offsets: NodeOffsets<'t>,
    reads: Vec<Attribute>,
    depth: usize,
    /// Name and kind of the element, inside a macro.
    variable: Option<(String, Scalar)>,
}

/// Parses and checks an expression. Needs a stack of [`super::parse::STACK`].
pub(super) fn check(text: &str) -> Result<CheckedExpression, ConditionError> {
    let (root, offsets) = parse(text)?;
    let mut checker = Checker {
        offsets,
        reads: Vec::new(),
        depth: 0,
        variable: None,
    };
    let typed = checker.expression(&root)?;
    if typed.kind != CelKind::BOOL {
        let hint = "compare it with something, as in: request.method == \"GET\"";
        let message = format!(
            "a condition must give true or false, and this gives {}",
            with_article(typed.kind)
        );
        return Err(checker.error(checker.start_of(&root), message, hint));
    }
    Ok(CheckedExpression {
        node: typed.node,
        reads: checker.reads,
    })
}

impl Checker<'_> {
    fn expression(&mut self, expression: &IdedExpr) -> Result<Typed, ConditionError> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep(self.offsets.of(expression.id)));
        }
        self.depth += 1;
        let typed = match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(name) => self.variable(expression, name),
            Expr::Select(select) => self.field(expression, select),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => self.list_literal(expression, &list.elements),
            Expr::Map(_) | Expr::Struct(_) => {
                Err(self.unsupported(expression, "maps and messages"))
            }
            Expr::Comprehension(_) | Expr::Unspecified => Err(self.unsupported(expression, "this")),
        };
        self.depth -= 1;
        typed
    }

    /// Checks an expression that must have a kind. `consumer` names the operator or function in the message.
    fn expect(
        &mut self,
        expression: &IdedExpr,
        kind: CelKind,
        consumer: &str,
    ) -> Result<CelNode, ConditionError> {
        let typed = self.expression(expression)?;
        if typed.kind == kind {
            return Ok(typed.node);
        }
        let message = format!(
            "{consumer} needs {} here, and this is {}",
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
            LiteralValue::Boolean(value) => (CelKind::BOOL, CelValue::Bool(*value.inner())),
            LiteralValue::Int(value) => (CelKind::INT, CelValue::Int(*value.inner())),
            LiteralValue::String(value) => (
                CelKind::TEXT,
                CelValue::Text(Cow::Owned(value.inner().to_owned())),
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
            node: CelNode::Constant(value),
        })
    }

    fn read(&mut self, read: Attribute) -> Typed {
        self.note(&read);
        Typed {
            kind: read.kind(),
            node: CelNode::Read(read),
        }
    }

    fn note(&mut self, read: &Attribute) {
        if !self.reads.contains(read) {
            self.reads.push(read.clone());
        }
    }

    fn unsupported(&self, expression: &IdedExpr, what: &str) -> ConditionError {
        let hint = "conditions support bool, int, string, timestamp, duration and lists of these";
        self.error(
            self.offsets.of(expression.id),
            format!("conditions do not support {what}"),
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
                    .offsets
                    .name_before(self.offsets.of(expression.id), func_name),
            },
            _ => self.offsets.of(expression.id),
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

fn with_article(kind: CelKind) -> String {
    let article = if matches!(kind, CelKind::INT | CelKind::ADDRESS) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// A hint how to convert a value from one kind to another.
fn conversion(has: CelKind, needs: CelKind) -> &'static str {
    match (has, needs) {
        (CelKind::TEXT, CelKind::INT) => "convert it with int(...)",
        (CelKind::INT | CelKind::ADDRESS, CelKind::TEXT) => "convert it with string(...)",
        (CelKind::TEXT, CelKind::TIME) => "write timestamp(\"2026-12-31T00:00:00Z\")",
        (CelKind::TEXT, CelKind::SPAN) => "write duration(\"90s\")",
        (CelKind::List(_), CelKind::BOOL) => {
            "test its elements, as in: certificate.dns.exists(name, name.endsWith(\".example\"))"
        }
        _ => "operands and arguments must have the right kind",
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

/// A hint with the most similar known name, or with all known names.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let best = known
        .clone()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((similarity, known)) if similarity > 0.8 => format!("did you mean `{known}`?"),
        _ => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
