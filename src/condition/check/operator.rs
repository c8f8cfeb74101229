//! Checks operators and the kinds of their operands.

use super::super::error::ConditionError;
use super::super::tree::{Arithmetic, CelNode, Comparison, Logic};
use super::super::value::{CelKind, Scalar};
use super::{Checker, Typed, conversion, with_article};
use cel::IdedExpr;
use cel::common::ast::operators;

const COMPARISONS: [(&str, &str, Comparison); 6] = [
    (operators::EQUALS, "==", Comparison::Equal),
    (operators::NOT_EQUALS, "!=", Comparison::NotEqual),
    (operators::LESS, "<", Comparison::Less),
    (operators::LESS_EQUALS, "<=", Comparison::LessOrEqual),
    (operators::GREATER, ">", Comparison::Greater),
    (operators::GREATER_EQUALS, ">=", Comparison::GreaterOrEqual),
];

const CALCULATIONS: [(&str, &str, Arithmetic); 5] = [
    (operators::ADD, "+", Arithmetic::Add),
    (operators::SUBSTRACT, "-", Arithmetic::Subtract),
    (operators::MULTIPLY, "*", Arithmetic::Multiply),
    (operators::DIVIDE, "/", Arithmetic::Divide),
    (operators::MODULO, "%", Arithmetic::Remainder),
];

impl Checker<'_> {
    /// Checks an operator. `None` if the name is not an operator with this number of operands.
    pub(super) fn operator(
        &mut self,
        expression: &IdedExpr,
        name: &str,
        operands: &[IdedExpr],
    ) -> Option<Result<Typed, ConditionError>> {
        Some(match (name, operands) {
            (operators::LOGICAL_AND, [left, right]) => self.logic(Logic::And, "`&&`", left, right),
            (operators::LOGICAL_OR, [left, right]) => self.logic(Logic::Or, "`||`", left, right),
            (operators::LOGICAL_NOT, [operand]) => self.not(operand),
            (operators::NEGATE, [operand]) => self.negate(operand),
            (operators::CONDITIONAL, [test, yes, no]) => self.choose(expression, test, yes, no),
            (operators::IN, [element, list]) => self.is_in(expression, element, list),
            (operators::INDEX, [of, at]) => self.index(expression, of, at),
            (_, [left, right]) => {
                if let Some((_, sign, comparison)) =
                    COMPARISONS.iter().find(|(known, _, _)| *known == name)
                {
                    self.compare(expression, sign, *comparison, left, right)
                } else {
                    let (_, sign, arithmetic) =
                        CALCULATIONS.iter().find(|(known, _, _)| *known == name)?;
                    self.calculate(expression, sign, *arithmetic, left, right)
                }
            }
            _ => return None,
        })
    }

    fn logic(
        &mut self,
        logic: Logic,
        sign: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let operands = [
            self.expect(left, CelKind::BOOL, sign)?,
            self.expect(right, CelKind::BOOL, sign)?,
        ];
        Ok(Typed {
            kind: CelKind::BOOL,
            node: CelNode::Logic(logic, Box::new(operands)),
        })
    }

    fn not(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let operand = self.expect(operand, CelKind::BOOL, "`!`")?;
        Ok(Typed {
            kind: CelKind::BOOL,
            node: CelNode::Not(Box::new(operand)),
        })
    }

    fn negate(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(operand)?;
        if !matches!(typed.kind, CelKind::INT | CelKind::SPAN) {
            let message = format!(
                "`-` needs a number, and this is {}",
                with_article(typed.kind)
            );
            return Err(self.error(
                self.start_of(operand),
                message,
                conversion(typed.kind, CelKind::INT),
            ));
        }
        Ok(Typed {
            kind: typed.kind,
            node: CelNode::Negate(Box::new(typed.node)),
        })
    }

    fn choose(
        &mut self,
        expression: &IdedExpr,
        test: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let test = self.expect(test, CelKind::BOOL, "`?`")?;
        let yes = self.expression(yes)?;
        let no = self.expression(no)?;
        if yes.kind != no.kind {
            return Err(self.kinds_differ(expression, "? :", yes.kind, no.kind));
        }
        Ok(Typed {
            kind: yes.kind,
            node: CelNode::Choose(Box::new([test, yes.node, no.node])),
        })
    }

    fn compare(
        &mut self,
        expression: &IdedExpr,
        sign: &str,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let left = self.expression(left)?;
        let right = self.expression(right)?;
        if left.kind == CelKind::ADDRESS || right.kind == CelKind::ADDRESS {
            let hint = "write inNetwork(source, \"192.0.2.7\"), which compares all spellings of an address";
            return Err(self.error(
                self.offsets.of(expression.id),
                format!("`{sign}` does not compare addresses"),
                hint,
            ));
        }
        if left.kind != right.kind {
            return Err(self.kinds_differ(expression, sign, left.kind, right.kind));
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let fits = match left.kind {
            CelKind::INT | CelKind::TEXT | CelKind::TIME | CelKind::SPAN => true,
            CelKind::BOOL => equality,
            _ => false,
        };
        if !fits {
            let message = format!("`{sign}` does not compare {}", with_article(left.kind));
            return Err(self.error(
                self.offsets.of(expression.id),
                message,
                conversion(left.kind, CelKind::BOOL),
            ));
        }
        Ok(Typed {
            kind: CelKind::BOOL,
            node: CelNode::Compare(comparison, Box::new([left.node, right.node])),
        })
    }

    fn calculate(
        &mut self,
        expression: &IdedExpr,
        sign: &str,
        arithmetic: Arithmetic,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let left = self.expression(left)?;
        let right = self.expression(right)?;
        let kind = match (arithmetic, left.kind, right.kind) {
            (_, CelKind::INT, CelKind::INT) => CelKind::INT,
            (Arithmetic::Add, CelKind::TEXT, CelKind::TEXT) => CelKind::TEXT,
            (Arithmetic::Add, CelKind::TIME, CelKind::SPAN)
            | (Arithmetic::Add, CelKind::SPAN, CelKind::TIME) => CelKind::TIME,
            (Arithmetic::Subtract, CelKind::TIME, CelKind::SPAN) => CelKind::TIME,
            (Arithmetic::Subtract, CelKind::TIME, CelKind::TIME) => CelKind::SPAN,
            (Arithmetic::Add | Arithmetic::Subtract, CelKind::SPAN, CelKind::SPAN) => CelKind::SPAN,
            (_, left, right) => return Err(self.kinds_differ(expression, sign, left, right)),
        };
        Ok(Typed {
            kind,
            node: CelNode::Arithmetic(arithmetic, Box::new([left.node, right.node])),
        })
    }

    fn is_in(
        &mut self,
        expression: &IdedExpr,
        element: &IdedExpr,
        list: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        if let Some(space) = self.space(list) {
            let read = self.named_in_brackets(space, element)?;
            return Ok(self.presence(read));
        }
        let element = self.expression(element)?;
        let list = self.expression(list)?;
        match (element.kind, list.kind) {
            (CelKind::One(Scalar::Address), _) => {
                let hint = "write inNetwork(source, [\"10.0.0.0/8\", \"fd00::/8\"])";
                Err(self.error(
                    self.offsets.of(expression.id),
                    "`in` does not compare addresses".to_owned(),
                    hint,
                ))
            }
            (CelKind::One(one), CelKind::List(many)) if one == many => Ok(Typed {
                kind: CelKind::BOOL,
                node: CelNode::In(Box::new([element.node, list.node])),
            }),
            (element, list) => Err(self.kinds_differ(expression, "in", element, list)),
        }
    }

    fn index(
        &mut self,
        expression: &IdedExpr,
        of: &IdedExpr,
        at: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        if let Some(space) = self.space(of) {
            let read = self.named_in_brackets(space, at)?;
            return Ok(self.read(read));
        }
        let list = self.expression(of)?;
        let CelKind::List(scalar) = list.kind else {
            let message = format!("{} has no elements", with_article(list.kind));
            return Err(self.error(
                self.offsets.of(expression.id),
                message,
                "only lists have elements",
            ));
        };
        let at = self.expect(at, CelKind::INT, "an element's position")?;
        Ok(Typed {
            kind: CelKind::One(scalar),
            node: CelNode::Index(Box::new([list.node, at])),
        })
    }

    fn kinds_differ(
        &self,
        expression: &IdedExpr,
        sign: &str,
        left: CelKind,
        right: CelKind,
    ) -> ConditionError {
        let message = format!(
            "`{sign}` does not accept {} and {}",
            with_article(left),
            with_article(right)
        );
        let hint = match (left, right) {
            (CelKind::TEXT, other) | (other, CelKind::TEXT) => conversion(CelKind::TEXT, other),
            (left, right) => conversion(left, right),
        };
        self.error(self.offsets.of(expression.id), message, hint)
    }
}
