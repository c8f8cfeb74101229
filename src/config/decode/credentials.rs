//! What clients prove themselves by beside certificates: `[token_issuer.NAME]` and `[passwords]`, from TOML to the model.

use super::super::model::{Passwords, TokenIssuer};
use super::super::source::Spanned;
use super::super::table::TableReader;

pub(super) fn token_issuer(name: Spanned<String>, table: &mut TableReader<'_>) -> TokenIssuer {
    // The names of RFC 7518; what each means is said where signatures are verified.
    let algorithms = ["ES256", "ES384", "EdDSA", "PS256", "RS256"].map(|name| (name, name));
    TokenIssuer {
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

pub(super) fn passwords(table: &mut TableReader<'_>) -> Passwords {
    Passwords {
        failures_per_user: table.integer("failures_per_user", 1..=1_000_000),
        failures_per_source: table.integer("failures_per_source", 1..=1_000_000),
        window: table.duration("window"),
        remember: table.duration_or_off("remember"),
    }
}
