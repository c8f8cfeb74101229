//! Lists that stand in the text, and the macros that go through lists. They do not nest, so that the work stays in
//! proportion to text and certificate.

use super::super::error::ConditionError;
use super::super::tree::{Each, Node};
use super::super::value::{Kind, List, Value};
use super::name::is_root;
use super::{Checker, Typed, with_article};
use cel::IdedExpr;
use cel::common::ast::Expr;

impl Checker<'_> {
    pub(super) fn written_list(
        &mut self,
        expression: &IdedExpr,
        elements: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let mut nodes = Vec::with_capacity(elements.len());
        let mut scalar = None;
        for element in elements {
            let typed = self.expression(element)?;
            let Kind::One(kind) = typed.kind else {
                let message = "a list holds no lists".to_owned();
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
                    "the elements of a list are of one kind",
                ));
            }
            scalar = Some(kind);
            nodes.push(typed.node);
        }
        let Some(scalar) = scalar else {
            let place = self.places.of(expression.id);
            return Err(self.error(
                place,
                "the list is empty".to_owned(),
                "nothing is in it, so that nothing can hold",
            ));
        };
        Ok(Typed {
            kind: Kind::List(scalar),
            node: folded(nodes),
        })
    }

    pub(super) fn each(
        &mut self,
        call: &IdedExpr,
        each: Each,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let place = self.places.of(call.id);
        let form = "write it as in: certificate.dns.exists(name, name.endsWith(\".example\"))";
        let [variable, body] = arguments else {
            return Err(self.error(
                place,
                "a macro takes a name and an expression".to_owned(),
                form,
            ));
        };
        if self.variable.is_some() {
            let message = "one macro stands inside another".to_owned();
            return Err(self.error(place, message, "go through one list at a time"));
        }
        let list = self.expression(target)?;
        let Kind::List(scalar) = list.kind else {
            let message = format!(
                "macros go through lists, and this is {}",
                with_article(list.kind)
            );
            return Err(self.error(self.start_of(target), message, form));
        };
        let name = match &variable.expr {
            Expr::Ident(name) if !name.starts_with('.') && !is_root(name) => name.clone(),
            _ => {
                let message = "the element needs a name that is not taken".to_owned();
                return Err(self.error(self.places.of(variable.id), message, form));
            }
        };
        self.variable = Some((name, scalar));
        let body = self.body(each, body);
        self.variable = None;
        let body = body?;
        let kind = match (each, body.kind) {
            (Each::Exists | Each::All | Each::ExistsOne, _) => Kind::BOOL,
            (Each::Filter, _) => list.kind,
            (Each::Map, Kind::One(scalar) | Kind::List(scalar)) => Kind::List(scalar),
        };
        Ok(Typed {
            kind,
            node: Node::Each(each, Box::new([list.node, body.node])),
        })
    }

    fn body(&mut self, each: Each, body: &IdedExpr) -> Result<Typed, ConditionError> {
        if each != Each::Map {
            let node = self.wanted(body, Kind::BOOL, "the macro")?;
            return Ok(Typed {
                kind: Kind::BOOL,
                node,
            });
        }
        let typed = self.expression(body)?;
        match typed.kind {
            Kind::One(_) => Ok(typed),
            Kind::List(_) => Err(self.error(
                self.start_of(body),
                "a list holds no lists".to_owned(),
                "make one value of each element",
            )),
        }
    }
}

/// One value if all elements are known already.
fn folded(nodes: Vec<Node>) -> Node {
    let known = |node: &Node| matches!(node, Node::Constant(_));
    if !nodes.iter().all(known) {
        return Node::List(nodes);
    }
    let values = nodes.into_iter().filter_map(|node| match node {
        Node::Constant(value) => Some(value),
        _ => None,
    });
    Node::Constant(Value::List(List::Made(values.collect())))
}
