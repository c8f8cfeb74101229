//! Macros: one expression asked of each element of a list.

use super::super::error::EvaluationError;
use super::super::tree::{Each, Node};
use super::super::value::{List, Value};
use super::{Evaluation, Outcome};

impl<'v> Evaluation<'v> {
    pub(super) fn each(&self, each: Each, list: &List<'v>, body: &'v Node) -> Outcome<Value<'v>> {
        match each {
            Each::Exists => self.any(list, body, true).map(Value::Bool),
            Each::All => self.any(list, body, false).map(|any| Value::Bool(!any)),
            Each::ExistsOne => {
                let mut held = 0_usize;
                for element in list.iter() {
                    held += usize::from(self.truth(body, Some(&element))?);
                }
                Ok(Value::Bool(held == 1))
            }
            Each::Filter => {
                let mut kept = Vec::new();
                for element in list.iter() {
                    if self.truth(body, Some(&element))? {
                        kept.push(element);
                    }
                }
                Ok(Value::List(List::Made(kept)))
            }
            Each::Map => {
                let made = list.iter().map(|element| self.value(body, Some(&element)));
                Ok(Value::List(List::Made(made.collect::<Outcome<_>>()?)))
            }
        }
    }

    /// Whether the body gives this for any element. That settles the outcome, even where another element has none.
    fn any(&self, list: &List<'v>, body: &'v Node, wanted: bool) -> Outcome<bool> {
        let mut without_outcome: Option<EvaluationError> = None;
        for element in list.iter() {
            match self.truth(body, Some(&element)) {
                Ok(value) if value == wanted => return Ok(true),
                Ok(_) => {}
                Err(error) => without_outcome = without_outcome.or(Some(error)),
            }
        }
        without_outcome.map_or(Ok(false), Err)
    }
}
