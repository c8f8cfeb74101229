//! Reads the field names that the `Connection` fields of a message list.

use super::few::Few;
use super::fields::may_be_named_by_connection;
use super::reserved::FieldNames;
use crate::head::Fields;

/// A `Connection` field that names a protected field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Connection names a field that every hop needs, or that the decision depends on")]
pub struct BadConnection;

/// The names that the `Connection` fields of a message list.
pub(super) fn connection_names<F: Fields + ?Sized>(fields: &F) -> impl Iterator<Item = &str> {
    fields.values("connection").flat_map(names_in)
}

/// The names that one value of `Connection` lists.
fn names_in(value: &[u8]) -> impl Iterator<Item = &str> {
    let names = std::str::from_utf8(value).unwrap_or_default().split(',');
    names.map(str::trim).filter(|name| !name.is_empty())
}

/// Checks the names in one `Connection` field. `decision_fields` holds the fields that conditions and
/// authorizers read.
///
/// # Errors
/// [`BadConnection`] if it names a field that must not be removed.
pub fn check_connection(value: &[u8], decision_fields: &FieldNames) -> Result<(), BadConnection> {
    let may_be_named =
        |name: &str| may_be_named_by_connection(name) && decision_fields.find(name).is_none();
    if names_in(value).all(may_be_named) {
        Ok(())
    } else {
        Err(BadConnection)
    }
}

/// The fields that `Connection` makes hop-by-hop. Omits `keep-alive`, which most clients send and
/// which is hop-by-hop in any case.
pub(super) fn named_by_connection<F: Fields + ?Sized>(fields: &F) -> Few<&str> {
    let mut named = Few::default();
    connection_names(fields)
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .for_each(|name| named.push(name));
    named
}

pub(super) fn is_among(named: &Few<&str>, name: &str) -> bool {
    !named.is_empty() && named.iter().any(|hop| hop.eq_ignore_ascii_case(name))
}
