//! Keys of permissions and requirements that are written as tables.

use super::key::{Key, TableKeys};
use super::value::*;

pub(in crate::config) static PERMISSION_PERMISSION: Key<TextValue> = Key::new(
    "permission",
    TextValue(TextForm::Permission),
    "The pattern.",
)
.required("write `{ permission = \"GET /*\", when = \"…\" }`");

pub(in crate::config) static PERMISSION_WHEN: Key<TextValue> = Key::new(
    "when",
    TextValue(TextForm::Condition),
    "Condition (CEL) under which the permission applies. If it cannot be evaluated, a \
     permission grants nothing and a `deny` denies.",
);

pub(in crate::config) static PERMISSION_SHADOW: Key<BooleanValue> = Key::new(
    "shadow",
    BooleanValue,
    "Shadow mode: what only this permission grants, or only this `deny` denies, is \
     permitted, marked, counted and logged.",
)
.default_boolean(false);

pub(in crate::config) static PERMISSION: TableKeys = TableKeys {
    doc: "A permission with a condition, or in shadow mode.",
    keys: &[&PERMISSION_PERMISSION, &PERMISSION_WHEN, &PERMISSION_SHADOW],
};

pub(in crate::config) static REQUIREMENT_NAME: Key<TextValue> = Key::new(
    "name",
    TextValue(TextForm::Any),
    "The required permission, which may contain `{captures}` of the path.",
)
.required("write `{ name = \"…\", when = \"…\" }`");

pub(in crate::config) static REQUIREMENT_WHEN: Key<TextValue> = Key::new(
    "when",
    TextValue(TextForm::Condition),
    "Condition (CEL) that must be true for every client.",
);

pub(in crate::config) static REQUIREMENT: TableKeys = TableKeys {
    doc: "A requirement with a condition.",
    keys: &[&REQUIREMENT_NAME, &REQUIREMENT_WHEN],
};
