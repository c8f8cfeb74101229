//! Decodes `[token_issuer.NAME]` and `[passwords]`.

use super::super::model::{PasswordsTable, TokenIssuerTable};
use super::super::source::Spanned;
use super::super::table::TableReader;

pub(super) fn token_issuer(name: Spanned<String>, table: &mut TableReader<'_>) -> TokenIssuerTable {
    // Names of RFC 7518, resolved where signatures are verified.
    let algorithms = ["ES256", "ES384", "EdDSA", "PS256", "RS256"].map(|name| (name, name));
    TokenIssuerTable {
        name,
        issuer: table.required_string("issuer", "write what `iss` says in its tokens"),
        audience: table.strings("audience"),
        jwks: table.string("jwks"),
        jwks_url: table.string("jwks_url"),
        anchors: table.strings("anchors"),
        refresh: table.duration("refresh"),
        algorithms: table.choices("algorithms", &algorithms),
        user_claim: table.string("user_claim"),
        leeway: table.duration_or_zero("leeway"),
    }
}

pub(super) fn passwords(table: &mut TableReader<'_>) -> PasswordsTable {
    PasswordsTable {
        failures_per_user: table.integer("failures_per_user", 1..=1_000_000),
        failures_per_source: table.integer("failures_per_source", 1..=1_000_000),
        window: table.duration("window"),
        remember: table.duration_or_off("remember"),
    }
}
