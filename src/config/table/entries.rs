//! Values that are a string or a small table: permissions and requirements with their conditions.

use super::super::keys::{
    BooleanValue, Key, PermissionList, RequirementByMethod, TableKeys, TextMap, policy,
};
use super::super::model::{
    Enforcement, PermissionEntry, PermissionQualifiers, RequirementEntry, RouteRequirement,
    TakeOnce,
};
use super::super::source::{Place, Spanned};
use super::super::text::Text;
use super::{TableReader, TomlValue, UnknownKeys};
use std::ops::Range;

/// The keys of a table of names chosen by the operator.
static NAMES: TableKeys = TableKeys { doc: "", keys: &[] };

impl<'a> TableReader<'a> {
    /// `true` or `false`.
    pub(in crate::config) fn boolean(&mut self, key: &Key<BooleanValue>) -> Option<Spanned<bool>> {
        let value = self.value(key)?;
        let Some(boolean) = value.get_ref().as_bool() else {
            self.wrong_type(key.name(), value, "true or false");
            return None;
        };
        Some(Spanned {
            value: boolean,
            place: self.place_of(value),
        })
    }

    /// A key `shadow`.
    pub(in crate::config) fn shadow(
        &mut self,
        key: &Key<BooleanValue>,
    ) -> Option<Spanned<Enforcement>> {
        let shadow = self.boolean(key)?;
        Some(shadow.map(|is_shadow| {
            if is_shadow {
                Enforcement::Shadow
            } else {
                Enforcement::Enforce
            }
        }))
    }

    /// A table of names chosen by the operator, with strings as values.
    pub(in crate::config) fn string_pairs(
        &mut self,
        key: &Key<TextMap>,
    ) -> Vec<(Spanned<String>, Spanned<String>)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let place = self.place_of(value);
        let Some(mut inner) = self.inner(key.name(), &NAMES, value, place) else {
            self.wrong_type(key.name(), value, "a table");
            return Vec::new();
        };
        inner.unknown_keys = UnknownKeys::Allow;
        let pairs = inner.table.iter().filter_map(|(name, value)| {
            let Some(text) = value.get_ref().as_str() else {
                inner.wrong_type(name.get_ref(), value, "a string in quotes");
                return None;
            };
            let name = Spanned {
                value: name.get_ref().to_string(),
                place: Place::new(inner.file, &name.span()),
            };
            Some((
                name,
                Spanned {
                    value: text.to_owned(),
                    place: inner.place_of(value),
                },
            ))
        });
        pairs.collect()
    }

    /// A permission or a list of permissions.
    pub(in crate::config) fn permissions(
        &mut self,
        key: &Key<PermissionList>,
    ) -> TakeOnce<PermissionEntry> {
        let Some(value) = self.value(key) else {
            return TakeOnce::default();
        };
        let Some(array) = value.get_ref().as_array() else {
            return self
                .permission(key, value)
                .into_iter()
                .collect::<Vec<_>>()
                .into();
        };
        let mut entries = Vec::with_capacity(array.len());
        entries.extend(array.iter().filter_map(|item| self.permission(key, item)));
        entries.into()
    }

    fn permission(
        &self,
        key: &Key<PermissionList>,
        value: &'a TomlValue<'a>,
    ) -> Option<PermissionEntry> {
        let place = self.place_of(value);
        if let Some(text) = value.get_ref().as_str() {
            let value = self.shared(text, place);
            return Some(PermissionEntry {
                text: Spanned { value, place },
                qualifiers: None,
            });
        }
        let Some(mut inner) = self.inner(key.name(), key.kind().0, value, place) else {
            self.wrong_type(
                key.name(),
                value,
                "a permission in quotes, a table `{ permission = \"…\", when = \"…\" }`, or a list",
            );
            return None;
        };
        let text = inner.string(&policy::PERMISSION_PERMISSION);
        let qualifiers = PermissionQualifiers {
            when: inner.string(&policy::PERMISSION_WHEN),
            shadow: inner.shadow(&policy::PERMISSION_SHADOW),
        };
        Some(PermissionEntry {
            text: text?.map(Text::from),
            qualifiers: Some(Box::new(qualifiers)),
        })
    }

    /// A text that shares the memory of the file, if the file contains it without escapes.
    fn shared(&self, text: &str, place: Place) -> Text {
        let Range { start, end } = place.range();
        let between = start + 1..end.saturating_sub(1).max(start + 1);
        Text::within(self.text, between, text).unwrap_or_else(|| text.into())
    }

    fn inner(
        &self,
        key: &str,
        keys: &'static TableKeys,
        value: &'a TomlValue<'a>,
        place: Place,
    ) -> Option<TableReader<'a>> {
        let table = value.get_ref().as_table()?;
        Some(TableReader::new(
            self.full_name(key),
            keys,
            table,
            place,
            self.context(),
        ))
    }

    /// The requirement of a route: a name, `{ name, when }`, or one of these per method.
    pub(in crate::config) fn requirement(
        &mut self,
        key: &Key<RequirementByMethod>,
    ) -> Option<RouteRequirement> {
        let value = self.value(key)?;
        let place = self.place_of(value);
        if value.get_ref().is_str() {
            let name = self.text_of(key)?;
            return Some(RouteRequirement::All(RequirementEntry { name, when: None }));
        }
        let keys = key.kind().0;
        let Some(mut inner) = self.inner(key.name(), keys, value, place) else {
            self.wrong_type(key.name(), value, "a name, or a table of methods and names");
            return None;
        };
        // Methods are in capitals, so `name` is no method.
        if inner.has(&policy::REQUIREMENT_NAME) || inner.has(&policy::REQUIREMENT_WHEN) {
            return requirement_entry(&mut inner).map(RouteRequirement::All);
        }
        inner.unknown_keys = UnknownKeys::Allow;
        let methods = inner.table.iter().filter_map(|(method, value)| {
            let name = method.get_ref();
            let method = Spanned {
                value: name.to_string(),
                place: inner.place_at(method.span()),
            };
            let place = inner.place_of(value);
            if let Some(text) = value.get_ref().as_str() {
                let name = Spanned {
                    value: text.to_owned(),
                    place,
                };
                return Some((method, RequirementEntry { name, when: None }));
            }
            let Some(mut entry) = inner.inner(name, keys, value, place) else {
                inner.wrong_type(
                    name,
                    value,
                    "a name, or a table `{ name = \"…\", when = \"…\" }`",
                );
                return None;
            };
            requirement_entry(&mut entry).map(|entry| (method, entry))
        });
        Some(RouteRequirement::ByMethod(methods.collect()))
    }
}

fn requirement_entry(table: &mut TableReader<'_>) -> Option<RequirementEntry> {
    let name = table.string(&policy::REQUIREMENT_NAME);
    let when = table.string(&policy::REQUIREMENT_WHEN);
    Some(RequirementEntry { name: name?, when })
}
