//! The requirement of a route, and the name that it yields for a request. Grants nothing.

use super::icinga2::{self, BadRequest, BodyEventTypes, Needs};
use super::name::Name;
use super::path::CanonicalTarget;
use super::table::Captured;
use crate::condition::Condition;
use std::borrow::Cow;
use std::fmt;

/// The requirement of a route.
#[derive(Debug)]
pub enum RequirementRule {
    /// `METHOD /canonical/path`.
    MethodAndPath,
    /// One name for every method.
    Named(Demand),
    /// A name per method, in config order; other methods are not allowed.
    ByMethod(Vec<(String, Demand)>),
    /// Any ApiUser, for reads only (`respond = "whoami"`, as Icinga's `/v1`).
    AnyApiUser,
    /// The permissions that Icinga 2 requires for each method and path of its API.
    Icinga2,
}

/// Reasons why a request has no requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRequirement {
    /// The route does not allow the method.
    MethodNotAllowed,
    /// Icinga has no handler for this method and path.
    NothingThere,
    /// Icinga cannot serve the request.
    BadRequest(BadRequest),
    /// It depends on the body, which has not been read.
    BodyNeeded,
}

/// A required name and a condition.
#[derive(Debug)]
pub struct Demand {
    /// The name.
    pub name: Template,
    /// The condition.
    pub condition: Option<Condition>,
}

/// The requirement of one request. Permissions of one kind never match the other kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement<'a> {
    /// A method (with case) on a canonical path (with case).
    MethodAndPath {
        /// The effective method.
        method: &'a str,
        /// The canonical path.
        path: Cow<'a, str>,
    },
    /// A name, compared without case.
    Named(Name<'a>),
    /// All of these names.
    Every(Box<[Name<'a>]>),
    /// Any ApiUser.
    AnyApiUser,
}

impl fmt::Display for Requirement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MethodAndPath { method, path } => write!(f, "{method} {path}"),
            Self::Named(name) => f.write_str(name.as_str()),
            Self::Every(names) => {
                let names: Vec<&str> = names.iter().map(Name::as_str).collect();
                f.write_str(&names.join(" and "))
            }
            Self::AnyApiUser => f.write_str("(any ApiUser)"),
        }
    }
}

impl RequirementRule {
    /// The requirement of a request. `body` is the parsed body, if it was read.
    ///
    /// # Errors
    /// [`NoRequirement`]
    pub fn for_request<'a>(
        &'a self,
        method: &'a str,
        target: &CanonicalTarget<'a>,
        captured: &Captured<'_>,
        body: Option<&BodyEventTypes>,
    ) -> Result<Requirement<'a>, NoRequirement> {
        match self {
            // Copies the path only if it was rewritten.
            Self::MethodAndPath => Ok(Requirement::MethodAndPath {
                method,
                path: target.path.clone(),
            }),
            Self::Named(demand) => Ok(Requirement::Named(demand.name.fill(captured))),
            Self::ByMethod(names) => match names.iter().find(|(name, _)| name == method) {
                Some((_, demand)) => Ok(Requirement::Named(demand.name.fill(captured))),
                None => Err(NoRequirement::MethodNotAllowed),
            },
            // Only safe methods: the response changes nothing.
            Self::AnyApiUser if matches!(method, "GET" | "HEAD") => Ok(Requirement::AnyApiUser),
            Self::AnyApiUser => Err(NoRequirement::MethodNotAllowed),
            Self::Icinga2 => match icinga2::requirement(method, target, body) {
                Needs::AnyApiUser => Ok(Requirement::AnyApiUser),
                Needs::Permission(name) => Ok(Requirement::Named(name)),
                Needs::Every(names) => Ok(Requirement::Every(names)),
                Needs::Nothing => Err(NoRequirement::NothingThere),
                Needs::BodyNeeded => Err(NoRequirement::BodyNeeded),
                Needs::BadRequest(why) => Err(NoRequirement::BadRequest(why)),
            },
        }
    }
}

impl RequirementRule {
    /// Whether another rule has the same requirement for every request.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MethodAndPath, Self::MethodAndPath)
            | (Self::AnyApiUser, Self::AnyApiUser)
            | (Self::Icinga2, Self::Icinga2) => true,
            (Self::Named(left), Self::Named(right)) => left.is_same(right),
            (Self::ByMethod(left), Self::ByMethod(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| left.0 == right.0 && left.1.is_same(&right.1))
            }
            _ => false,
        }
    }
}

impl Demand {
    fn is_same(&self, other: &Self) -> bool {
        let condition = |demand: &Self| {
            demand
                .condition
                .as_ref()
                .map(|condition| condition.text().to_owned())
        };
        self.name == other.name && condition(self) == condition(other)
    }
}

impl RequirementRule {
    /// Whether the rule distinguishes the method by name, including case.
    pub fn names_method(&self, method: &str) -> bool {
        match self {
            Self::ByMethod(names) => names.iter().any(|(name, _)| name == method),
            // Icinga's table only has Icinga's methods.
            Self::Icinga2 => true,
            Self::MethodAndPath | Self::Named(_) | Self::AnyApiUser => false,
        }
    }

    /// The methods to try: the named ones, or the usual ones.
    pub fn methods(&self) -> Vec<&str> {
        match self {
            Self::ByMethod(names) => names.iter().map(|(method, _)| method.as_str()).collect(),
            Self::AnyApiUser | Self::Icinga2 => vec!["GET"],
            Self::MethodAndPath | Self::Named(_) => vec!["GET", "POST", "PUT", "PATCH", "DELETE"],
        }
    }

    /// The required name and condition for a method. `None` if the method needs no name, or is not
    /// allowed.
    pub fn demand(&self, method: &str) -> Option<&Demand> {
        match self {
            Self::Named(demand) => Some(demand),
            Self::ByMethod(names) => names
                .iter()
                .find(|(name, _)| name == method)
                .map(|(_, demand)| demand),
            Self::MethodAndPath | Self::AnyApiUser | Self::Icinga2 => None,
        }
    }

    /// The condition for a method.
    pub fn condition(&self, method: &str) -> Option<&Condition> {
        match self {
            Self::Named(demand) => demand.condition.as_ref(),
            Self::ByMethod(names) => names
                .iter()
                .find(|(name, _)| name == method)?
                .1
                .condition
                .as_ref(),
            Self::MethodAndPath | Self::AnyApiUser | Self::Icinga2 => None,
        }
    }

    /// All conditions.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let demands: &[(String, Demand)] = if let Self::ByMethod(names) = self {
            names
        } else {
            &[]
        };
        let only = if let Self::Named(demand) = self {
            Some(demand)
        } else {
            None
        };
        demands
            .iter()
            .map(|(_, demand)| demand)
            .chain(only)
            .filter_map(|demand| demand.condition.as_ref())
    }
}

/// A name with placeholders for captures: `objects/query/{type}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Capture(usize),
}

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplatePart<'t> {
    /// Literal text.
    Text(&'t str),
    /// The capture at this position in the path.
    Capture(usize),
}

/// Errors of a requirement.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The path has no such capture.
    #[error("the route's path has no capture `{{{0}}}`")]
    UnknownCapture(String),
    /// A brace without its counterpart.
    #[error("a brace has no partner")]
    UnpairedBrace,
    /// Requirement names are plain, so that they differ from `METHOD /path` and from patterns.
    #[error(
        "a requirement begins with a letter and has no space, no `*`, no `?`, no backslash and no control character"
    )]
    NotAName,
}

impl Template {
    /// Parses a requirement of a route with these captures.
    ///
    /// # Errors
    /// [`TemplateError`] for an invalid name, or an unknown capture.
    pub fn parse(text: &str, captures: &[&str]) -> Result<Self, TemplateError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '*' | '?' | '\\');
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.chars().all(plain) {
            return Err(TemplateError::NotAName);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or(TemplateError::UnpairedBrace)?;
            let index = captures.iter().position(|capture| *capture == name);
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Capture(
                index.ok_or_else(|| TemplateError::UnknownCapture(name.to_owned()))?,
            ));
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        let unpaired = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Text(text) if text.contains(['{', '}'])));
        if unpaired {
            Err(TemplateError::UnpairedBrace)
        } else {
            Ok(Self { pieces })
        }
    }

    /// Fills in captured segments. They stay percent-encoded, so a client cannot insert a space or
    /// a slash.
    fn fill(&self, captured: &Captured<'_>) -> Name<'_> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Name::from(text.as_str()),
            pieces => Name::of_parts(pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Capture(index) => captured.iter().nth(*index).unwrap_or_default(),
            })),
        }
    }

    /// The literal texts, and the positions of the captures between them.
    pub fn parts(&self) -> impl Iterator<Item = TemplatePart<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => TemplatePart::Text(text),
            Piece::Capture(index) => TemplatePart::Capture(*index),
        })
    }

    /// The name with `*` in place of captures, for checking whether a permission can ever match.
    pub fn as_pattern(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Capture(_) => "*",
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Extent, PathPattern, PathTable};

    #[test]
    fn captures_fill_a_requirement() {
        let template = Template::parse("objects/query/{type}", &["type", "name"]).unwrap();
        let mut table = PathTable::default();
        *table.entry(&PathPattern::parse("/{type}/x/{name}", Extent::Exact).unwrap()) = Some(());
        let (_, captured) = table.find("/hosts/x/a").unwrap();
        assert_eq!(template.fill(&captured), "objects/query/hosts".into());
        let both = Template::parse("a/{name}/{type}/b", &["type", "name"]).unwrap();
        assert_eq!(both.fill(&captured), "a/a/hosts/b".into());
        assert_eq!(template.as_pattern(), "objects/query/*");
    }

    #[test]
    fn requirements_that_could_be_mistaken_are_rejected() {
        for text in ["GET /x", "{type}/x", "a*", "a?", "a\\b", "", "a\nb", "/x"] {
            assert_eq!(
                Template::parse(text, &["type"]),
                Err(TemplateError::NotAName),
                "{text}"
            );
        }
        assert_eq!(
            Template::parse("a{b}", &[]),
            Err(TemplateError::UnknownCapture("b".into()))
        );
        assert_eq!(
            Template::parse("a}b", &[]),
            Err(TemplateError::UnpairedBrace)
        );
        assert_eq!(
            Template::parse("a{b", &["b"]),
            Err(TemplateError::UnpairedBrace)
        );
    }

    fn demand(name: &str) -> Demand {
        Demand {
            name: Template::parse(name, &[]).unwrap(),
            condition: None,
        }
    }

    #[test]
    fn a_method_that_is_not_named_has_no_requirement() {
        let target = CanonicalTarget::parse("/").unwrap();
        let none = Captured::default();
        let rule = RequirementRule::ByMethod(vec![("GET".into(), demand("read"))]);
        assert_eq!(
            rule.for_request("GET", &target, &none, None),
            Ok(Requirement::Named("read".into()))
        );
        assert_eq!(
            rule.for_request("get", &target, &none, None),
            Err(NoRequirement::MethodNotAllowed)
        );
        assert_eq!(
            rule.for_request("POST", &target, &none, None),
            Err(NoRequirement::MethodNotAllowed)
        );
        let rule = RequirementRule::AnyApiUser;
        assert_eq!(
            rule.for_request("HEAD", &target, &none, None),
            Ok(Requirement::AnyApiUser)
        );
        assert_eq!(
            rule.for_request("POST", &target, &none, None),
            Err(NoRequirement::MethodNotAllowed)
        );
    }
}
