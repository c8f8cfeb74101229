//! Operators on values. The checker made sure that kinds fit; what does not fit all the same has no outcome.

use super::super::calendar::{SECOND, within_ages, within_calendar};
use super::super::error::EvaluationError;
use super::super::tree::{Arithmetic, Comparison, Find};
use super::super::value::{List, Value};
use super::{Evaluation, Outcome};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Octets of a text that an expression puts together.
const LONGEST_TEXT: usize = 64 << 10;

pub(super) fn text<'a>(value: &'a Value<'_>) -> Outcome<&'a str> {
    if let Value::Text(text) = value {
        Ok(text)
    } else {
        Err(EvaluationError::Unfit)
    }
}

pub(super) fn list(value: Value<'_>) -> Outcome<List<'_>> {
    if let Value::List(list) = value {
        Ok(list)
    } else {
        Err(EvaluationError::Unfit)
    }
}

pub(super) fn compared(
    comparison: Comparison,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Outcome<bool> {
    let order = match (left, right) {
        // Octets of UTF-8 stand in the order of characters.
        (Value::Text(left), Value::Text(right)) if comparison == Comparison::Equal => {
            return Ok(left == right);
        }
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Time(left), Value::Time(right)) | (Value::Span(left), Value::Span(right)) => {
            left.cmp(right)
        }
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

pub(super) fn found(find: Find, text: &str, part: &str) -> bool {
    match find {
        Find::StartsWith => text.starts_with(part),
        Find::EndsWith => text.ends_with(part),
        Find::Contains => text.contains(part),
    }
}

pub(super) fn negated(value: Value<'_>) -> Outcome<Value<'_>> {
    match value {
        Value::Int(number) => number
            .checked_neg()
            .map(Value::Int)
            .ok_or(EvaluationError::OutOfRange),
        Value::Span(span) => within_ages(-span).map(Value::Span),
        _ => Err(EvaluationError::Unfit),
    }
}

pub(super) fn to_int(value: Value<'_>) -> Outcome<Value<'_>> {
    match value {
        Value::Text(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| EvaluationError::NotANumber),
        Value::Time(time) => i64::try_from(time.div_euclid(SECOND))
            .map(Value::Int)
            .map_err(|_| EvaluationError::OutOfRange),
        Value::Int(number) => Ok(Value::Int(number)),
        _ => Err(EvaluationError::Unfit),
    }
}

pub(super) fn to_text(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) => Value::Text(text),
        other => Value::Text(Cow::Owned(other.to_string())),
    }
}

fn whole(arithmetic: Arithmetic, left: i64, right: i64) -> Outcome<i64> {
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
    pub(super) fn calculated(
        &self,
        arithmetic: Arithmetic,
        left: Value<'v>,
        right: Value<'v>,
    ) -> Outcome<Value<'v>> {
        match (arithmetic, left, right) {
            (_, Value::Int(left), Value::Int(right)) => {
                whole(arithmetic, left, right).map(Value::Int)
            }
            (Arithmetic::Add, Value::Text(left), Value::Text(right)) => self.joined(left, &right),
            (Arithmetic::Add, Value::Time(time), Value::Span(span))
            | (Arithmetic::Add, Value::Span(span), Value::Time(time)) => {
                within_calendar(time + span).map(Value::Time)
            }
            (Arithmetic::Subtract, Value::Time(time), Value::Span(span)) => {
                within_calendar(time - span).map(Value::Time)
            }
            (Arithmetic::Subtract, Value::Time(left), Value::Time(right)) => {
                within_ages(left - right).map(Value::Span)
            }
            (Arithmetic::Add, Value::Span(left), Value::Span(right)) => {
                within_ages(left + right).map(Value::Span)
            }
            (Arithmetic::Subtract, Value::Span(left), Value::Span(right)) => {
                within_ages(left - right).map(Value::Span)
            }
            _ => Err(EvaluationError::Unfit),
        }
    }

    fn joined(&self, left: Cow<'v, str>, right: &str) -> Outcome<Value<'v>> {
        let length = left.len() + right.len();
        if length > LONGEST_TEXT {
            return Err(EvaluationError::TooCostly);
        }
        self.spend_octets(length)?;
        let mut text = left.into_owned();
        text.push_str(right);
        Ok(Value::Text(Cow::Owned(text)))
    }

    pub(super) fn is_in(&self, wanted: &Value<'v>, list: &List<'v>) -> Outcome<Value<'v>> {
        for value in list.iter() {
            self.spend(1)?;
            if compared(Comparison::Equal, wanted, &value)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }
}
