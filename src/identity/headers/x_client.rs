//! Writes the set `x-client`: one field per fact about the client.

use super::text::list;
use super::{BlockWriter, KnownClient, TEXT_LIMIT};

pub(super) fn write(fields: &mut BlockWriter, client: &KnownClient<'_>) {
    let verdict = if client.certificate.is_some() {
        "SUCCESS"
    } else {
        "NONE"
    };
    fields.text("x-client-verify", verdict);
    if let Some(user) = client.user {
        fields.text("x-client-user", &user.name);
    }
    if let Some(name) = client.forwarded_by {
        fields.text("x-client-forwarded-by", name);
    }
    let Some(certificate) = &client.certificate else {
        return;
    };
    let peer = certificate.peer;
    if let Ok(name) = &peer.common_name {
        fields.text("x-client-cn", name.as_str());
    }
    fields.text("x-client-trust-domain", certificate.domain);
    for (name, values) in [
        ("x-client-dns", &peer.dns_names),
        ("x-client-uri", &peer.uris),
        ("x-client-email", &peer.emails),
    ] {
        if !values.is_empty() {
            fields.value(name, &list(values.iter().map(|value| &**value)), TEXT_LIMIT);
        }
    }
    fields.text("x-client-subject", &peer.subject);
    fields.text("x-client-issuer", &peer.issuer);
    fields.text("x-client-serial", &peer.serial);
    fields.text("x-client-fingerprint", &peer.fingerprint);
    fields.text("x-client-not-after", &peer.not_after_text());
}
