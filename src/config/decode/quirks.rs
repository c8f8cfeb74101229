//! Decodes upstream quirks, and the accounts of ApiUsers at upstreams.

use crate::config::keys::{upstream as keys, user};
use crate::config::model::*;
use crate::config::table::TableReader;

pub(super) fn quirks(table: &mut TableReader<'_>) -> UpstreamQuirks {
    UpstreamQuirks {
        preset: table.choice(&keys::PRESET),
        head: table.choice(&keys::HEAD),
        lengthless_redirect: table.choice(&keys::LENGTHLESS_REDIRECT),
        connect_retry: table.duration_or_off(&keys::CONNECT_RETRY),
        hold_back: table.size_or_off(&keys::HOLD_BACK),
        quick_ack: table.choice(&keys::QUICK_ACK),
        credentials_of_users: table.choice(&keys::CREDENTIALS_OF_USERS),
    }
}

pub(super) fn upstream_accounts(table: &mut TableReader<'_>) -> Vec<UpstreamAccount> {
    let tables = table.named_tables(&user::UPSTREAM).into_iter();
    tables
        .map(|(upstream, mut table)| UpstreamAccount {
            upstream,
            basic_credentials: table.string(&user::ACCOUNT_BASIC_CREDENTIALS),
            certificate: table.string(&user::ACCOUNT_CERTIFICATE),
            private_key: table.string(&user::ACCOUNT_PRIVATE_KEY),
            passphrase_file: table.string(&user::ACCOUNT_PASSPHRASE_FILE),
            place: table.place(),
        })
        .collect()
}
