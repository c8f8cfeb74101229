//! `[trust_domain.NAME]`: from TOML to the model.

use super::crl_fetch;
use crate::config::model::{
    ExtendedKeyUsage, RevocationCheck, StaleCrls, TrustDomain, UnknownRevocation,
};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn trust_domain(name: Spanned<String>, table: &mut TableReader<'_>) -> TrustDomain {
    TrustDomain {
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
                ("refuse", UnknownRevocation::Refuse),
                ("allow", UnknownRevocation::Allow),
            ],
        ),
        revocation_check: table.choice(
            "revocation_check",
            &[
                ("chain", RevocationCheck::Chain),
                ("leaf", RevocationCheck::Leaf),
            ],
        ),
        deny_list: table.string("deny_list"),
        crl_fetch: crl_fetch::crl_fetch(table),
    }
}

fn stale_crls(table: &mut TableReader<'_>) -> Option<Spanned<StaleCrls>> {
    if !table.holds_table("stale_crls") {
        return table.choice(
            "stale_crls",
            &[("refuse", StaleCrls::Refuse), ("ignore", StaleCrls::Ignore)],
        );
    }
    let mut inner = table.table("stale_crls")?;
    let (place, grace) = (inner.place(), inner.duration("allow-for"));
    if grace.is_none() && !inner.has("allow-for") {
        inner.missing("allow-for", "write `stale_crls = { allow-for = \"6h\" }`");
    }
    grace.map(|grace| Spanned {
        value: StaleCrls::AllowFor(grace),
        place,
    })
}

fn extended_key_usage(table: &mut TableReader<'_>) -> Option<Spanned<ExtendedKeyUsage>> {
    if !table.holds_table("extended_key_usage") {
        let words = [
            ("require", UsageWord::Require),
            ("allow-missing", UsageWord::AllowMissing),
        ];
        return table.choice("extended_key_usage", &words).map(|said| {
            said.map(|word| match word {
                UsageWord::Require => ExtendedKeyUsage::Require,
                UsageWord::AllowMissing => ExtendedKeyUsage::AllowMissing,
            })
        });
    }
    let day = table.table("extended_key_usage")?.required_string(
        "allow-server-auth-until",
        "write `extended_key_usage = { allow-server-auth-until = \"2027-03-31\" }`",
    );
    day.map(|day| day.map(ExtendedKeyUsage::AllowServerAuthUntil))
}

#[derive(Clone, Copy)]
enum UsageWord {
    Require,
    AllowMissing,
}
