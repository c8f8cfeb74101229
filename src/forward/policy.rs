//! Decides which of a client's fields are sent unchanged to the upstream. The edit, conditions and
//! authorizers share this rule, so that they evaluate the fields that are sent. Writes no field.

use super::connection_fields::{is_among, named_by_connection};
use super::fields::{FieldKind, kind, may_be_kept};
use super::reserved::{BadFieldName, FieldNames};
use crate::condition::{HeaderValues, Spelling};
use crate::head::Fields;
use crate::identity::fold;
use http::HeaderName;

/// The configured rules for the fields of one request, in addition to the built-in kinds.
#[derive(Clone, Copy, Debug)]
pub struct FieldPolicy<'a> {
    /// Names of fields that only an authorizer sets.
    pub reserved: &'a FieldNames,
    /// Names of fields that the route keeps although they are removed by default.
    pub kept: &'a [Box<str>],
    /// Names of fields that conditions and authorizers read. Trailers of these names are not sent,
    /// since they were not evaluated.
    pub decision_fields: &'a FieldNames,
}

impl FieldPolicy<'_> {
    fn keeps(self, name: &str) -> bool {
        self.kept.iter().any(|kept| kept.eq_ignore_ascii_case(name))
    }

    /// The kind of a client's field under this policy.
    pub(super) fn kind(self, name: &str, value: &[u8]) -> FieldKind {
        match kind(name) {
            FieldKind::Identity | FieldKind::Forwarding if self.keeps(name) => FieldKind::EndToEnd,
            FieldKind::EndToEnd if self.reserved.forbid(name, value) => FieldKind::Reserved,
            FieldKind::EndToEnd if self.decision_fields.is_announced_by(name, value) => {
                FieldKind::Reserved
            }
            kind => kind,
        }
    }
}

/// Checks the name of a client's field for a route that keeps it.
///
/// # Errors
/// [`BadFieldName`]
pub fn check_kept(text: &str) -> Result<(), BadFieldName> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| BadFieldName::NoName)?;
    match kind(text) {
        FieldKind::EndToEnd | FieldKind::Cookie | FieldKind::Authorization => {
            Err(BadFieldName::NotRemoved)
        }
        _ if may_be_kept(text) => Ok(()),
        _ => Err(BadFieldName::HasMeaning),
    }
}

/// Whether a condition may read fields of this name, i.e. whether an upstream can receive one from
/// a client.
pub fn may_be_decision_field(name: &str) -> bool {
    matches!(
        kind(name),
        FieldKind::EndToEnd | FieldKind::Cookie | FieldKind::Authorization
    ) || is_content_length(name)
}

/// The gateway rewrites it with the same number.
fn is_content_length(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length")
}

/// The fields that conditions read: those that are sent to the upstream, and `Authorization` even
/// where the gateway consumes it.
pub struct SentHeaders<'a, F: Fields + ?Sized> {
    /// The client's fields.
    pub fields: &'a F,
    /// The configured rules for them.
    pub policy: FieldPolicy<'a>,
}

impl<F: Fields + ?Sized> HeaderValues for SentHeaders<'_, F> {
    fn each_value(&self, name: &str, visit: &mut dyn FnMut(Spelling, &[u8])) {
        let named = named_by_connection(self.fields);
        let is_sent = |field: &str, value: &[u8]| match self.policy.kind(field, value) {
            FieldKind::EndToEnd | FieldKind::Cookie | FieldKind::Authorization => {
                !is_among(&named, field)
            }
            FieldKind::HopByHop => is_content_length(field),
            _ => false,
        };
        for (field, value) in self.fields.pairs() {
            if fold_alike(name, field) && is_sent(field, value) {
                let same = name.eq_ignore_ascii_case(field);
                visit(
                    if same {
                        Spelling::AsNamed
                    } else {
                        Spelling::Otherwise
                    },
                    value,
                );
            }
        }
    }
}

/// Whether two names are equal to a recipient that folds names: any case, any character in place of
/// a dash.
fn fold_alike(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .all(|(one, other)| fold(one) == fold(other))
}

#[cfg(test)]
mod tests;
