//! Observes a decision while it is made: the conditions and permissions that it evaluates, and its result. Decides nothing.
//!
//! The functions of the decision take a `&mut impl Trace`. For requests that is [`NoTrace`], whose empty methods the compiler
//! removes; `explain` passes a recorder. So an explanation shows the steps that decided, not steps of its own.

use super::decision::{Denied, Matched, Permit};
use super::enforcement::EnforcementSetting;
use super::permission::Effect;
use crate::condition::{Condition, EvaluationError, Facts};
use crate::route::Name;

/// An observer of the steps of one decision. It is called in their order, and cannot change the decision.
pub trait Trace {
    /// A condition of the route was evaluated.
    fn route_condition(&mut self, evaluated: &EvaluatedCondition<'_>);

    /// The following permissions are compared with this name, one of several that the request requires.
    fn required_name(&mut self, name: &Name<'_>);

    /// A permission was compared with the requirement.
    fn permission(&mut self, compared: &ComparedPermission<'_>);

    /// Conditions and permissions have this result, which enforcement by this setting follows.
    fn authorized(
        &mut self,
        result: &Result<Permit<'_>, Denied<'_>>,
        enforcement: EnforcementSetting,
    );
}

/// A condition with its outcome.
#[derive(Clone, Copy)]
pub struct EvaluatedCondition<'a> {
    /// The condition.
    pub condition: &'a Condition,
    /// The facts that it was evaluated with.
    pub facts: &'a Facts<'a>,
    /// The outcome.
    pub outcome: &'a Result<bool, EvaluationError>,
}

/// A permission with the result of comparing it.
#[derive(Clone, Copy)]
pub struct ComparedPermission<'a> {
    /// The permission.
    pub compared: Matched<'a>,
    /// Its effect if it matches.
    pub effect: Effect,
    /// The facts of the request.
    pub facts: &'a Facts<'a>,
    /// The outcome of its condition, which is true without one. `None` if its pattern does not match; then the condition is not
    /// evaluated.
    pub outcome: Option<&'a Result<bool, EvaluationError>>,
}

/// Records nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    #[inline]
    fn route_condition(&mut self, _: &EvaluatedCondition<'_>) {}

    #[inline]
    fn required_name(&mut self, _: &Name<'_>) {}

    #[inline]
    fn permission(&mut self, _: &ComparedPermission<'_>) {}

    #[inline]
    fn authorized(&mut self, _: &Result<Permit<'_>, Denied<'_>>, _: EnforcementSetting) {}
}
