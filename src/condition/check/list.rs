//! Checks list literals and the macros over lists. Neither nests, so that the work is proportional to the sizes of the
//! expression and the certificate.

use super::super::error::ConditionError;
use super::super::tree::{CelNode, ListMacro};
use super::super::value::{CelKind, CelList, CelValue};
use super::name::is_root;
use super::{Checker, Typed, with_article};
use cel::IdedExpr;
use cel::common::ast::Expr;

impl Checker<'_> {
    pub(super) fn list_literal(
        &mut self,
        expression: &IdedExpr,
        elements: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut scalar = None;
        for element in elements {
            let typed = self.expression(element)?;
            let CelKind::One(kind) = typed.kind else {
                let message = "lists cannot be nested".to_owned();
                return Err(self.error(self.start_of(element), message, "write one list"));
            };
            if scalar.is_some_and(|first| first != kind) {
                let message = format!(
                    "this is {}, and the elements before it are not",
                    with_article(typed.kind)
                );
                return Err(self.error(
                    self.start_of(element),
                    message,
                    "all elements of a list must have the same kind",
                ));
            }
            scalar = Some(kind);
            nodes.push(typed.node);
        }
        let Some(scalar) = scalar else {
            let place = self.offsets.of(expression.id);
            return Err(self.error(
                place,
                "the list is empty".to_owned(),
                "no test of an empty list can hold",
            ));
        };
        Ok(Typed {
            kind: CelKind::List(scalar),
            node: fold_constants(nodes),
        })
    }

    pub(super) fn list_macro(
        &mut self,
        call: &IdedExpr,
        list_macro: ListMacro,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let place = self.offsets.of(call.id);
        let form = "write it as in: certificate.dns.exists(name, name.endsWith(\".example\"))";
        let [variable, body] = arguments else {
            return Err(self.error(
                place,
                "a macro takes a name and an expression".to_owned(),
                form,
            ));
        };
        if self.variable.is_some() {
            let message = "macros cannot be nested".to_owned();
            return Err(self.error(place, message, "write a macro over one list"));
        }
        let list = self.expression(target)?;
        let CelKind::List(scalar) = list.kind else {
            let message = format!(
                "macros need a list, and this is {}",
                with_article(list.kind)
            );
            return Err(self.error(self.start_of(target), message, form));
        };
        let name = match &variable.expr {
            Expr::Ident(name) if !name.starts_with('.') && !is_root(name) => name.clone(),
            _ => {
                let message = "the element needs a name that is not in use".to_owned();
                return Err(self.error(self.offsets.of(variable.id), message, form));
            }
        };
        self.variable = Some((name, scalar));
        let body = self.body(list_macro, body);
        self.variable = None;
        let body = body?;
        let kind = match (list_macro, body.kind) {
            (ListMacro::Exists | ListMacro::All | ListMacro::ExistsOne, _) => CelKind::BOOL,
            (ListMacro::Filter, _) => list.kind,
            (ListMacro::Map, CelKind::One(scalar) | CelKind::List(scalar)) => CelKind::List(scalar),
        };
        Ok(Typed {
            kind,
            node: CelNode::Each(list_macro, Box::new([list.node, body.node])),
        })
    }

    fn body(&mut self, list_macro: ListMacro, body: &IdedExpr) -> Result<Typed, ConditionError> {
        if list_macro != ListMacro::Map {
            let node = self.expect(body, CelKind::BOOL, "the macro")?;
            return Ok(Typed {
                kind: CelKind::BOOL,
                node,
            });
        }
        let typed = self.expression(body)?;
        match typed.kind {
            CelKind::One(_) => Ok(typed),
            CelKind::List(_) => Err(self.error(
                self.start_of(body),
                "lists cannot be nested".to_owned(),
                "map each element to one value",
            )),
        }
    }
}

/// Folds a list of constants to one constant.
fn fold_constants(nodes: Vec<CelNode>) -> CelNode {
    let is_constant = |node: &CelNode| matches!(node, CelNode::Constant(_));
    if !nodes.iter().all(is_constant) {
        return CelNode::List(nodes);
    }
    let values = nodes.into_iter().filter_map(|node| match node {
        CelNode::Constant(value) => Some(value),
        _ => None,
    });
    CelNode::Constant(CelValue::List(CelList::Owned(values.collect())))
}
