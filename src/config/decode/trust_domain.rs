//! Decodes `[trust_domain.NAME]`.

use super::crl_fetch;
use crate::config::model::{
    ExtendedKeyUsageSetting, RevocationCheckSetting, StaleCrlsSetting, TrustDomainTable,
    UnknownRevocationSetting,
};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn trust_domain(name: Spanned<String>, table: &mut TableReader<'_>) -> TrustDomainTable {
    TrustDomainTable {
        name,
        anchors: table.strings("anchors"),
        reserved_names: table.strings("reserved_names"),
        intermediates: table.strings("intermediates"),
        extended_key_usage: extended_key_usage(table),
        chain_depth: table.integer("chain_depth", 0..=6),
        crls: table.strings("crls"),
        stale_crls: stale_crls(table),
        unknown_revocation: table.choice(
            "unknown_revocation",
            &[
                ("refuse", UnknownRevocationSetting::Refuse),
                ("allow", UnknownRevocationSetting::Allow),
            ],
        ),
        revocation_check: table.choice(
            "revocation_check",
            &[
                ("chain", RevocationCheckSetting::Chain),
                ("leaf", RevocationCheckSetting::Leaf),
            ],
        ),
        deny_list: table.string("deny_list"),
        crl_fetch: crl_fetch::crl_fetch(table),
    }
}

fn stale_crls(table: &mut TableReader<'_>) -> Option<Spanned<StaleCrlsSetting>> {
    if !table.holds_table("stale_crls") {
        return table.choice(
            "stale_crls",
            &[
                ("refuse", StaleCrlsSetting::Refuse),
                ("ignore", StaleCrlsSetting::Ignore),
            ],
        );
    }
    let mut inner = table.table("stale_crls")?;
    let place = inner.place();
    let grace = inner.duration("allow-for");
    if grace.is_none() && !inner.has("allow-for") {
        inner.missing("allow-for", "write `stale_crls = { allow-for = \"6h\" }`");
    }
    grace.map(|grace| Spanned {
        value: StaleCrlsSetting::AllowFor(grace),
        place,
    })
}

fn extended_key_usage(table: &mut TableReader<'_>) -> Option<Spanned<ExtendedKeyUsageSetting>> {
    if !table.holds_table("extended_key_usage") {
        let words = [
            ("require", UsageWord::Require),
            ("allow-missing", UsageWord::AllowMissing),
        ];
        return table.choice("extended_key_usage", &words).map(|setting| {
            setting.map(|word| match word {
                UsageWord::Require => ExtendedKeyUsageSetting::Require,
                UsageWord::AllowMissing => ExtendedKeyUsageSetting::AllowMissing,
            })
        });
    }
    let day = table.table("extended_key_usage")?.required_string(
        "allow-server-auth-until",
        "write `extended_key_usage = { allow-server-auth-until = \"2027-03-31\" }`",
    );
    day.map(|day| day.map(ExtendedKeyUsageSetting::AllowServerAuthUntil))
}

#[derive(Clone, Copy)]
enum UsageWord {
    Require,
    AllowMissing,
}
