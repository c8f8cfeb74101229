//! `portcullis --version`: the versions of the TLS and cryptography libraries in this binary.

use crate::telemetry::build::{
    CRYPTO_PROVIDER, CRYPTO_PROVIDER_VERSION, FIPS, RUSTLS_VERSION, VERSION,
};
use crate::tls::provider;
use std::sync::OnceLock;

/// One line, for `-V`.
pub(super) fn short() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        format!("{VERSION} (TLS: rustls {RUSTLS_VERSION} with {CRYPTO_PROVIDER} {CRYPTO_PROVIDER_VERSION})")
    })
}

/// Several lines, for `--version`. Key exchange groups and cipher suites are in the order of preference.
pub(super) fn long() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let provider = provider();
        let groups: Vec<String> = provider
            .kx_groups
            .iter()
            .map(|group| format!("{:?}", group.name()))
            .collect();
        let suites: Vec<String> = provider
            .cipher_suites
            .iter()
            .map(|suite| format!("{:?}", suite.suite()))
            .collect();
        format!(
            "{VERSION}\n\
             TLS library:    rustls {RUSTLS_VERSION}, TLS 1.3 and 1.2\n\
             crypto:         {CRYPTO_PROVIDER} {CRYPTO_PROVIDER_VERSION}\n\
             FIPS:           {}\n\
             key exchange:   {}\n\
             cipher suites:  {}",
            FIPS.sentence(),
            groups.join(", "),
            suites.join(", "),
        )
    })
}
