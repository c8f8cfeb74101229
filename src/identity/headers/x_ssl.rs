//! Writes the set `x-ssl`: the field names of HAProxy's documentation, with values in HAProxy's formats.

use super::text::{ascii_name, list};
use super::{BlockWriter, KnownClient, TEXT_LIMIT};
use crate::tls::PeerCertificate;
use time::OffsetDateTime;
use time::macros::format_description;

/// Writes the fields. Without a certificate only `X-SSL` is written: in HAProxy, result 0 means "no error" even without a
/// certificate.
pub(super) fn write(fields: &mut BlockWriter, client: &KnownClient<'_>) {
    fields.text("x-ssl", "1");
    let Some(certificate) = &client.certificate else {
        return;
    };
    let peer = certificate.peer;
    fields.text("x-ssl-client-verify", "0");
    fields.value("x-ssl-client-dn", &ascii_name(&peer.subject), TEXT_LIMIT);
    if let Ok(name) = &peer.common_name {
        fields.text("x-ssl-client-cn", name.as_str());
    }
    fields.value("x-ssl-issuer", &ascii_name(&peer.issuer), TEXT_LIMIT);
    fields.text("x-ssl-client-notbefore", &time_text(peer.not_before));
    fields.text("x-ssl-client-notafter", &time_text(peer.not_after));
    let names = alternative_names(peer);
    if !names.is_empty() {
        fields.value(
            "x-ssl-client-san",
            &list(names.iter().map(String::as_str)),
            TEXT_LIMIT,
        );
    }
    fields.text(
        "x-ssl-client-sha256",
        &peer.fingerprint.to_ascii_uppercase(),
    );
    fields.text("x-ssl-client-serial", &peer.serial.to_ascii_uppercase());
}

/// Subject alternative names with their kinds, in the format of OpenSSL.
fn alternative_names(peer: &PeerCertificate) -> Vec<String> {
    let kinds = [
        ("DNS", &peer.dns_names),
        ("URI", &peer.uris),
        ("email", &peer.emails),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind}:{name}")))
        .collect()
}

/// Formats a time as `YYMMDDhhmmssZ`, or as the number if it is out of range.
fn time_text(seconds: i64) -> String {
    let form = format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
    let text = OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(form).ok());
    text.unwrap_or_else(|| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_haproxy_writes_them() {
        assert_eq!(time_text(1_795_392_000), "261123000000Z");
        assert_eq!(time_text(i64::MAX), i64::MAX.to_string());
    }
}
