//! Evaluates a checked expression for one request: strict and bounded. A missing attribute is an error.

mod compute;
mod each;
mod read;

use super::calendar;
use super::error::EvaluationError;
use super::facts::Facts;
use super::tree::{Attribute, CelNode, Logic};
use super::value::{CelList, CelValue};
use std::borrow::Cow;
use std::cell::Cell;

/// Maximum steps of one evaluation. A step is a visited node, a list element, or [`BYTES_PER_STEP`] bytes.
const MAX_STEPS: u32 = 100_000;
/// Number of read bytes that count as one step.
const BYTES_PER_STEP: usize = 32;
/// Longest text that a regular expression is matched against, in bytes.
const LONGEST_MATCHED: usize = 8 << 10;

type EvaluationResult<T> = Result<T, EvaluationError>;

pub(super) struct Evaluation<'v> {
    facts: &'v Facts<'v>,
    /// Remaining steps.
    steps_left: Cell<u32>,
}

impl<'v> Evaluation<'v> {
    pub(super) fn of(facts: &'v Facts<'v>) -> Self {
        Self {
            facts,
            steps_left: Cell::new(MAX_STEPS),
        }
    }

    /// The value of a boolean expression.
    pub(super) fn holds(&self, node: &'v CelNode) -> EvaluationResult<bool> {
        self.truth(node, None)
    }

    /// The value of a node. `element` is the current element inside a macro.
    fn value(
        &self,
        node: &'v CelNode,
        element: Option<&CelValue<'v>>,
    ) -> EvaluationResult<CelValue<'v>> {
        self.spend(1)?;
        Ok(match node {
            CelNode::Constant(value) => value.borrowed(),
            CelNode::Read(read) => self.read(read)?,
            CelNode::Has(read) => CelValue::Bool(self.has(read)?),
            CelNode::Element => element.cloned().ok_or(EvaluationError::Unfit)?,
            CelNode::Not(operand) => CelValue::Bool(!self.truth(operand, element)?),
            CelNode::Negate(operand) => compute::negate(self.value(operand, element)?)?,
            CelNode::Logic(logic, operands) => {
                CelValue::Bool(self.logic(*logic, operands, element)?)
            }
            CelNode::Choose(choice) => {
                let [test, yes, no] = &**choice;
                self.value(if self.truth(test, element)? { yes } else { no }, element)?
            }
            CelNode::Compare(comparison, operands) => {
                let (left, right) = self.both(operands, element)?;
                CelValue::Bool(compute::compare(*comparison, &left, &right)?)
            }
            CelNode::Arithmetic(arithmetic, operands) => {
                let (left, right) = self.both(operands, element)?;
                self.calculate(*arithmetic, left, right)?
            }
            CelNode::InNetwork(address, networks) => match self.value(address, element)? {
                CelValue::Address(address) => {
                    CelValue::Bool(networks.iter().any(|network| network.contains(address)))
                }
                _ => return Err(EvaluationError::Unfit),
            },
            CelNode::Size(of) => self.size(&self.value(of, element)?)?,
            CelNode::ToInt(of) => compute::to_int(self.value(of, element)?)?,
            CelNode::ToText(of) => compute::to_text(self.value(of, element)?),
            CelNode::Calendar(part, offset, time) => match self.value(time, element)? {
                CelValue::Time(time) => CelValue::Int(part.of(time, *offset)?),
                _ => return Err(EvaluationError::Unfit),
            },
            CelNode::Find(..) | CelNode::Matches(..) | CelNode::Lower(_) => {
                self.with_text(node, element)?
            }
            CelNode::In(_) | CelNode::Index(_) | CelNode::List(_) | CelNode::Each(..) => {
                self.with_list(node, element)?
            }
        })
    }

    fn truth(&self, node: &'v CelNode, element: Option<&CelValue<'v>>) -> EvaluationResult<bool> {
        match self.value(node, element)? {
            CelValue::Bool(value) => Ok(value),
            _ => Err(EvaluationError::Unfit),
        }
    }

    /// The values of both operands.
    fn both(
        &self,
        operands: &'v [CelNode; 2],
        element: Option<&CelValue<'v>>,
    ) -> EvaluationResult<(CelValue<'v>, CelValue<'v>)> {
        let [left, right] = operands;
        Ok((self.value(left, element)?, self.value(right, element)?))
    }

    /// `&&` and `||` as CEL specifies: an operand that determines the result does so even if the other one fails.
    fn logic(
        &self,
        logic: Logic,
        operands: &'v [CelNode; 2],
        element: Option<&CelValue<'v>>,
    ) -> EvaluationResult<bool> {
        let determining = logic == Logic::Or;
        let [left, right] = operands;
        match self.truth(left, element) {
            Ok(value) if value == determining => Ok(determining),
            Ok(_) => self.truth(right, element),
            Err(error) => match self.truth(right, element) {
                Ok(value) if value == determining => Ok(determining),
                _ => Err(error),
            },
        }
    }

    fn size(&self, value: &CelValue<'v>) -> EvaluationResult<CelValue<'v>> {
        let size = match value {
            CelValue::Text(text) => {
                self.spend_bytes(text.len())?;
                text.chars().count()
            }
            CelValue::List(list) => list.len(),
            _ => return Err(EvaluationError::Unfit),
        };
        i64::try_from(size)
            .map(CelValue::Int)
            .map_err(|_| EvaluationError::OutOfRange)
    }

    /// Counts steps.
    ///
    /// # Errors
    /// [`EvaluationError::TooCostly`] beyond the limit.
    fn spend(&self, steps: u32) -> EvaluationResult<()> {
        // After the limit is reached, every further step fails.
        let left = self.steps_left.get().checked_sub(steps);
        self.steps_left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(EvaluationError::TooCostly)
    }

    fn spend_bytes(&self, bytes: usize) -> EvaluationResult<()> {
        self.spend(u32::try_from(bytes / BYTES_PER_STEP).unwrap_or(u32::MAX))
    }

    /// Counts one step per byte: in the worst case a regular expression visits each byte once per state.
    fn spend_matching(&self, bytes: usize) -> EvaluationResult<()> {
        if bytes > LONGEST_MATCHED {
            return Err(EvaluationError::TooCostly);
        }
        self.spend(u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// An attribute as text for explanations. Credentials are not shown.
    pub(super) fn display(&self, read: &'v Attribute) -> String {
        match read {
            Attribute::Header(named) if is_secret(&named.name) => match self.has(read) {
                Ok(true) => "(not shown)".to_owned(),
                _ => "(absent)".to_owned(),
            },
            _ => match self.read(read) {
                Ok(CelValue::Time(time)) => calendar::format_time(time),
                Ok(value) => value.to_string(),
                Err(EvaluationError::Absent(_)) => "(absent)".to_owned(),
                Err(error) => format!("({error})"),
            },
        }
    }
}

/// Whether a header field contains credentials.
fn is_secret(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].contains(&name)
}

impl<'v> Evaluation<'v> {
    /// The value of a node that reads text.
    fn with_text(
        &self,
        node: &'v CelNode,
        element: Option<&CelValue<'v>>,
    ) -> EvaluationResult<CelValue<'v>> {
        Ok(match node {
            CelNode::Find(test, operands) => {
                let (text, part) = self.both(operands, element)?;
                let text = compute::text(&text)?;
                let part = compute::text(&part)?;
                self.spend_bytes(text.len() + part.len())?;
                CelValue::Bool(compute::test_text(*test, text, part))
            }
            CelNode::Matches(text, regex) => {
                let text = self.value(text, element)?;
                let text = compute::text(&text)?;
                self.spend_matching(text.len())?;
                CelValue::Bool(regex.is_match(text))
            }
            CelNode::Lower(text) => {
                let text = self.value(text, element)?;
                let text = compute::text(&text)?;
                self.spend_bytes(text.len())?;
                CelValue::Text(Cow::Owned(text.to_ascii_lowercase()))
            }
            _ => return Err(EvaluationError::Unfit),
        })
    }

    /// The value of a node that reads or creates lists.
    fn with_list(
        &self,
        node: &'v CelNode,
        element: Option<&CelValue<'v>>,
    ) -> EvaluationResult<CelValue<'v>> {
        match node {
            CelNode::In(operands) => {
                let (searched, list) = self.both(operands, element)?;
                self.is_in(&searched, &compute::list(list)?)
            }
            CelNode::Index(operands) => {
                let (list, at) = self.both(operands, element)?;
                let at = if let CelValue::Int(at) = at {
                    usize::try_from(at).ok()
                } else {
                    None
                };
                at.and_then(|at| compute::list(list).ok()?.get(at))
                    .ok_or(EvaluationError::NoSuchElement)
            }
            CelNode::List(nodes) => {
                let values = nodes.iter().map(|node| self.value(node, element));
                Ok(CelValue::List(CelList::Owned(
                    values.collect::<EvaluationResult<_>>()?,
                )))
            }
            CelNode::Each(list_macro, operands) => {
                let [list, body] = &**operands;
                let list = compute::list(self.value(list, element)?)?;
                self.list_macro(*list_macro, &list, body)
            }
            _ => Err(EvaluationError::Unfit),
        }
    }
}
