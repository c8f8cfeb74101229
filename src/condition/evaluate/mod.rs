//! Evaluation of a checked expression for one request: strict, bounded, and without an outcome wherever something is
//! missing. Knows no text and no syntax.

mod compute;
mod each;
mod read;

use super::calendar;
use super::error::EvaluationError;
use super::facts::Facts;
use super::tree::{Logic, Node, Read};
use super::value::{List, Value};
use std::borrow::Cow;
use std::cell::Cell;

/// Nodes that one evaluation visits at most, with octets and elements that it looks at counted in.
const MOST_WORK: u32 = 100_000;
/// Octets that are looked at in the time of one node.
const OCTETS_OF_A_NODE: usize = 32;
/// Octets of a text that a regular expression is matched with.
const LONGEST_MATCHED: usize = 8 << 10;

type Outcome<T> = Result<T, EvaluationError>;

pub(super) struct Evaluation<'v> {
    facts: &'v Facts<'v>,
    left: Cell<u32>,
}

impl<'v> Evaluation<'v> {
    pub(super) fn of(facts: &'v Facts<'v>) -> Self {
        Self {
            facts,
            left: Cell::new(MOST_WORK),
        }
    }

    /// Whether the expression holds.
    pub(super) fn holds(&self, node: &'v Node) -> Outcome<bool> {
        self.truth(node, None)
    }

    /// Inside of a macro there is an element.
    fn value(&self, node: &'v Node, element: Option<&Value<'v>>) -> Outcome<Value<'v>> {
        self.spend(1)?;
        Ok(match node {
            Node::Constant(value) => value.borrowed(),
            Node::Read(read) => self.read(read)?,
            Node::Has(read) => Value::Bool(self.has(read)?),
            Node::Element => element.cloned().ok_or(EvaluationError::Unfit)?,
            Node::Not(operand) => Value::Bool(!self.truth(operand, element)?),
            Node::Negate(operand) => compute::negated(self.value(operand, element)?)?,
            Node::Logic(logic, operands) => Value::Bool(self.logic(*logic, operands, element)?),
            Node::Choose(choice) => {
                let [asked, yes, no] = &**choice;
                self.value(if self.truth(asked, element)? { yes } else { no }, element)?
            }
            Node::Compare(comparison, operands) => {
                let (left, right) = self.both(operands, element)?;
                Value::Bool(compute::compared(*comparison, &left, &right)?)
            }
            Node::Arithmetic(arithmetic, operands) => {
                let (left, right) = self.both(operands, element)?;
                self.calculated(*arithmetic, left, right)?
            }
            Node::Find(find, operands) => {
                let (text, part) = self.both(operands, element)?;
                let (text, part) = (compute::text(&text)?, compute::text(&part)?);
                self.spend_octets(text.len() + part.len())?;
                Value::Bool(compute::found(*find, text, part))
            }
            Node::Matches(text, regex) => {
                let text = self.value(text, element)?;
                let text = compute::text(&text)?;
                self.spend_matching(text.len())?;
                Value::Bool(regex.is_match(text))
            }
            Node::Lower(text) => {
                let text = self.value(text, element)?;
                let text = compute::text(&text)?;
                self.spend_octets(text.len())?;
                Value::Text(Cow::Owned(text.to_ascii_lowercase()))
            }
            Node::InNetwork(address, networks) => match self.value(address, element)? {
                Value::Address(address) => {
                    Value::Bool(networks.iter().any(|network| network.contains(address)))
                }
                _ => return Err(EvaluationError::Unfit),
            },
            Node::Size(of) => self.size(&self.value(of, element)?)?,
            Node::ToInt(of) => compute::to_int(self.value(of, element)?)?,
            Node::ToText(of) => compute::to_text(self.value(of, element)?),
            Node::Calendar(part, ahead, time) => match self.value(time, element)? {
                Value::Time(time) => Value::Int(part.of(time, *ahead)?),
                _ => return Err(EvaluationError::Unfit),
            },
            Node::In(_) | Node::Index(_) | Node::List(_) | Node::Each(..) => {
                self.with_list(node, element)?
            }
        })
    }

    fn truth(&self, node: &'v Node, element: Option<&Value<'v>>) -> Outcome<bool> {
        match self.value(node, element)? {
            Value::Bool(value) => Ok(value),
            _ => Err(EvaluationError::Unfit),
        }
    }

    fn both(
        &self,
        operands: &'v [Node; 2],
        element: Option<&Value<'v>>,
    ) -> Outcome<(Value<'v>, Value<'v>)> {
        let [left, right] = operands;
        Ok((self.value(left, element)?, self.value(right, element)?))
    }

    /// As CEL says: what settles the outcome does so from either side, even beside an error.
    fn logic(
        &self,
        logic: Logic,
        operands: &'v [Node; 2],
        element: Option<&Value<'v>>,
    ) -> Outcome<bool> {
        let settles = logic == Logic::Or;
        let [left, right] = operands;
        match self.truth(left, element) {
            Ok(value) if value == settles => Ok(settles),
            Ok(_) => self.truth(right, element),
            Err(error) => match self.truth(right, element) {
                Ok(value) if value == settles => Ok(settles),
                _ => Err(error),
            },
        }
    }

    fn size(&self, value: &Value<'v>) -> Outcome<Value<'v>> {
        let size = match value {
            Value::Text(text) => {
                self.spend_octets(text.len())?;
                text.chars().count()
            }
            Value::List(list) => list.len(),
            _ => return Err(EvaluationError::Unfit),
        };
        i64::try_from(size)
            .map(Value::Int)
            .map_err(|_| EvaluationError::OutOfRange)
    }

    fn spend(&self, work: u32) -> Outcome<()> {
        // Once nothing is left, everything that follows fails too.
        let left = self.left.get().checked_sub(work);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvaluationError::TooCostly)
    }

    fn spend_octets(&self, octets: usize) -> Outcome<()> {
        self.spend(u32::try_from(octets / OCTETS_OF_A_NODE).unwrap_or(u32::MAX))
    }

    /// Regular expressions look at an octet once for each of their places, in the worst case.
    fn spend_matching(&self, octets: usize) -> Outcome<()> {
        if octets > LONGEST_MATCHED {
            return Err(EvaluationError::TooCostly);
        }
        self.spend(u32::try_from(octets).unwrap_or(u32::MAX))
    }

    /// What an expression reads, as text.
    pub(super) fn shown(&self, read: &'v Read) -> String {
        match read {
            Read::Header(named) if is_secret(&named.name) => match self.has(read) {
                Ok(true) => "(not shown)".to_owned(),
                _ => "(absent)".to_owned(),
            },
            _ => match self.read(read) {
                Ok(Value::Time(time)) => calendar::written(time),
                Ok(value) => value.to_string(),
                Err(EvaluationError::Absent(_)) => "(absent)".to_owned(),
                Err(error) => format!("({error})"),
            },
        }
    }
}

/// Fields with credentials are not repeated.
fn is_secret(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].contains(&name)
}

impl<'v> Evaluation<'v> {
    fn with_list(&self, node: &'v Node, element: Option<&Value<'v>>) -> Outcome<Value<'v>> {
        match node {
            Node::In(operands) => {
                let (wanted, list) = self.both(operands, element)?;
                self.is_in(&wanted, &compute::list(list)?)
            }
            Node::Index(operands) => {
                let (list, at) = self.both(operands, element)?;
                let at = if let Value::Int(at) = at {
                    usize::try_from(at).ok()
                } else {
                    None
                };
                at.and_then(|at| compute::list(list).ok()?.get(at))
                    .ok_or(EvaluationError::NoSuchElement)
            }
            Node::List(nodes) => {
                let values = nodes.iter().map(|node| self.value(node, element));
                Ok(Value::List(List::Made(values.collect::<Outcome<_>>()?)))
            }
            Node::Each(each, operands) => {
                let [list, body] = &**operands;
                let list = compute::list(self.value(list, element)?)?;
                self.each(*each, &list, body)
            }
            _ => Err(EvaluationError::Unfit),
        }
    }
}
