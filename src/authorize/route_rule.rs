//! The demands of a route on every request, regardless of the user: its end time and its conditions. Knows no permissions.

use super::decision::Denied;
use super::trace::{EvaluatedCondition, Trace};
use crate::condition::{Condition, Facts};

/// The demands of a route on every request, regardless of the user.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteRule<'s> {
    /// The last second, since 1970, in which the route is active.
    pub enabled_until: Option<i64>,
    /// The conditions.
    pub conditions: [Option<&'s Condition>; 2],
}

impl<'s> RouteRule<'s> {
    /// Checks that the route is active and its conditions hold.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn check(&self, facts: &Facts<'_>, trace: &mut impl Trace) -> Result<(), Denied<'s>> {
        if self.enabled_until.is_some_and(|until| facts.now > until) {
            return Err(Denied::RouteDisabled);
        }
        for condition in self.conditions.iter().flatten() {
            let outcome = condition.holds(facts);
            trace.route_condition(&EvaluatedCondition {
                condition,
                facts,
                outcome: &outcome,
            });
            match outcome {
                Ok(true) => {}
                Ok(false) => return Err(Denied::RouteConditionNotMet(condition)),
                Err(error) => return Err(Denied::RouteConditionFailed(condition, error)),
            }
        }
        Ok(())
    }
}
