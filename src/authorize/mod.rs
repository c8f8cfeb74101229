//! (Principal, what the route requires, facts of the request) to a permit or a refusal. Pure: no socket, no clock. Fails
//! closed: what no permission grants is denied, and a [`Permit`] can be made nowhere else.

mod asked;
mod decision;
mod permission;
mod policy;
#[cfg(test)]
mod verdicts;

pub use crate::pattern::{Case, Coverage, Part, Pattern, Subject};
pub use asked::Asked;
pub use decision::{Denied, Grant, Matched, Permit, RouteRule, in_force, public_permit};
pub use permission::{
    CompiledPermission, DenyCoverage, Effect, Form, Permission, UnusablePermission, granted_by_any,
};
pub use policy::{PermissionSet, Policy, UserPermissions};
