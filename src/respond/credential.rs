//! The response to a failed credential: status, reason word, and challenges. Decides nothing.

use crate::config::CredentialKind;
use crate::credentials::{CredentialFailure, CredentialRule};
use http::StatusCode;

pub(super) fn status(failure: &CredentialFailure) -> StatusCode {
    match failure {
        CredentialFailure::Malformed => StatusCode::BAD_REQUEST,
        CredentialFailure::Missing
        | CredentialFailure::WrongPassword
        | CredentialFailure::BadToken(_)
        | CredentialFailure::Gone => StatusCode::UNAUTHORIZED,
        CredentialFailure::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
        CredentialFailure::Busy | CredentialFailure::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        CredentialFailure::Contradictory
        | CredentialFailure::UnknownUser
        | CredentialFailure::Revoked => StatusCode::FORBIDDEN,
    }
}

pub(super) fn word(failure: &CredentialFailure) -> &'static str {
    match failure {
        CredentialFailure::Malformed => "bad_authorization",
        CredentialFailure::Missing => "no_credentials",
        CredentialFailure::WrongPassword => "wrong_password",
        CredentialFailure::TooManyAttempts { .. } => "too_many_attempts",
        CredentialFailure::Busy => "password_checks_busy",
        CredentialFailure::Contradictory => "contradictory_credentials",
        CredentialFailure::BadToken(_) => "invalid_token",
        CredentialFailure::NoKeys => "no_keys",
        CredentialFailure::UnknownUser => "unknown_user",
        CredentialFailure::Gone => "credentials_gone",
        CredentialFailure::Revoked => "revoked",
    }
}

pub(super) fn sentence(failure: &CredentialFailure) -> &'static str {
    match failure {
        CredentialFailure::Malformed => "The Authorization field stands twice, or cannot be read.",
        CredentialFailure::Missing => "Credentials are needed here.",
        CredentialFailure::WrongPassword => "User and password do not fit.",
        CredentialFailure::TooManyAttempts { .. } => {
            "There were too many wrong passwords; try later."
        }
        CredentialFailure::Busy => "Too many passwords wait to be checked; try later.",
        CredentialFailure::Contradictory => "The credentials belong to different users.",
        CredentialFailure::BadToken(_) => "The token is not accepted.",
        CredentialFailure::NoKeys => "Tokens cannot be verified yet; try later.",
        CredentialFailure::UnknownUser => "The token belongs to no user.",
        CredentialFailure::Gone => "The credentials do not count any more.",
        CredentialFailure::Revoked => "The user has been shut out.",
    }
}

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
        _ if status(failure) == StatusCode::UNAUTHORIZED => {
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
