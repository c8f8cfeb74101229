//! The sets `xfcc` and `xfcc-cert`: `X-Forwarded-Client-Cert` in the grammar, order and quoting of Envoy, with one element,
//! ours. Verifies nothing.

use super::text::{ascii_name, percent_encoded, url_encoded_pem};
use super::{CERTIFICATE_LIMIT, Collected, KnownClient};

/// How much of a certificate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Its digest and names.
    Names,
    /// All of it.
    Certificate,
}

const NAME: &str = "x-forwarded-client-cert";

pub(super) fn write(fields: &mut Collected, client: &KnownClient<'_>, extent: Extent) {
    if client.certificate.is_none() {
        return;
    }
    let whole = element(client, extent);
    if extent == Extent::Certificate && whole.len() > CERTIFICATE_LIMIT {
        // Who the client is can still be said.
        fields.left_out.push(NAME);
        return fields.value(NAME, &element(client, Extent::Names), CERTIFICATE_LIMIT);
    }
    fields.value(NAME, &whole, CERTIFICATE_LIMIT);
}

fn element(client: &KnownClient<'_>, extent: Extent) -> String {
    let mut pairs = Vec::new();
    pairs.extend(client.own_uri.map(|uri| format!("By={}", value(uri))));
    if let Some(certificate) = &client.certificate {
        let peer = certificate.peer;
        pairs.push(format!("Hash={}", peer.fingerprint));
        if let (Extent::Certificate, Some(leaf)) = (extent, certificate.chain.first()) {
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

/// A value, quoted where the grammar needs it. What would need more than quotes is percent-encoded: it is no part of a
/// URI or a host name anyway.
fn value(text: &str) -> String {
    let plain = percent_encoded(text, |octet| {
        octet.is_ascii_graphic() && octet != b'"' && octet != b'\\'
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
