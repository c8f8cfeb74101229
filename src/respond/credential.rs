//! The fields of the response to a failed credential: challenges, and when to retry. Decides nothing.

use crate::config::CredentialKind;
use crate::credentials::{CredentialFailure, CredentialRule};
use http::StatusCode;

/// `WWW-Authenticate` for each scheme of the route (RFC 9110 section 11.6.1), `Retry-After` if a retry can succeed.
pub(super) fn fields(
    failure: &CredentialFailure,
    rule: CredentialRule,
) -> Vec<(&'static str, String)> {
    const BASIC: &str = "Basic realm=\"portcullis\", charset=\"UTF-8\"";
    let after = |seconds: u64| vec![("retry-after", seconds.to_string())];
    match failure {
        CredentialFailure::TooManyAttempts { retry_after } => {
            after(retry_after.as_secs().saturating_add(1))
        }
        CredentialFailure::Busy | CredentialFailure::NoKeys => after(1),
        _ if failure.reason().status() == StatusCode::UNAUTHORIZED => {
            let mut challenges = Vec::new();
            if rule.accepts(CredentialKind::Password) {
                challenges.push(("www-authenticate", BASIC.to_owned()));
            }
            if rule.accepts(CredentialKind::Token) {
                let error = match failure {
                    CredentialFailure::BadToken(_) => ", error=\"invalid_token\"",
                    _ => "",
                };
                challenges.push((
                    "www-authenticate",
                    format!("Bearer realm=\"portcullis\"{error}"),
                ));
            }
            challenges
        }
        _ => Vec::new(),
    }
}
