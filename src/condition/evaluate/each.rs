//! Macros: evaluate one expression for each element of a list.

use super::super::error::EvaluationError;
use super::super::tree::{CelNode, ListMacro};
use super::super::value::{CelList, CelValue};
use super::{Evaluation, EvaluationResult};

impl<'v> Evaluation<'v> {
    pub(super) fn list_macro(
        &self,
        list_macro: ListMacro,
        list: &CelList<'v>,
        body: &'v CelNode,
    ) -> EvaluationResult<CelValue<'v>> {
        match list_macro {
            ListMacro::Exists => self.any(list, body, true).map(CelValue::Bool),
            ListMacro::All => self.any(list, body, false).map(|any| CelValue::Bool(!any)),
            ListMacro::ExistsOne => {
                let mut matches = 0_usize;
                for element in list.iter() {
                    matches += usize::from(self.truth(body, Some(&element))?);
                }
                Ok(CelValue::Bool(matches == 1))
            }
            ListMacro::Filter => {
                let mut matching = Vec::new();
                for element in list.iter() {
                    if self.truth(body, Some(&element))? {
                        matching.push(element);
                    }
                }
                Ok(CelValue::List(CelList::Owned(matching)))
            }
            ListMacro::Map => {
                let values = list.iter().map(|element| self.value(body, Some(&element)));
                Ok(CelValue::List(CelList::Owned(
                    values.collect::<EvaluationResult<_>>()?,
                )))
            }
        }
    }

    /// Whether the body has this value for any element. If so, errors of other elements are ignored, as CEL specifies.
    fn any(&self, list: &CelList<'v>, body: &'v CelNode, expected: bool) -> EvaluationResult<bool> {
        let mut first_error: Option<EvaluationError> = None;
        for element in list.iter() {
            match self.truth(body, Some(&element)) {
                Ok(value) if value == expected => return Ok(true),
                Ok(_) => {}
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(false), Err)
    }
}
