//! Selects the client's fields that an external authorizer receives.

use super::connection_fields::{is_among, named_by_connection};
use super::edit::UpstreamAuthorization;
use super::fields::FieldKind;
use super::policy::FieldPolicy;
use super::reserved::FieldNames;
use crate::head::Fields;
use http::HeaderName;

/// The client's fields with a name in `shown` that are also sent to the upstream, under the listed
/// names.
pub fn shown_fields<'f, F: Fields + ?Sized>(
    fields: &'f F,
    shown: &'f FieldNames,
    policy: FieldPolicy<'_>,
    authorization: UpstreamAuthorization<'_>,
) -> Vec<(&'f HeaderName, &'f [u8])> {
    if shown.iter().next().is_none() {
        return Vec::new();
    }
    let named = named_by_connection(fields);
    let is_sent = |name: &str, value: &[u8]| match policy.kind(name, value) {
        FieldKind::EndToEnd | FieldKind::Cookie => true,
        FieldKind::Authorization => authorization == UpstreamAuthorization::OfClient,
        _ => false,
    };
    let all = fields
        .pairs()
        .filter(|(name, value)| !is_among(&named, name) && is_sent(name, value));
    all.filter_map(|(name, value)| Some((shown.find(name)?, value)))
        .collect()
}
