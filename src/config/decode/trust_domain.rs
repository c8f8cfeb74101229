//! Decodes `[trust_domain.NAME]`.

use super::crl_fetch;
use crate::config::keys::trust_domain::{self as keys, UsageWord};
use crate::config::model::{ExtendedKeyUsageSetting, StaleCrlsSetting, TrustDomainTable};
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn trust_domain(name: Spanned<String>, table: &mut TableReader<'_>) -> TrustDomainTable {
    TrustDomainTable {
        name,
        anchors: table.strings(&keys::ANCHORS),
        reserved_names: table.strings(&keys::RESERVED_NAMES),
        intermediates: table.strings(&keys::INTERMEDIATES),
        extended_key_usage: extended_key_usage(table),
        chain_depth: table.integer(&keys::CHAIN_DEPTH),
        crls: table.strings(&keys::CRLS),
        stale_crls: stale_crls(table),
        unknown_revocation: table.choice(&keys::UNKNOWN_REVOCATION),
        revocation_check: table.choice(&keys::REVOCATION_CHECK),
        deny_list: table.string(&keys::DENY_LIST),
        crl_fetch: crl_fetch::crl_fetch(table),
    }
}

fn stale_crls(table: &mut TableReader<'_>) -> Option<Spanned<StaleCrlsSetting>> {
    let key = &keys::STALE_CRLS;
    if !table.holds_table(key) {
        return table.choice(&key.as_choice());
    }
    let mut inner = table.table(&key.as_other())?;
    let place = inner.place();
    inner.require(&keys::ALLOW_FOR);
    inner.duration(&keys::ALLOW_FOR).map(|grace| Spanned {
        value: StaleCrlsSetting::AllowFor(grace),
        place,
    })
}

fn extended_key_usage(table: &mut TableReader<'_>) -> Option<Spanned<ExtendedKeyUsageSetting>> {
    let key = &keys::EXTENDED_KEY_USAGE;
    if !table.holds_table(key) {
        return table.choice(&key.as_choice()).map(|setting| {
            setting.map(|word| match word {
                UsageWord::Require => ExtendedKeyUsageSetting::Require,
                UsageWord::AllowMissing => ExtendedKeyUsageSetting::AllowMissing,
            })
        });
    }
    let day = table
        .table(&key.as_other())?
        .string(&keys::ALLOW_SERVER_AUTH_UNTIL);
    day.map(|day| day.map(ExtendedKeyUsageSetting::AllowServerAuthUntil))
}
