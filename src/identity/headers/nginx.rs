//! Writes the set `nginx`: the fields of nginx and its ingress controller for Kubernetes.

use super::text::{ascii_name, url_encoded_pem};
use super::{BlockWriter, CERTIFICATE_LIMIT, KnownClient, TEXT_LIMIT};

pub(super) fn write(fields: &mut BlockWriter, client: &KnownClient<'_>) {
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
