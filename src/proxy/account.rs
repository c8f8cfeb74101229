//! As whom a request goes up: the gateway, or the ApiUser that it is made by, where that is somebody at the upstream.
//! Judges nothing; a user that must be somebody there and is not was refused before.

use super::client::ClientView;
use super::credentials::Checked;
use crate::forward::AuthorizationUp;
use crate::route::Admission;
use crate::upstream::{Account, Accounts, Upstream};
use std::sync::Arc;

/// Who the ApiUser behind a permitted request is at the upstream, if not the gateway. Where a route tells nothing about
/// its clients, it does not tell by whose credentials either.
pub(super) fn account<'a>(
    accounts: Option<&'a Accounts>,
    admission: Admission,
    (view, checked): (&ClientView, &Checked),
) -> Option<&'a Arc<Account>> {
    let accounts = accounts.filter(|_| admission != Admission::Public)?;
    accounts.of(checked.user(view)?.id)
}

/// Which `Authorization` goes up. Somebody who shows a certificate there shows nothing else: what the client sent would
/// count where that certificate does not.
pub(super) fn authorization_up<'u>(
    upstream: &'u Upstream,
    account: Option<&'u Account>,
    checked: &Checked,
) -> AuthorizationUp<'u> {
    match account {
        None => checked.authorization(upstream.authorization.as_deref()),
        Some(account) => AuthorizationUp::of(account.authorization(), AuthorizationUp::Removed),
    }
}
