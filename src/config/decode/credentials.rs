//! Decodes `[token_issuer.NAME]` and `[passwords]`.

use super::super::keys::credentials as keys;
use super::super::model::{PasswordsTable, TokenIssuerTable};
use super::super::source::Spanned;
use super::super::table::TableReader;

pub(super) fn token_issuer(name: Spanned<String>, table: &mut TableReader<'_>) -> TokenIssuerTable {
    TokenIssuerTable {
        name,
        issuer: table.string(&keys::ISSUER),
        audience: table.strings(&keys::AUDIENCE),
        jwks: table.string(&keys::JWKS),
        jwks_url: table.string(&keys::JWKS_URL),
        anchors: table.strings(&keys::ANCHORS),
        refresh: table.duration(&keys::REFRESH),
        algorithms: table.choices(&keys::ALGORITHMS),
        user_claim: table.string(&keys::USER_CLAIM),
        leeway: table.duration_or_zero(&keys::LEEWAY),
    }
}

pub(super) fn passwords(table: &mut TableReader<'_>) -> PasswordsTable {
    PasswordsTable {
        failures_per_user: table.integer(&keys::FAILURES_PER_USER),
        failures_per_source: table.integer(&keys::FAILURES_PER_SOURCE),
        window: table.duration(&keys::WINDOW),
        remember: table.duration_or_off(&keys::REMEMBER),
    }
}
