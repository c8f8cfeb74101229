//! Which credentials a route takes, and whether one of them is enough. Looks at no request.

use crate::config::{CredentialKind, CredentialsRequired};

/// Which credentials a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialRule {
    /// One bit for each kind.
    accepted: u8,
    required: CredentialsRequired,
}

/// Why a rule makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Then nobody could come in.
    #[error("`credentials` names none, so nobody could come in")]
    Empty,
    /// The same kind stands twice.
    #[error("`credentials` names one kind twice")]
    Twice,
    /// Both stand in `Authorization`, of which there is one.
    #[error("a request cannot carry both a password and a token")]
    BothInOneField,
}

impl Default for CredentialRule {
    /// Certificates alone.
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
    /// A rule that takes these kinds.
    ///
    /// # Errors
    /// [`RuleError`] for a rule that nobody could mean.
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

    /// Whether this kind counts.
    pub fn accepts(self, kind: CredentialKind) -> bool {
        self.accepted & bit(kind) != 0
    }

    /// Whether nothing but the certificate is looked at.
    pub fn is_certificate_alone(self) -> bool {
        self.accepted == bit(CredentialKind::Certificate)
    }

    /// Whether all of them are needed.
    pub fn needs_all(self) -> bool {
        self.required == CredentialsRequired::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CredentialKind::{Certificate, Password, Token};

    #[test]
    fn rules_that_nobody_could_mean_are_refused() {
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
