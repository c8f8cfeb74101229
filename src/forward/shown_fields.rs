//! What an external authorizer is shown of a client's fields.

use super::connection_fields::{is_among, named_by_connection};
use super::edit::AuthorizationUp;
use super::fields::FieldKind;
use super::policy::FieldPolicy;
use super::reserved::FieldNames;
use crate::head::Fields;
use http::HeaderName;

/// The client's fields of these names, under them, as far as they go up as well.
pub fn shown_fields<'f, F: Fields + ?Sized>(
    fields: &'f F,
    shown: &'f FieldNames,
    policy: FieldPolicy<'_>,
    authorization: AuthorizationUp<'_>,
) -> Vec<(&'f HeaderName, &'f [u8])> {
    if shown.iter().next().is_none() {
        return Vec::new();
    }
    let named = named_by_connection(fields);
    let goes_up = |name: &str, value: &[u8]| match policy.kind(name, value) {
        FieldKind::EndToEnd | FieldKind::Cookie => true,
        FieldKind::Authorization => authorization == AuthorizationUp::OfClient,
        _ => false,
    };
    let all = fields
        .pairs()
        .filter(|(name, value)| !is_among(&named, name) && goes_up(name, value));
    all.filter_map(|(name, value)| Some((shown.find(name)?, value)))
        .collect()
}
