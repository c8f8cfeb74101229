//! What is known about keys of any kind: their facts, the shape of their values, and the keys of a table. Generators of
//! JSON Schema and the reference read it; the decoder reads the typed kinds.

use std::ops::RangeInclusive;

/// A set of TOML values.
pub(in crate::config) enum KeyShape {
    Text(TextForm),
    Boolean,
    Integer(RangeInclusive<u32>),
    /// One of these strings.
    Words(Vec<WordDoc>),
    List(Box<KeyShape>),
    Table(&'static TableKeys),
    /// A table of names chosen by the operator. The text is the placeholder for such a name.
    Map(&'static str, Box<KeyShape>),
    /// `[[key]]`.
    TableList(&'static TableKeys),
    OneOf(Vec<KeyShape>),
}

/// A word and its meaning.
#[derive(Clone, Copy)]
pub(in crate::config) struct WordDoc {
    pub(in crate::config) word: &'static str,
    pub(in crate::config) doc: &'static str,
}

/// The form of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum TextForm {
    Any,
    Path,
    /// A path, or a pattern of file names.
    PathPattern,
    /// A path, or `env:NAME`.
    SecretSource,
    /// `IP:PORT`.
    Address,
    Url,
    /// The name of a table `[table.NAME]`.
    Name,
    Network,
    Host,
    /// A day or a time.
    Time,
    Condition,
    HeaderName,
    Permission,
    /// A duration above zero.
    Duration,
    /// A duration that may be zero.
    DurationOrZero,
    /// A size in bytes above zero.
    Size,
    Rate,
    Percentage,
}

impl KeyShape {
    pub(super) const OFF: WordDoc = WordDoc {
        word: "off",
        doc: "No limit, or not at all.",
    };

    /// The shape or `"off"`, with what that means.
    pub(super) fn or_off(self, doc: &'static str) -> Self {
        let off = WordDoc { doc, ..Self::OFF };
        Self::OneOf(vec![self, Self::Words(vec![off])])
    }

    /// The shape or a list of it.
    pub(super) fn or_list(element: impl Fn() -> Self) -> Self {
        Self::OneOf(vec![element(), Self::List(Box::new(element()))])
    }
}

/// The kind of the value of a key.
pub(in crate::config) trait ValueKind: Copy + Sync {
    /// The TOML values of this kind.
    fn shape(&self) -> KeyShape;
}

/// What is known about a key beside the kind of its value.
#[derive(Clone, Copy)]
pub(in crate::config) struct KeyFacts {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) doc: &'static str,
    pub(in crate::config) default: DefaultValue,
    pub(in crate::config) presence: Presence,
    pub(in crate::config) placement: Placement,
    /// Version that introduced the key.
    pub(in crate::config) since: &'static str,
}

/// The value that applies when a key is missing.
#[derive(Clone, Copy)]
pub(in crate::config) enum DefaultValue {
    /// The key has no effect when it is missing.
    Nothing,
    Text(&'static str),
    Number(u32),
    Boolean(bool),
    Texts(&'static [&'static str]),
    /// The value depends on something else, which the text says.
    Described(&'static str),
}

/// Whether a table must have a key.
#[derive(Clone, Copy)]
pub(in crate::config) enum Presence {
    Optional,
    /// The text is the hint of the error that reports its absence.
    Required(&'static str),
}

/// The files in which a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Placement {
    /// Wherever its table may stand.
    WithTable,
    /// Only the main file.
    MainFile,
    /// The main file or an included one, but only one of them.
    OneFile,
    /// The main file and included ones.
    AnyFile,
    /// As `AnyFile`, and the files of `check --expect`.
    AnyFileAndExpectations,
}

/// A key with any kind of value.
pub(in crate::config) trait AnyKey: Sync {
    fn about(&self) -> &KeyFacts;
    fn shape(&self) -> KeyShape;
}

/// The keys of a table, in the order in which messages and the reference name them.
pub(in crate::config) struct TableKeys {
    pub(in crate::config) doc: &'static str,
    pub(in crate::config) keys: &'static [&'static dyn AnyKey],
}

impl TableKeys {
    /// The names of the keys.
    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.about().name)
    }

    /// Whether the table has a key of this name.
    pub(in crate::config) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}
