//! The credentials of an upstream request: those of the gateway, or those of the ApiUser's account at the upstream.
//! Decides nothing: a user without a required account was denied before.

use super::checked_evidence::CheckedEvidence;
use super::client_view::ClientView;
use crate::forward::UpstreamAuthorization;
use crate::route::Admission;
use crate::upstream::{Account, Accounts, Upstream};
use std::sync::Arc;

/// The account at the upstream of the ApiUser of a permitted request, if it has one. `None` on a public route, which
/// forwards no identity.
pub(super) fn account<'a>(
    accounts: Option<&'a Accounts>,
    admission: Admission,
    view: &ClientView,
    checked: &CheckedEvidence,
) -> Option<&'a Arc<Account>> {
    let accounts = accounts.filter(|_| admission != Admission::Public)?;
    accounts.of(checked.user(view)?.id)
}

/// The `Authorization` field of an upstream request. With an account, the field of the client is never forwarded: an
/// upstream could accept it in place of the account's certificate.
pub(super) fn upstream_authorization<'u>(
    upstream: &'u Upstream,
    account: Option<&'u Account>,
    checked: &CheckedEvidence,
) -> UpstreamAuthorization<'u> {
    match account {
        None => checked.authorization(upstream.authorization.as_deref()),
        Some(account) => {
            UpstreamAuthorization::of(account.authorization(), UpstreamAuthorization::Removed)
        }
    }
}
