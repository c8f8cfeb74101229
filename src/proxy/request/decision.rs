//! The result of a decision: permit, deny, or a need for more evidence. Also the number of decision rounds.

use crate::authorize::Permit;
use crate::reason::DecisionReason;
use crate::respond::Rejection;

/// The result of a decision. Only `Permit` permits the request; an engine that gathers no evidence denies one that needs
/// some.
pub enum Decision<'s> {
    /// The request is permitted.
    Permit(Permit<'s>),
    /// The request is denied with this response.
    Deny(Rejection<'s>),
    /// The decision needs this evidence.
    Needs(Need),
}

/// Evidence, beside the request head and the certificate of the connection, that a decision on a route can depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The credentials in the request head, checked.
    Credentials,
    /// The content of the request body.
    Body,
    /// The verdict of the external authorizer of the route.
    Authorizer,
}

/// Why a phase of the decision ends without a permit.
pub(super) enum NoPermit<'s> {
    Denied(Rejection<'s>),
    Needs(Need),
}

/// Counts the rounds in which one request is decided: decide, gather what the decision needs, decide again.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRounds {
    left: u8,
}

impl Default for DecisionRounds {
    /// Each kind of evidence once. One more round covers a reload between two rounds.
    fn default() -> Self {
        Self { left: 4 }
    }
}

impl DecisionRounds {
    /// The evidence to gather before the request is decided again. `None` if this decision is final, and after the last
    /// round; a need that is unmet then is a denial.
    pub fn next_need(&mut self, decision: &Decision<'_>) -> Option<Need> {
        let Decision::Needs(need) = decision else {
            return None;
        };
        self.left = self.left.checked_sub(1)?;
        Some(*need)
    }
}

impl<'s> Decision<'s> {
    /// The permit.
    ///
    /// # Errors
    /// Why there is none. An unmet need is a denial.
    pub fn into_result(self) -> Result<Permit<'s>, Rejection<'s>> {
        match self {
            Self::Permit(permit) => Ok(permit),
            Self::Deny(rejection) => Err(rejection),
            Self::Needs(need) => Err(need.unmet()),
        }
    }

    /// The reason. An unmet need is a denial.
    pub fn reason(&self) -> DecisionReason {
        match self {
            Self::Permit(permit) => permit.reason(),
            Self::Deny(rejection) => rejection.reason().into(),
            Self::Needs(need) => need.unmet().reason().into(),
        }
    }

    /// The permit, if there is one.
    pub fn permit(&self) -> Option<&Permit<'s>> {
        match self {
            Self::Permit(permit) => Some(permit),
            Self::Deny(_) | Self::Needs(_) => None,
        }
    }
}

impl Need {
    /// The denial of a request for which this evidence cannot be gathered.
    pub fn unmet(self) -> Rejection<'static> {
        match self {
            Self::Credentials => Rejection::Internal("credentials were not checked"),
            Self::Body => Rejection::Internal("the body was not read"),
            Self::Authorizer => Rejection::AuthorizerUnasked,
        }
    }
}

impl<'s> From<Rejection<'s>> for NoPermit<'s> {
    fn from(rejection: Rejection<'s>) -> Self {
        Self::Denied(rejection)
    }
}

impl<'s> From<Result<Permit<'s>, NoPermit<'s>>> for Decision<'s> {
    fn from(result: Result<Permit<'s>, NoPermit<'s>>) -> Self {
        match result {
            Ok(permit) => Self::Permit(permit),
            Err(NoPermit::Denied(rejection)) => Self::Deny(rejection),
            Err(NoPermit::Needs(need)) => Self::Needs(need),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_met_in_a_bounded_number_of_rounds() {
        let mut rounds = DecisionRounds::default();
        let needs = || Decision::Needs(Need::Credentials);
        let met = (0..100).filter(|_| rounds.next_need(&needs()).is_some());
        assert_eq!(met.count(), 4);
        assert_eq!(rounds.next_need(&needs()), None);
    }

    #[test]
    fn a_final_decision_needs_no_further_round() {
        let mut rounds = DecisionRounds::default();
        assert_eq!(rounds.next_need(&Decision::Deny(Rejection::NoRoute)), None);
        assert_eq!(
            rounds.next_need(&Decision::Needs(Need::Body)),
            Some(Need::Body),
            "and none was used up"
        );
    }

    #[test]
    fn a_need_that_is_left_is_a_denial() {
        for need in [Need::Credentials, Need::Body, Need::Authorizer] {
            let denied = Decision::Needs(need).into_result();
            let status = denied.err().map(|rejection| rejection.status().as_u16());
            assert!(status.is_some_and(|status| status >= 500), "{need:?}");
        }
    }
}
