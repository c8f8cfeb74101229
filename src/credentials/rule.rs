//! The kinds of credentials that a route accepts, and whether one of them is enough.

use crate::config::{CredentialKind, CredentialsRequired};

/// The kinds of credentials that a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialRule {
    /// One bit per kind.
    accepted: u8,
    required: CredentialsRequired,
}

/// The reason why a rule is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The list is empty.
    #[error("`credentials` is empty, so all requests would be denied")]
    Empty,
    /// A kind is repeated.
    #[error("`credentials` names one kind twice")]
    Twice,
    /// Password and token both use the only `Authorization` field.
    #[error("a request cannot carry both a password and a token")]
    BothInOneField,
}

impl Default for CredentialRule {
    /// Accepts only certificates.
    fn default() -> Self {
        Self {
            accepted: bit(CredentialKind::Certificate),
            required: CredentialsRequired::Any,
        }
    }
}

fn bit(kind: CredentialKind) -> u8 {
    match kind {
        CredentialKind::Certificate => 1,
        CredentialKind::Password => 2,
        CredentialKind::Token => 4,
    }
}

impl CredentialRule {
    /// Creates a rule that accepts these kinds.
    ///
    /// # Errors
    /// [`RuleError`] if the rule is invalid.
    pub fn new(
        kinds: impl IntoIterator<Item = CredentialKind>,
        required: CredentialsRequired,
    ) -> Result<Self, RuleError> {
        let mut accepted = 0;
        for kind in kinds {
            if accepted & bit(kind) != 0 {
                return Err(RuleError::Twice);
            }
            accepted |= bit(kind);
        }
        let rule = Self { accepted, required };
        match required {
            _ if accepted == 0 => Err(RuleError::Empty),
            CredentialsRequired::All
                if rule.accepts(CredentialKind::Password)
                    && rule.accepts(CredentialKind::Token) =>
            {
                Err(RuleError::BothInOneField)
            }
            _ => Ok(rule),
        }
    }

    /// Whether this kind is accepted.
    pub fn accepts(self, kind: CredentialKind) -> bool {
        self.accepted & bit(kind) != 0
    }

    /// Whether only certificates are accepted.
    pub fn is_certificate_alone(self) -> bool {
        self.accepted == bit(CredentialKind::Certificate)
    }

    /// Whether all accepted kinds are required.
    pub fn needs_all(self) -> bool {
        self.required == CredentialsRequired::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CredentialKind::{Certificate, Password, Token};

    #[test]
    fn contradictory_rules_are_rejected() {
        let rule = |kinds: &[CredentialKind], required| {
            CredentialRule::new(kinds.iter().copied(), required)
        };
        assert_eq!(rule(&[], CredentialsRequired::Any), Err(RuleError::Empty));
        assert_eq!(
            rule(&[Token, Token], CredentialsRequired::Any),
            Err(RuleError::Twice)
        );
        assert_eq!(
            rule(&[Password, Token], CredentialsRequired::All),
            Err(RuleError::BothInOneField)
        );
        let either = rule(&[Password, Token], CredentialsRequired::Any).unwrap();
        assert!(either.accepts(Password) && either.accepts(Token) && !either.accepts(Certificate));
        let both = rule(&[Certificate, Token], CredentialsRequired::All).unwrap();
        assert!(both.needs_all() && !both.is_certificate_alone());
        assert!(CredentialRule::default().is_certificate_alone());
    }
}
