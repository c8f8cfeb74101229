//! A key of the config with the kind of its value, and how the table of keys writes it.

use super::shape::KeyShape;

pub(in crate::config) use super::shape::{
    AnyKey, DefaultValue, KeyFacts, Placement, Presence, TableKeys, ValueKind,
};

/// The version that introduced the keys without another one.
const FIRST_VERSION: &str = "0.1.0";

/// A key with the kind of its value.
pub(in crate::config) struct Key<K> {
    about: KeyFacts,
    kind: K,
}

impl<K: Copy> Key<K> {
    /// An optional key without a default.
    pub(super) const fn new(name: &'static str, kind: K, doc: &'static str) -> Self {
        let about = KeyFacts {
            name,
            doc,
            default: DefaultValue::Nothing,
            presence: Presence::Optional,
            placement: Placement::WithTable,
            since: FIRST_VERSION,
        };
        Self { about, kind }
    }

    pub(super) const fn required(mut self, hint: &'static str) -> Self {
        self.about.presence = Presence::Required(hint);
        self
    }

    pub(super) const fn default_text(mut self, text: &'static str) -> Self {
        self.about.default = DefaultValue::Text(text);
        self
    }

    pub(super) const fn default_texts(mut self, texts: &'static [&'static str]) -> Self {
        self.about.default = DefaultValue::Texts(texts);
        self
    }

    pub(super) const fn default_number(mut self, number: u32) -> Self {
        self.about.default = DefaultValue::Number(number);
        self
    }

    pub(super) const fn default_boolean(mut self, boolean: bool) -> Self {
        self.about.default = DefaultValue::Boolean(boolean);
        self
    }

    /// A default that depends on something else.
    pub(super) const fn default_is(mut self, what: &'static str) -> Self {
        self.about.default = DefaultValue::Described(what);
        self
    }

    pub(super) const fn placed(mut self, placement: Placement) -> Self {
        self.about.placement = placement;
        self
    }

    /// The same key with another kind of value, for keys that take several.
    pub(in crate::config) const fn with_kind<L>(&self, kind: L) -> Key<L> {
        Key {
            about: self.about,
            kind,
        }
    }

    pub(in crate::config) const fn kind(&self) -> K {
        self.kind
    }

    pub(in crate::config) const fn name(&self) -> &'static str {
        self.about.name
    }

    pub(in crate::config) const fn placement(&self) -> Placement {
        self.about.placement
    }

    /// The hint of the error that reports the absence of the key. `None` for an optional key.
    pub(in crate::config) const fn hint_if_missing(&self) -> Option<&'static str> {
        match self.about.presence {
            Presence::Optional => None,
            Presence::Required(hint) => Some(hint),
        }
    }
}

impl<K: ValueKind> AnyKey for Key<K> {
    fn about(&self) -> &KeyFacts {
        &self.about
    }

    fn shape(&self) -> KeyShape {
        self.kind.shape()
    }
}
