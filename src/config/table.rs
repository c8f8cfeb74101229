//! Strict reader of one TOML table. It reads the keys of the table of keys; all others are errors.

mod choices;
mod entries;
mod hints;
mod tables;
mod units;

use super::keys::{IntegerValue, Key, TableKeys, TextList, TextValue};
use super::problem::Problems;
use super::source::{FileId, Place, Spanned};
use std::ops::Range;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// Reader of a table. Its drop reports unknown keys.
pub(super) struct TableReader<'a> {
    name: String,
    table: &'a DeTable<'a>,
    file: FileId,
    place: Place,
    problems: &'a Problems,
    text: &'a Arc<String>,
    offset: usize,
    keys: &'static TableKeys,
    unknown_keys: UnknownKeys,
}

/// Context that all readers of one file share.
#[derive(Clone, Copy)]
pub(super) struct ReaderContext<'a> {
    /// Receives errors.
    pub(super) problems: &'a Problems,
    /// Content of the file.
    pub(super) text: &'a Arc<String>,
    /// Offset in the file of the parsed text.
    pub(super) offset: usize,
}

type TomlValue<'a> = toml::Spanned<DeValue<'a>>;

impl<'a> TableReader<'a> {
    pub(super) fn new(
        name: String,
        keys: &'static TableKeys,
        table: &'a DeTable<'a>,
        place: Place,
        context: ReaderContext<'a>,
    ) -> Self {
        let unknown_keys = UnknownKeys::Refuse;
        let ReaderContext {
            problems,
            text,
            offset,
        } = context;
        Self {
            name,
            table,
            file: place.file,
            place,
            problems,
            text,
            offset,
            keys,
            unknown_keys,
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn problems(&self) -> &'a Problems {
        self.problems
    }

    fn context(&self) -> ReaderContext<'a> {
        ReaderContext {
            problems: self.problems,
            text: self.text,
            offset: self.offset,
        }
    }

    /// Full name of a key, such as `listener.main.address`.
    fn full_name(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn value<K: Copy>(&self, key: &Key<K>) -> Option<&'a TomlValue<'a>> {
        #[cfg(test)]
        super::keys_read::record(self.keys, key.name());
        self.table.get(key.name())
    }

    /// Place in the file of a part of the table.
    fn place_at(&self, span: Range<usize>) -> Place {
        Place::new(
            self.file,
            &(span.start + self.offset..span.end + self.offset),
        )
    }

    fn place_of(&self, value: &TomlValue<'_>) -> Place {
        self.place_at(value.span())
    }

    fn wrong_type(&self, key: &str, value: &TomlValue<'_>, expected: &str) {
        let actual = value.get_ref().type_str();
        self.problems.error(
            self.place_of(value),
            format!(
                "`{}` is a TOML {actual}, not {expected}",
                self.full_name(key)
            ),
            format!("write {expected}"),
        );
    }

    /// Reports a missing key.
    pub(super) fn missing<K: Copy>(&self, key: &Key<K>, hint: &str) {
        self.problems.error(
            self.place,
            format!("`{}` is missing", self.full_name(key.name())),
            hint,
        );
    }

    /// Reports the absence of a required key.
    pub(super) fn require<K: Copy>(&self, key: &Key<K>) {
        if let Some(hint) = key.hint_if_missing()
            && !self.has(key)
        {
            self.missing(key, hint);
        }
    }

    /// A string. Its absence is reported if the key is required.
    pub(super) fn string(&mut self, key: &Key<TextValue>) -> Option<Spanned<String>> {
        self.require(key);
        self.text_of(key)
    }

    /// A string in a key that may also take something else.
    fn text_of<K: Copy>(&self, key: &Key<K>) -> Option<Spanned<String>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key.name(), value, "a string in quotes");
            return None;
        };
        Some(Spanned {
            value: text.to_owned(),
            place: self.place_of(value),
        })
    }

    /// A string or an array of strings.
    pub(super) fn strings(&mut self, key: &Key<TextList>) -> Vec<Spanned<String>> {
        self.strings_of(key)
    }

    /// A string or an array of strings in a key that may take only some of them.
    fn strings_of<K: Copy>(&self, key: &Key<K>) -> Vec<Spanned<String>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        if let Some(text) = value.get_ref().as_str() {
            return vec![Spanned {
                value: text.to_owned(),
                place: self.place_of(value),
            }];
        }
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key.name(), value, "a string or an array of strings");
            return Vec::new();
        };
        let mut strings = Vec::with_capacity(array.len());
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => strings.push(Spanned {
                    value: text.to_owned(),
                    place: self.place_of(item),
                }),
                None => self.wrong_type(key.name(), item, "a string in quotes"),
            }
        }
        strings
    }

    /// As [`Self::strings`], but `None` if the key is missing.
    pub(super) fn optional_strings(&mut self, key: &Key<TextList>) -> Option<Vec<Spanned<String>>> {
        let is_present = self.has(key);
        let strings = self.strings(key);
        is_present.then_some(strings)
    }

    /// Place of the value of a key.
    pub(super) fn place_of_key<K: Copy>(&self, key: &Key<K>) -> Option<Place> {
        self.value(key).map(|value| self.place_of(value))
    }

    /// Place of the value of a key, if it is an empty list.
    pub(super) fn place_of_empty_list<K: Copy>(&self, key: &Key<K>) -> Option<Place> {
        let is_empty = self
            .value(key)?
            .get_ref()
            .as_array()
            .is_some_and(|list| list.is_empty());
        self.place_of_key(key).filter(|_| is_empty)
    }

    /// Reports an invalid string value.
    pub(super) fn bad_text<T, K: Copy>(
        &self,
        key: &Key<K>,
        text: &Spanned<String>,
        expected: &str,
    ) -> Option<T> {
        let message = format!(
            "`{}` cannot be \"{}\"",
            self.full_name(key.name()),
            text.value
        );
        self.problems
            .error(text.place, message, format!("write {expected}"));
        None
    }

    /// A whole number within the range of the key.
    pub(super) fn integer(&mut self, key: &Key<IntegerValue>) -> Option<u32> {
        let value = self.value(key)?;
        let range = key.kind().range();
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key.name(), value, &expected);
            return None;
        };
        let parsed = i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok();
        let number = parsed
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let name = self.full_name(key.name());
            let message = format!("`{name}` cannot be {}", integer.as_str());
            self.problems
                .error(self.place_of(value), message, format!("write {expected}"));
        }
        number
    }

    /// Whether a key holds a string, for keys that take a string or something else.
    pub(super) fn holds_string<K: Copy>(&self, key: &Key<K>) -> bool {
        self.value(key)
            .is_some_and(|value| value.get_ref().is_str())
    }

    /// Whether a key is present.
    pub(super) fn has<K: Copy>(&self, key: &Key<K>) -> bool {
        self.table.contains_key(key.name())
    }

    /// Whether a key holds a table, for keys that take a word or a table.
    pub(super) fn holds_table<K: Copy>(&self, key: &Key<K>) -> bool {
        self.value(key)
            .is_some_and(|value| value.get_ref().is_table())
    }
}

/// Whether keys that the table of keys does not have are errors.
#[derive(PartialEq, Eq)]
enum UnknownKeys {
    Refuse,
    /// The keys are names chosen by the operator.
    Allow,
}

impl Drop for TableReader<'_> {
    fn drop(&mut self) {
        if self.unknown_keys == UnknownKeys::Allow {
            return;
        }
        for key in self
            .table
            .keys()
            .filter(|key| !self.keys.has(key.get_ref()))
        {
            let place = self.place_at(key.span());
            let message = format!("unknown key `{}`", self.full_name(key.get_ref()));
            self.problems
                .error(place, message, self.hint_for_unknown(key.get_ref(), place));
        }
    }
}
