//! Operators: which take which kinds.

use super::super::error::ConditionError;
use super::super::tree::{Arithmetic, Comparison, Logic, Node};
use super::super::value::{Kind, Scalar};
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
    /// `None` for what is no operator with these operands.
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
            (operators::CONDITIONAL, [asked, yes, no]) => self.choose(expression, asked, yes, no),
            (operators::IN, [element, list]) => self.is_in(expression, element, list),
            (operators::INDEX, [of, at]) => self.index(expression, of, at),
            (_, [left, right]) => {
                if let Some((_, sign, comparison)) =
                    COMPARISONS.iter().find(|(known, _, _)| *known == name)
                {
                    self.compare(expression, sign, *comparison, (left, right))
                } else {
                    let (_, sign, arithmetic) =
                        CALCULATIONS.iter().find(|(known, _, _)| *known == name)?;
                    self.calculate(expression, sign, *arithmetic, (left, right))
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
            self.wanted(left, Kind::BOOL, sign)?,
            self.wanted(right, Kind::BOOL, sign)?,
        ];
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::Logic(logic, Box::new(operands)),
        })
    }

    fn not(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let operand = self.wanted(operand, Kind::BOOL, "`!`")?;
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::Not(Box::new(operand)),
        })
    }

    fn negate(&mut self, operand: &IdedExpr) -> Result<Typed, ConditionError> {
        let typed = self.expression(operand)?;
        if !matches!(typed.kind, Kind::INT | Kind::SPAN) {
            let message = format!(
                "`-` needs a number, and this is {}",
                with_article(typed.kind)
            );
            return Err(self.error(
                self.start_of(operand),
                message,
                conversion(typed.kind, Kind::INT),
            ));
        }
        Ok(Typed {
            kind: typed.kind,
            node: Node::Negate(Box::new(typed.node)),
        })
    }

    fn choose(
        &mut self,
        expression: &IdedExpr,
        asked: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Typed, ConditionError> {
        let asked = self.wanted(asked, Kind::BOOL, "`?`")?;
        let (yes, no) = (self.expression(yes)?, self.expression(no)?);
        if yes.kind != no.kind {
            return Err(self.differ(expression, "? :", yes.kind, no.kind));
        }
        Ok(Typed {
            kind: yes.kind,
            node: Node::Choose(Box::new([asked, yes.node, no.node])),
        })
    }

    fn compare(
        &mut self,
        expression: &IdedExpr,
        sign: &str,
        comparison: Comparison,
        (left, right): (&IdedExpr, &IdedExpr),
    ) -> Result<Typed, ConditionError> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        if left.kind == Kind::ADDRESS || right.kind == Kind::ADDRESS {
            let hint = "write inNetwork(source, \"192.0.2.7\"), which knows one address in all its spellings";
            return Err(self.error(
                self.places.of(expression.id),
                format!("`{sign}` compares no addresses"),
                hint,
            ));
        }
        if left.kind != right.kind {
            return Err(self.differ(expression, sign, left.kind, right.kind));
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let fits = match left.kind {
            Kind::INT | Kind::TEXT | Kind::TIME | Kind::SPAN => true,
            Kind::BOOL => equality,
            _ => false,
        };
        if !fits {
            let message = format!("`{sign}` does not compare {}", with_article(left.kind));
            return Err(self.error(
                self.places.of(expression.id),
                message,
                conversion(left.kind, Kind::BOOL),
            ));
        }
        Ok(Typed {
            kind: Kind::BOOL,
            node: Node::Compare(comparison, Box::new([left.node, right.node])),
        })
    }

    fn calculate(
        &mut self,
        expression: &IdedExpr,
        sign: &str,
        arithmetic: Arithmetic,
        (left, right): (&IdedExpr, &IdedExpr),
    ) -> Result<Typed, ConditionError> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let kind = match (arithmetic, left.kind, right.kind) {
            (_, Kind::INT, Kind::INT) => Kind::INT,
            (Arithmetic::Add, Kind::TEXT, Kind::TEXT) => Kind::TEXT,
            (Arithmetic::Add, Kind::TIME, Kind::SPAN)
            | (Arithmetic::Add, Kind::SPAN, Kind::TIME) => Kind::TIME,
            (Arithmetic::Subtract, Kind::TIME, Kind::SPAN) => Kind::TIME,
            (Arithmetic::Subtract, Kind::TIME, Kind::TIME) => Kind::SPAN,
            (Arithmetic::Add | Arithmetic::Subtract, Kind::SPAN, Kind::SPAN) => Kind::SPAN,
            (_, left, right) => return Err(self.differ(expression, sign, left, right)),
        };
        Ok(Typed {
            kind,
            node: Node::Arithmetic(arithmetic, Box::new([left.node, right.node])),
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
        let (element, list) = (self.expression(element)?, self.expression(list)?);
        match (element.kind, list.kind) {
            (Kind::One(Scalar::Address), _) => {
                let hint = "write inNetwork(source, [\"10.0.0.0/8\", \"fd00::/8\"])";
                Err(self.error(
                    self.places.of(expression.id),
                    "`in` looks for no addresses".to_owned(),
                    hint,
                ))
            }
            (Kind::One(one), Kind::List(many)) if one == many => Ok(Typed {
                kind: Kind::BOOL,
                node: Node::In(Box::new([element.node, list.node])),
            }),
            (element, list) => Err(self.differ(expression, "in", element, list)),
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
        let Kind::List(scalar) = list.kind else {
            let message = format!("{} has no elements", with_article(list.kind));
            return Err(self.error(
                self.places.of(expression.id),
                message,
                "only lists have elements",
            ));
        };
        let at = self.wanted(at, Kind::INT, "an element's position")?;
        Ok(Typed {
            kind: Kind::One(scalar),
            node: Node::Index(Box::new([list.node, at])),
        })
    }

    fn differ(&self, expression: &IdedExpr, sign: &str, left: Kind, right: Kind) -> ConditionError {
        let message = format!(
            "`{sign}` does not go with {} and {}",
            with_article(left),
            with_article(right)
        );
        let hint = match (left, right) {
            (Kind::TEXT, other) | (other, Kind::TEXT) => conversion(Kind::TEXT, other),
            (left, right) => conversion(left, right),
        };
        self.error(self.places.of(expression.id), message, hint)
    }
}
