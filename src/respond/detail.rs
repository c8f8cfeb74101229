//! The detail of a rejection for the log.

use super::Rejection;
use crate::credentials::CredentialFailure;
use crate::error_text::with_causes;

impl Rejection<'_> {
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
            Self::Forwarded(rejection) => rejection.detail().map(str::to_owned),
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
