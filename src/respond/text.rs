//! The texts of a refusal: one sentence for the client, and a detail for the log.

use super::{Refusal, credential};
use crate::authorize::Denied;
use crate::credentials::CredentialFailure;
use crate::error_text::with_causes;
use crate::identity::ForwardedRefusal;
use crate::limit::BodyEnd;

impl Refusal<'_> {
    /// One sentence for the client.
    pub(super) fn sentence(&self) -> &'static str {
        match self {
            Self::BadPath(_) | Self::OddPath(_) => "The path can be read in more than one way.",
            Self::BadHost => "The request names no host, or more than one.",
            Self::Misdirected | Self::ListenerGone => {
                "This host is not served on this connection; open a new one."
            }
            Self::MethodNotForwarded => "This method is not forwarded.",
            Self::BadConnection => "The Connection field names a field that must arrive.",
            Self::LowerCaseMethod => "Methods are written in capitals.",
            Self::RepeatedField(_) => "A header field that may stand once stands twice.",
            Self::Upgrade(_) => {
                "The WebSocket handshake is malformed, or of another version than 13."
            }
            Self::NoRoute | Self::Absent { .. } => "There is nothing here.",
            Self::Icinga(_) => {
                "Icinga could not serve this request, or it can be read in more than one way."
            }
            Self::MethodNotAllowed => "The method is not allowed here.",
            Self::MethodOverride => "Overriding the method is not allowed here.",
            Self::NoCertificate => "A client certificate is needed here.",
            Self::CertificateRefused(_) => "The client certificate is not accepted any more.",
            Self::UnusableName(_) | Self::UnknownUser | Self::ReservedName(_) => {
                "The client certificate belongs to no user."
            }
            Self::AmbiguousIdentity { .. } => {
                "The client certificate belongs to more than one user."
            }
            Self::WrongTrustDomain => "Another authority's certificate is needed here.",
            Self::Forwarded(ForwardedRefusal::Certificate(_)) => {
                "The forwarded certificate is not accepted."
            }
            Self::Forwarded(_) => "The proxy in front does not say who the client is, or may not.",
            Self::Denied(Denied::UserDisabled) => "The user does not count any more.",
            Self::Denied(Denied::RouteDisabled) => "This is not served any more.",
            Self::Denied(Denied::AuthorizerUnavailable(_)) | Self::AuthorizerUnasked => {
                "Whether this is allowed cannot be found out now."
            }
            Self::Denied(_) => "The user may not do this.",
            Self::Limited(limited) => limited.sentence(),
            Self::RequestTime(_) => "The request took longer than it may.",
            Self::UnknownToUpstream => "The user has no credentials where this would go.",
            Self::Framing(_) => "The request is malformed.",
            Self::HeadTooLarge => "The request head is too large.",
            Self::HeadTimeout => "The request head took too long.",
            Self::Body(BodyEnd::TooLarge) => "The request body is too large.",
            Self::Body(BodyEnd::Stalled) => "The request body took too long.",
            Self::Body(_) => "The request body broke off or is malformed.",
            Self::Upstream(_) => "The upstream did not answer.",
            Self::Withdrawn(_) => "This was permitted when it began, and is not any more.",
            Self::Credential(failure, _) => credential::sentence(failure),
            Self::Internal(_) => "The gateway made a mistake.",
        }
    }

    /// The detail for the log.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::BadPath(error) => Some(error.to_string()),
            Self::Upgrade(error) => Some(error.to_string()),
            Self::RepeatedField(name) => Some(format!("{name} stands more than once")),
            Self::UnusableName(error) => Some(error.to_string()),
            Self::AmbiguousIdentity { one, other } => {
                Some(format!("the certificate is both \"{one}\" and \"{other}\""))
            }
            Self::ReservedName(name) => {
                Some(format!("the certificate has the reserved name \"{name}\""))
            }
            Self::Forwarded(refusal) => refusal.detail().map(str::to_owned),
            Self::Limited(limited) => Some(limited.detail().to_owned()),
            Self::Framing(error) => Some(error.to_string()),
            Self::Upstream(error) => Some(with_causes(error)),
            Self::Denied(denied)
            | Self::Absent {
                denied: Some(denied),
                ..
            } => denied.detail(),
            Self::Icinga(why) => Some(why.to_string()),
            Self::Internal(what) => Some((*what).to_owned()),
            Self::Credential(CredentialFailure::BadToken(error), _) => Some(error.to_string()),
            _ => None,
        }
    }
}
