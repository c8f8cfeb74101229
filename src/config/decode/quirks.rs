//! Decodes upstream quirks, and the accounts of ApiUsers at upstreams.

use crate::config::model::*;
use crate::config::table::TableReader;

pub(super) fn quirks(table: &mut TableReader<'_>) -> UpstreamQuirks {
    UpstreamQuirks {
        preset: table.choice("preset", &[("icinga2", Preset::Icinga2)]),
        head: table.choice(
            "head",
            &[("head", HeadMethod::Head), ("get", HeadMethod::Get)],
        ),
        lengthless_redirect: table.choice(
            "lengthless_redirect",
            &[
                ("until-close", LengthlessRedirect::UntilClose),
                ("empty", LengthlessRedirect::Empty),
            ],
        ),
        connect_retry: table.duration_or_off("connect_retry"),
        hold_back: table.size_or_off("hold_back", Some(MOST_HELD_BACK)),
        quick_ack: table.choice(
            "quick_ack",
            &[("off", QuickAck::Off), ("adaptive", QuickAck::Adaptive)],
        ),
        credentials_of_users: table.choice(
            "credentials_of_users",
            &[
                ("optional", CredentialsOfUsers::Optional),
                ("required", CredentialsOfUsers::Required),
            ],
        ),
    }
}

pub(super) fn upstream_accounts(table: &mut TableReader<'_>) -> Vec<UpstreamAccount> {
    let tables = table.named_tables("upstream").into_iter();
    tables
        .map(|(upstream, mut table)| UpstreamAccount {
            upstream,
            basic_credentials: table.string("basic_credentials"),
            certificate: table.string("certificate"),
            private_key: table.string("private_key"),
            place: table.place(),
        })
        .collect()
}
