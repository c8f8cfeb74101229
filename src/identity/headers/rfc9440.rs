//! Writes the set `rfc9440`: the certificate and its chain as structured fields (RFC 9440 section 2).

use super::{BlockWriter, CERTIFICATE_LIMIT, CHAIN_LIMIT, KnownClient};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

pub(super) fn write(fields: &mut BlockWriter, client: &KnownClient<'_>) {
    let Some((leaf, rest)) = client
        .certificate
        .as_ref()
        .and_then(|certificate| certificate.chain.split_first())
    else {
        return;
    };
    fields.value("client-cert", &byte_sequence(leaf), CERTIFICATE_LIMIT);
    if !rest.is_empty() {
        let chain: Vec<_> = rest.iter().map(byte_sequence).collect();
        fields.value("client-cert-chain", &chain.join(", "), CHAIN_LIMIT);
    }
}

/// A byte sequence (RFC 9651 section 4.1.8).
fn byte_sequence(der: &CertificateDer<'_>) -> String {
    format!(":{}:", STANDARD.encode(der))
}
