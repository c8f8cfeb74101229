//! Where TLS rejects a client, `explain` names the alert, and the running gateway sends that alert.

use super::upstream_at;
use crate::support::gateway::{listener_with, user};
use crate::support::pki::{Identity, Kind, text};
use crate::support::{Client, Gateway, PORTCULLIS, Pki, run};
use serde_json::Value;

/// What `explain --json` says of a client, and the exit code.
fn explained(gateway: &Gateway, identity: Option<&Identity>) -> (Value, i32) {
    let config = text(&gateway.config_file);
    let certificate = identity.map(|identity| text(&identity.certificate_file));
    let mut arguments = vec!["explain", "--json", "-c", &config, "GET", "/x"];
    arguments.extend(certificate.iter().flat_map(|file| ["--cert", file]));
    let (out, error, code) = run(PORTCULLIS, &arguments);
    (
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}")),
        code,
    )
}

/// An alert as rustls names it, in the words of the RFC.
fn name(alert: rustls::AlertDescription) -> String {
    let letters = format!("{alert:?}").replace("CA", "Ca");
    let words =
        letters
            .char_indices()
            .map(|(at, letter)| match letter.is_ascii_uppercase() && at > 0 {
                true => format!("_{}", letter.to_ascii_lowercase()),
                false => letter.to_ascii_lowercase().to_string(),
            });
    words.collect()
}

#[test]
fn the_alert_that_is_explained_is_the_one_that_comes() {
    let (pki, other) = (Pki::new(), Pki::named("Other CA"));
    let denied = pki.client("denied");
    std::fs::write(pki.path("list"), "cn denied\n").unwrap();
    let deny_list = format!(
        "[trust_domain.test]\ndeny_list = \"{}\"\n",
        text(&pki.path("list"))
    );
    let config = listener_with(&pki, "").replace("[trust_domain.test]\n", &deny_list)
        + &user("alice", &["GET /*"])
        + &upstream_at("127.0.0.1:1")
        + "[[route]]\npath = \"/\"\nupstream = \"api\"\n";
    let gateway = Gateway::start(&config);
    let clients = [
        (None, "certificate_required", "no_certificate"),
        (Some(other.client("alice")), "unknown_ca", "unknown_issuer"),
        (
            Some(pki.of_kind("alice", Kind::Expired)),
            "certificate_expired",
            "expired",
        ),
        (
            Some(pki.of_kind("alice", Kind::NotYetValid)),
            "certificate_expired",
            "not_yet_valid",
        ),
        (
            Some(pki.of_kind("alice", Kind::Server)),
            "unsupported_certificate",
            "wrong_usage",
        ),
        (Some(denied), "certificate_revoked", "deny_listed"),
    ];
    for (identity, alert, reason) in clients {
        let (answer, code) = explained(&gateway, identity.as_ref());
        let fields =
            ["decision", "alert", "reason"].map(|key| answer[key].as_str().unwrap_or_default());
        assert_eq!((code, fields), (1, ["refuse", alert, reason]), "{answer:#}");
        assert!(
            answer["status"].is_null() && answer["route"].is_null(),
            "{answer:#}"
        );
        let sent = Client::new(&pki, identity.as_ref(), gateway.address()).alert();
        assert_eq!(name(sent), alert);
    }
    // Behind the handshake there is a status, and no alert; and one certificate gets in.
    let (answer, code) = explained(&gateway, Some(&pki.client("mallory")));
    assert_eq!(
        (code, &answer["status"], &answer["alert"]),
        (1, &403.into(), &Value::Null),
        "{answer:#}"
    );
    let (answer, code) = explained(&gateway, Some(&pki.client("alice")));
    assert_eq!(
        (code, &answer["decision"], &answer["alert"]),
        (0, &"permit".into(), &Value::Null),
        "{answer:#}"
    );
}
