//! Authorization: decides from principal, requirement and request facts whether to permit or deny. Pure: no socket, no clock.
//! Fails closed: what no permission grants is denied, and only this module can construct a [`Permit`].

mod decision;
mod enforcement;
mod permission;
mod policy;
mod requirement_subject;
mod route_rule;
mod trace;
#[cfg(test)]
mod verdicts;

pub use crate::pattern::{Case, Coverage, Part, Pattern, Subject};
pub use decision::{Denied, Grant, Matched, Permit, apply_enforcement, public_permit};
pub use enforcement::{EnforcementOrigin, EnforcementSetting};
pub use permission::{
    CompiledPermission, DenyCoverage, Effect, Permission, RequirementForm, UnusablePermission,
    granted_by_any,
};
pub use policy::{PermissionSet, Policy, UserPermissions};
pub use requirement_subject::RequirementSubject;
pub use route_rule::RouteRule;
pub use trace::{ComparedPermission, EvaluatedCondition, NoTrace, Trace};
