//! What the config says about who may do what: permissions with conditions, requirements with conditions, shadow mode.

use super::Spanned;
use crate::config::Text;
use std::cell::RefCell;

/// A permission, or what is denied.
#[derive(Debug)]
pub struct PermissionEntry {
    /// The pattern.
    pub text: Spanned<Text>,
    /// What is said beside it; boxed, since nearly no permission has it and there may be millions.
    pub qualifiers: Option<Box<Qualifiers>>,
}

/// A list that may be very long, so that whoever makes something of it takes it, and its memory is free again when that
/// is done.
#[derive(Debug)]
pub struct GivenAway<T>(RefCell<Vec<T>>);

impl<T> GivenAway<T> {
    /// All of it. Nothing is left.
    pub fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Default for GivenAway<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> From<Vec<T>> for GivenAway<T> {
    fn from(list: Vec<T>) -> Self {
        Self(RefCell::new(list))
    }
}

/// What may be said beside a permission.
#[derive(Debug, Default)]
pub struct Qualifiers {
    /// The condition under which it counts.
    pub when: Option<Spanned<String>>,
    /// Whether it counts only on trial.
    pub shadow: Option<Spanned<Enforcement>>,
}

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// It refuses.
    #[default]
    Enforce,
    /// The request passes; that it would be refused is marked, counted and logged.
    Shadow,
}

/// What a route asks for.
#[derive(Debug)]
pub enum Requirement {
    /// One name for all methods.
    All(RequirementEntry),
    /// A name for each method; other methods are not allowed.
    ByMethod(Vec<(Spanned<String>, RequirementEntry)>),
}

/// One name that a route asks for.
#[derive(Debug)]
pub struct RequirementEntry {
    /// The name, with places for captures.
    pub name: Spanned<String>,
    /// What else must be true.
    pub when: Option<Spanned<String>>,
}
