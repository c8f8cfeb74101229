//! Writes the sets `xfcc` and `xfcc-cert`: `X-Forwarded-Client-Cert` in the grammar, order and quoting of Envoy, with one
//! element.

use super::text::{ascii_name, percent_encoded, url_encoded_pem};
use super::{BlockWriter, CERTIFICATE_LIMIT, KnownClient};

/// The part of the certificate that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertificateDetail {
    /// Digest and names.
    Names,
    /// Digest, names and the certificate.
    Certificate,
}

const NAME: &str = "x-forwarded-client-cert";

pub(super) fn write(fields: &mut BlockWriter, client: &KnownClient<'_>, detail: CertificateDetail) {
    if client.certificate.is_none() {
        return;
    }
    let full = element(client, detail);
    if detail == CertificateDetail::Certificate && full.len() > CERTIFICATE_LIMIT {
        // Digest and names still fit.
        fields.left_out.push(NAME);
        return fields.value(
            NAME,
            &element(client, CertificateDetail::Names),
            CERTIFICATE_LIMIT,
        );
    }
    fields.value(NAME, &full, CERTIFICATE_LIMIT);
}

fn element(client: &KnownClient<'_>, detail: CertificateDetail) -> String {
    let mut pairs = Vec::new();
    pairs.extend(client.own_uri.map(|uri| format!("By={}", value(uri))));
    if let Some(certificate) = &client.certificate {
        let peer = certificate.peer;
        pairs.push(format!("Hash={}", peer.fingerprint));
        if let (CertificateDetail::Certificate, Some(leaf)) = (detail, certificate.chain.first()) {
            pairs.push(format!("Cert=\"{}\"", url_encoded_pem(leaf)));
        }
        pairs.push(format!("Subject=\"{}\"", ascii_name(&peer.subject)));
        pairs.extend(peer.uris.iter().map(|uri| format!("URI={}", value(uri))));
        pairs.extend(
            peer.dns_names
                .iter()
                .map(|name| format!("DNS={}", value(name))),
        );
    }
    pairs.join(";")
}

/// Encodes a value, quoted if the grammar requires it. Characters that quoting cannot express are percent-encoded; URIs
/// and host names do not contain them.
fn value(text: &str) -> String {
    let plain = percent_encoded(text, |byte| {
        byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
    });
    if plain.contains([',', ';', '=']) {
        format!("\"{plain}\"")
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_must_be() {
        assert_eq!(value("spiffe://example.org/a"), "spiffe://example.org/a");
        assert_eq!(value("urn:a;b=c,\"d\\"), "\"urn:a;b=c,%22d%5C\"");
    }
}
