//! Operators on values. The checker verified the kinds; a mismatch is an error nevertheless.

use super::super::calendar::{SECOND, within_calendar, within_longest};
use super::super::error::EvaluationError;
use super::super::tree::{Arithmetic, Comparison, TextTest};
use super::super::value::{CelList, CelValue};
use super::{Evaluation, EvaluationResult};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Longest text that an expression may concatenate, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

pub(super) fn text<'a>(value: &'a CelValue<'_>) -> EvaluationResult<&'a str> {
    if let CelValue::Text(text) = value {
        Ok(text)
    } else {
        Err(EvaluationError::Unfit)
    }
}

pub(super) fn list(value: CelValue<'_>) -> EvaluationResult<CelList<'_>> {
    if let CelValue::List(list) = value {
        Ok(list)
    } else {
        Err(EvaluationError::Unfit)
    }
}

pub(super) fn compare(
    comparison: Comparison,
    left: &CelValue<'_>,
    right: &CelValue<'_>,
) -> EvaluationResult<bool> {
    let order = match (left, right) {
        // The byte order of UTF-8 is the order of characters.
        (CelValue::Text(left), CelValue::Text(right)) if comparison == Comparison::Equal => {
            return Ok(left == right);
        }
        (CelValue::Text(left), CelValue::Text(right)) => left.cmp(right),
        (CelValue::Int(left), CelValue::Int(right)) => left.cmp(right),
        (CelValue::Bool(left), CelValue::Bool(right)) => left.cmp(right),
        (CelValue::Time(left), CelValue::Time(right))
        | (CelValue::Span(left), CelValue::Span(right)) => left.cmp(right),
        _ => return Err(EvaluationError::Unfit),
    };
    Ok(match comparison {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    })
}

pub(super) fn test_text(test: TextTest, text: &str, part: &str) -> bool {
    match test {
        TextTest::StartsWith => text.starts_with(part),
        TextTest::EndsWith => text.ends_with(part),
        TextTest::Contains => text.contains(part),
    }
}

pub(super) fn negate(value: CelValue<'_>) -> EvaluationResult<CelValue<'_>> {
    match value {
        CelValue::Int(number) => number
            .checked_neg()
            .map(CelValue::Int)
            .ok_or(EvaluationError::OutOfRange),
        CelValue::Span(span) => within_longest(-span).map(CelValue::Span),
        _ => Err(EvaluationError::Unfit),
    }
}

pub(super) fn to_int(value: CelValue<'_>) -> EvaluationResult<CelValue<'_>> {
    match value {
        CelValue::Text(text) => text
            .parse()
            .map(CelValue::Int)
            .map_err(|_| EvaluationError::NotANumber),
        CelValue::Time(time) => i64::try_from(time.div_euclid(SECOND))
            .map(CelValue::Int)
            .map_err(|_| EvaluationError::OutOfRange),
        CelValue::Int(number) => Ok(CelValue::Int(number)),
        _ => Err(EvaluationError::Unfit),
    }
}

pub(super) fn to_text(value: CelValue<'_>) -> CelValue<'_> {
    match value {
        CelValue::Text(text) => CelValue::Text(text),
        other => CelValue::Text(Cow::Owned(other.to_string())),
    }
}

fn integer(arithmetic: Arithmetic, left: i64, right: i64) -> EvaluationResult<i64> {
    let number = match arithmetic {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide | Arithmetic::Remainder if right == 0 => {
            return Err(EvaluationError::DivisionByZero);
        }
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    number.ok_or(EvaluationError::OutOfRange)
}

impl<'v> Evaluation<'v> {
    pub(super) fn calculate(
        &self,
        arithmetic: Arithmetic,
        left: CelValue<'v>,
        right: CelValue<'v>,
    ) -> EvaluationResult<CelValue<'v>> {
        match (arithmetic, left, right) {
            (_, CelValue::Int(left), CelValue::Int(right)) => {
                integer(arithmetic, left, right).map(CelValue::Int)
            }
            (Arithmetic::Add, CelValue::Text(left), CelValue::Text(right)) => {
                self.concatenate(left, &right)
            }
            (Arithmetic::Add, CelValue::Time(time), CelValue::Span(span))
            | (Arithmetic::Add, CelValue::Span(span), CelValue::Time(time)) => {
                within_calendar(time + span).map(CelValue::Time)
            }
            (Arithmetic::Subtract, CelValue::Time(time), CelValue::Span(span)) => {
                within_calendar(time - span).map(CelValue::Time)
            }
            (Arithmetic::Subtract, CelValue::Time(left), CelValue::Time(right)) => {
                within_longest(left - right).map(CelValue::Span)
            }
            (Arithmetic::Add, CelValue::Span(left), CelValue::Span(right)) => {
                within_longest(left + right).map(CelValue::Span)
            }
            (Arithmetic::Subtract, CelValue::Span(left), CelValue::Span(right)) => {
                within_longest(left - right).map(CelValue::Span)
            }
            _ => Err(EvaluationError::Unfit),
        }
    }

    fn concatenate(&self, left: Cow<'v, str>, right: &str) -> EvaluationResult<CelValue<'v>> {
        let length = left.len() + right.len();
        if length > LONGEST_TEXT {
            return Err(EvaluationError::TooCostly);
        }
        self.spend_bytes(length)?;
        let mut text = left.into_owned();
        text.push_str(right);
        Ok(CelValue::Text(Cow::Owned(text)))
    }

    pub(super) fn is_in(
        &self,
        element: &CelValue<'v>,
        list: &CelList<'v>,
    ) -> EvaluationResult<CelValue<'v>> {
        for value in list.iter() {
            self.spend(1)?;
            if compare(Comparison::Equal, element, &value)? {
                return Ok(CelValue::Bool(true));
            }
        }
        Ok(CelValue::Bool(false))
    }
}
