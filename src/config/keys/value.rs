//! The kinds of values that keys have. Each has a method of `TableReader` that reads it.

use super::key::Key;
use super::shape::{KeyShape, TableKeys, ValueKind, WordDoc};
use crate::config::model::MOST_HELD_BACK;
use std::ops::RangeInclusive;

pub(in crate::config) use super::shape::TextForm;

/// A string.
#[derive(Clone, Copy)]
pub(in crate::config) struct TextValue(pub(in crate::config) TextForm);

impl ValueKind for TextValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(self.0)
    }
}

/// A string or a list of strings.
#[derive(Clone, Copy)]
pub(in crate::config) struct TextList(pub(in crate::config) TextForm);

impl ValueKind for TextList {
    fn shape(&self) -> KeyShape {
        KeyShape::or_list(|| KeyShape::Text(self.0))
    }
}

/// `true` or `false`.
#[derive(Clone, Copy)]
pub(in crate::config) struct BooleanValue;

impl ValueKind for BooleanValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Boolean
    }
}

/// A whole number within a range.
#[derive(Clone, Copy)]
pub(in crate::config) struct IntegerValue {
    pub(in crate::config) least: u32,
    pub(in crate::config) most: u32,
}

impl IntegerValue {
    pub(in crate::config) fn range(self) -> RangeInclusive<u32> {
        self.least..=self.most
    }
}

impl ValueKind for IntegerValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Integer(self.range())
    }
}

/// A whole number from 1, or `"off"`.
#[derive(Clone, Copy)]
pub(in crate::config) struct IntegerOrOff {
    pub(in crate::config) most: u32,
}

impl ValueKind for IntegerOrOff {
    fn shape(&self) -> KeyShape {
        KeyShape::Integer(1..=self.most).or_off("No limit.")
    }
}

/// A duration above zero.
#[derive(Clone, Copy)]
pub(in crate::config) struct DurationValue;

impl ValueKind for DurationValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::Duration)
    }
}

/// A duration that may be zero.
#[derive(Clone, Copy)]
pub(in crate::config) struct DurationOrZero;

impl ValueKind for DurationOrZero {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::DurationOrZero)
    }
}

/// A duration above zero, or `"off"`.
#[derive(Clone, Copy)]
pub(in crate::config) struct DurationOrOff;

impl ValueKind for DurationOrOff {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::Duration).or_off("Not at all.")
    }
}

/// A duration of at least a second, or `"off"`.
#[derive(Clone, Copy)]
pub(in crate::config) struct RequestTime;

impl ValueKind for RequestTime {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::Duration).or_off("No limit.")
    }
}

/// A size above zero.
#[derive(Clone, Copy)]
pub(in crate::config) struct SizeValue;

impl ValueKind for SizeValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::Size)
    }
}

/// A size above zero, or `"off"`.
#[derive(Clone, Copy)]
pub(in crate::config) enum SizeOrOff {
    /// Of any size.
    Unbounded,
    /// At most the buffer in which a response is held back.
    HeldBack,
}

impl SizeOrOff {
    /// The maximum in bytes.
    pub(in crate::config) fn most(self) -> Option<u64> {
        match self {
            Self::Unbounded => None,
            Self::HeldBack => Some(MOST_HELD_BACK),
        }
    }
}

impl ValueKind for SizeOrOff {
    fn shape(&self) -> KeyShape {
        let off = match self {
            Self::Unbounded => "No limit.",
            Self::HeldBack => "Not at all.",
        };
        KeyShape::Text(TextForm::Size).or_off(off)
    }
}

/// A rate of requests, or `"off"`.
#[derive(Clone, Copy)]
pub(in crate::config) struct RateOrOff;

impl ValueKind for RateOrOff {
    fn shape(&self) -> KeyShape {
        KeyShape::Text(TextForm::Rate).or_off("No limit.")
    }
}

/// A word of a choice, what it stands for, and its documentation.
#[derive(Clone, Copy)]
pub(in crate::config) struct KeyWord<T> {
    pub(in crate::config) word: &'static str,
    pub(in crate::config) value: T,
    doc: &'static str,
}

/// A word of a choice.
pub(super) const fn word<T: Copy>(word: &'static str, value: T, doc: &'static str) -> KeyWord<T> {
    KeyWord { word, value, doc }
}

/// The words of a choice.
pub(in crate::config) type Words<T> = &'static [KeyWord<T>];

fn word_docs<T>(words: Words<T>) -> Vec<WordDoc> {
    let doc = |word: &KeyWord<T>| WordDoc {
        word: word.word,
        doc: word.doc,
    };
    words.iter().map(doc).collect()
}

/// One of several words.
#[derive(Clone, Copy)]
pub(in crate::config) struct Choice<T: 'static>(pub(in crate::config) Words<T>);

impl<T: Copy + Sync> ValueKind for Choice<T> {
    fn shape(&self) -> KeyShape {
        KeyShape::Words(word_docs(self.0))
    }
}

/// A word or a list of words.
#[derive(Clone, Copy)]
pub(in crate::config) struct ChoiceList<T: 'static>(pub(in crate::config) Words<T>);

impl<T: Copy + Sync> ValueKind for ChoiceList<T> {
    fn shape(&self) -> KeyShape {
        KeyShape::or_list(|| KeyShape::Words(word_docs(self.0)))
    }
}

/// One of several words, or another kind of value.
#[derive(Clone, Copy)]
pub(in crate::config) struct ChoiceOr<T: 'static, K> {
    pub(super) words: Words<T>,
    pub(super) other: K,
}

impl<T: Copy + Sync, K: ValueKind> ValueKind for ChoiceOr<T, K> {
    fn shape(&self) -> KeyShape {
        KeyShape::OneOf(vec![
            KeyShape::Words(word_docs(self.words)),
            self.other.shape(),
        ])
    }
}

impl<T: Copy, K: Copy> Key<ChoiceOr<T, K>> {
    /// The key with one of its words as value.
    pub(in crate::config) fn as_choice(&self) -> Key<Choice<T>> {
        self.with_kind(Choice(self.kind().words))
    }

    /// The key with another value than a word.
    pub(in crate::config) fn as_other(&self) -> Key<K> {
        self.with_kind(self.kind().other)
    }
}

/// A table.
#[derive(Clone, Copy)]
pub(in crate::config) struct TableValue(pub(in crate::config) &'static TableKeys);

impl ValueKind for TableValue {
    fn shape(&self) -> KeyShape {
        KeyShape::Table(self.0)
    }
}

/// Tables `[key.NAME]`.
#[derive(Clone, Copy)]
pub(in crate::config) struct NamedTables {
    /// Placeholder for the names.
    pub(super) name: &'static str,
    pub(in crate::config) keys: &'static TableKeys,
}

impl ValueKind for NamedTables {
    fn shape(&self) -> KeyShape {
        KeyShape::Map(self.name, Box::new(KeyShape::Table(self.keys)))
    }
}

/// Tables `[[key]]`.
#[derive(Clone, Copy)]
pub(in crate::config) struct ListedTables(pub(in crate::config) &'static TableKeys);

impl ValueKind for ListedTables {
    fn shape(&self) -> KeyShape {
        KeyShape::TableList(self.0)
    }
}

/// A table of names chosen by the operator, with strings as values.
#[derive(Clone, Copy)]
pub(in crate::config) struct TextMap;

impl ValueKind for TextMap {
    fn shape(&self) -> KeyShape {
        KeyShape::Map("NAME", Box::new(KeyShape::Text(TextForm::Any)))
    }
}

/// A permission, a table with one, or a list of both.
#[derive(Clone, Copy)]
pub(in crate::config) struct PermissionList(pub(in crate::config) &'static TableKeys);

impl ValueKind for PermissionList {
    fn shape(&self) -> KeyShape {
        let one = || {
            vec![
                KeyShape::Text(TextForm::Permission),
                KeyShape::Table(self.0),
            ]
        };
        let mut shapes = one();
        shapes.push(KeyShape::List(Box::new(KeyShape::OneOf(one()))));
        KeyShape::OneOf(shapes)
    }
}

/// A requirement, a table with one, or one of both for each method.
#[derive(Clone, Copy)]
pub(in crate::config) struct RequirementByMethod(pub(in crate::config) &'static TableKeys);

impl ValueKind for RequirementByMethod {
    fn shape(&self) -> KeyShape {
        let one = || vec![KeyShape::Text(TextForm::Any), KeyShape::Table(self.0)];
        let mut shapes = one();
        shapes.push(KeyShape::Map("METHOD", Box::new(KeyShape::OneOf(one()))));
        KeyShape::OneOf(shapes)
    }
}
