//! The set `nginx`: what nginx and its ingress controller for Kubernetes tell. Verifies nothing.

use super::text::{ascii_name, url_encoded_pem};
use super::{CERTIFICATE_LIMIT, Collected, KnownClient, TEXT_LIMIT};

pub(super) fn write(fields: &mut Collected, client: &KnownClient<'_>) {
    let Some(certificate) = &client.certificate else {
        return fields.text("ssl-client-verify", "NONE");
    };
    fields.text("ssl-client-verify", "SUCCESS");
    fields.value(
        "ssl-client-subject-dn",
        &ascii_name(&certificate.peer.subject),
        TEXT_LIMIT,
    );
    fields.value(
        "ssl-client-issuer-dn",
        &ascii_name(&certificate.peer.issuer),
        TEXT_LIMIT,
    );
    if let Some(leaf) = certificate.chain.first() {
        fields.value("ssl-client-cert", &url_encoded_pem(leaf), CERTIFICATE_LIMIT);
    }
}
