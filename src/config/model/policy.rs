//! Permissions and requirements with their conditions, and shadow mode.

use super::Spanned;
use crate::config::Text;
use std::cell::RefCell;

/// A granted or denied permission.
#[derive(Debug)]
pub struct PermissionEntry {
    /// The pattern.
    pub text: Spanned<Text>,
    /// Condition and shadow mode. Boxed, since few permissions have any and there may be millions.
    pub qualifiers: Option<Box<PermissionQualifiers>>,
}

/// A list that can be taken once through a shared reference. It may be very long, so the consumer takes it to free its
/// memory early.
#[derive(Debug)]
pub struct TakeOnce<T>(RefCell<Vec<T>>);

impl<T> TakeOnce<T> {
    /// Takes the list, and leaves an empty one.
    pub fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Default for TakeOnce<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> From<Vec<T>> for TakeOnce<T> {
    fn from(list: Vec<T>) -> Self {
        Self(RefCell::new(list))
    }
}

/// Optional parts of a permission.
#[derive(Debug, Default)]
pub struct PermissionQualifiers {
    /// The condition under which it applies.
    pub when: Option<Spanned<String>>,
    /// Whether it is in shadow mode.
    pub shadow: Option<Spanned<Enforcement>>,
}

/// Effect of a denial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// The request is denied.
    #[default]
    Enforce,
    /// The request is permitted. The denial is marked, counted and logged.
    Shadow,
}

/// Permission that a route requires.
#[derive(Debug)]
pub enum RouteRequirement {
    /// One name for all methods.
    All(RequirementEntry),
    /// A name for each method; other methods are not allowed.
    ByMethod(Vec<(Spanned<String>, RequirementEntry)>),
}

/// A required permission with its condition.
#[derive(Debug)]
pub struct RequirementEntry {
    /// The name, with placeholders for captures.
    pub name: Spanned<String>,
    /// Condition.
    pub when: Option<Spanned<String>>,
}
