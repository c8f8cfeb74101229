//! `respond = "whoami"`: tells an ApiUser who it is and what it may do, in the form of Icinga's `/v1`.

use crate::authorize::{Permission, PermissionSet, Policy};
use crate::config::Enforcement;
use crate::identity::{IdentityKind, Principal};
use crate::respond::{GatewayResponse, ResponseFormat, escape_html, page};
use crate::tls::PeerCertificate;
use http::StatusCode;

const INFO: &str =
    "You are authenticated by Portcullis. The permissions below say what you may do.";

pub(super) fn answer(
    policy: &Policy,
    user: &Principal,
    peer: Option<&PeerCertificate>,
    form: ResponseFormat,
) -> GatewayResponse {
    let texts = |list: fn(&PermissionSet) -> &Vec<Permission>| -> Vec<String> {
        policy
            .sets(user)
            .flat_map(|set| list(set).iter().map(permission_text))
            .collect()
    };
    let granted = texts(|set| &set.granted);
    let denied = texts(|set| &set.denied);
    let expires = peer.map(PeerCertificate::not_after_text);
    let version = concat!("portcullis ", env!("CARGO_PKG_VERSION"));
    let (content_type, body) = match form {
        ResponseFormat::Json | ResponseFormat::Grpc => {
            let result = serde_json::json!({
                "info": INFO,
                "user": &*user.name,
                "identified_by": user.identified_by.map(IdentityKind::word),
                "roles_of_certificate": policy.certificate_roles(user).collect::<Vec<_>>(),
                "permissions": granted,
                "denied": denied,
                "version": version,
                "certificate_expires": expires,
            });
            (
                "application/json",
                serde_json::json!({ "results": [result] }).to_string() + "\n",
            )
        }
        ResponseFormat::Html => {
            let list = |texts: &[String]| -> String {
                texts
                    .iter()
                    .map(|text| format!("<li><code>{}</code></li>\n", escape_html(text)))
                    .collect()
            };
            let denied_part = if denied.is_empty() {
                String::new()
            } else {
                format!("<p>Denied:</p>\n<ul>\n{}</ul>\n", list(&denied))
            };
            let content = format!(
                "<p>You are authenticated as <b>{}</b>. Your user has the following permissions:</p>\n<ul>\n{}</ul>\n\
                 {denied_part}<p>Your certificate expires: {}</p>",
                escape_html(&user.name),
                list(&granted),
                escape_html(expires.as_deref().unwrap_or("unknown")),
            );
            (
                "text/html; charset=utf-8",
                page(&format!("Hello from {version}!"), &content),
            )
        }
    };
    GatewayResponse {
        status: StatusCode::OK,
        content_type,
        body,
        fields: Vec::new(),
    }
}

/// A permission as text for its user. Icinga appends `(filtered)` in the same way.
fn permission_text(permission: &Permission) -> String {
    let mut text = permission.text().to_owned();
    if permission.condition().is_some() {
        text.push_str(" (conditional)");
    }
    if permission.enforcement() == Enforcement::Shadow {
        text.push_str(" (on trial)");
    }
    text
}
