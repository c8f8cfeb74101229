//! What the config says about who may do what: permissions with conditions, requirements with conditions, shadow mode.

use super::Spanned;

/// A permission, or what is denied.
#[derive(Debug)]
pub struct PermissionEntry {
    /// The pattern.
    pub text: Spanned<String>,
    /// What is said beside it; boxed, since nearly no permission has it and there may be millions.
    pub qualifiers: Option<Box<Qualifiers>>,
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
