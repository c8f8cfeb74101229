//! The permissions that Icinga 2 requires for API requests, as a table of methods and paths. Grants
//! nothing. Where this table and Icinga differ, this table is stricter; `docs/icinga2.md` lists the
//! differences.

mod body;
mod method;
mod query;
mod table;
mod types;

pub use body::EventTypes;
pub use method::effective_method;
pub use table::all_names;

use super::name::Name;
use super::path::{CanonicalTarget, Oddities, Oddity, decoded};
use crate::reason::Reason;

/// The permissions that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs<'a> {
    /// Any ApiUser.
    AnyApiUser,
    /// This permission.
    Permission(Name<'a>),
    /// All of these permissions; at least two.
    Every(Box<[Name<'a>]>),
    /// It depends on `types` in the body, which has not been read.
    BodyNeeded,
    /// Icinga has no handler for this method and path.
    Nothing,
    /// Icinga cannot serve it, or it is ambiguous.
    BadRequest(BadRequest),
}

/// The event types in the body of a subscription.
pub type BodyEventTypes = Result<EventTypes, BadRequest>;

/// Errors of a request without a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// `//x/v1`: the text after two slashes is a host name to Icinga, and a path to others.
    #[error("the path begins with two slashes")]
    Authority,
    /// Unknown object type.
    #[error("there is no such type of objects")]
    UnknownType,
    /// Malformed query.
    #[error("the query is malformed")]
    Query,
    /// A subscription without `types`.
    #[error("a subscription to events lists their types as `types`")]
    NoTypes,
    /// `types` of the body is not a list of strings.
    #[error("`types` is not a list of texts")]
    TypesNotAList,
    /// More or longer types than the limits allow.
    #[error(
        "`types` lists more than {} types, or a name of more than {} bytes",
        body::MOST_TYPES,
        body::LONGEST_TYPE
    )]
    TooManyTypes,
    /// The body is not a JSON object.
    #[error("the body is not a JSON object, or a key in it stands twice")]
    Body,
    /// The body is compressed, so the requirement is unknown without decoding it.
    #[error("the body has a Content-Encoding")]
    EncodedBody,
}

impl BadRequest {
    /// The reason.
    pub fn reason(self) -> Reason {
        match self {
            Self::Authority => Reason::DoubleSlash,
            Self::UnknownType => Reason::UnknownType,
            Self::Query => Reason::BadQuery,
            Self::NoTypes => Reason::NoEventTypes,
            Self::TypesNotAList | Self::TooManyTypes => Reason::BadEventTypes,
            Self::Body => Reason::BadJson,
            Self::EncodedBody => Reason::EncodedBody,
        }
    }
}

/// The path oddities that are unambiguous to Icinga and that object names need. Icinga splits at
/// plain slashes, ignores empty segments, decodes once, and has no path parameters. Excludes dot
/// segments, which are names to Icinga and directories to others, and control characters, above all
/// NUL.
pub fn accepted_oddities() -> Oddities {
    let mut accepted = Oddities::default();
    for oddity in [
        Oddity::EncodedSlash,
        Oddity::EncodedBackslash,
        Oddity::DoubleEncoding,
        Oddity::InvalidUtf8,
        Oddity::EmptySegments,
        Oddity::PathParameters,
        // Icinga distinguishes case, and names may contain dots and blanks. All of its routes have
        // Icinga's requirements.
        Oddity::LookAlike,
    ] {
        accepted.insert(oddity);
    }
    accepted
}

/// The requirement of a request for a canonical target with the effective method. `body` is the
/// parsed body; it is used only if [`Needs::BodyNeeded`] was returned before.
pub fn requirement<'a>(
    method: &str,
    target: &CanonicalTarget<'_>,
    body: Option<&BodyEventTypes>,
) -> Needs<'a> {
    if target.path.starts_with("//") {
        return Needs::BadRequest(BadRequest::Authority);
    }
    if let Err(bad) = query::check(target.query.as_deref().unwrap_or_default()) {
        return Needs::BadRequest(bad);
    }
    match table::look_up(method, &target.path) {
        table::TableEntry::Needs(needs) => needs,
        table::TableEntry::Subscription => {
            subscription(target.query.as_deref(), body).unwrap_or_else(Needs::BadRequest)
        }
    }
}

/// A subscription needs the permission for each listed type, including types that Icinga does not
/// know. The query takes precedence over the body.
fn subscription<'a>(
    query: Option<&str>,
    body: Option<&BodyEventTypes>,
) -> Result<Needs<'a>, BadRequest> {
    let in_query = query::event_types(query.unwrap_or_default())?;
    let listed = match (&in_query, body) {
        (Some(in_query), _) => in_query,
        (None, None) => return Ok(Needs::BodyNeeded),
        (None, Some(Ok(in_body))) => in_body,
        (None, Some(Err(bad))) => return Err(*bad),
    };
    let mut names: Vec<Name<'_>> = Vec::new();
    for event_type in listed.iter() {
        let name = Name::of_bytes(&[b"events/", event_type]);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // Icinga requires no permission for an empty list, and sends no events.
    Ok(match names.len() {
        0 => Needs::AnyApiUser,
        1 => names.pop().map_or(Needs::AnyApiUser, Needs::Permission),
        _ => Needs::Every(names.into()),
    })
}

/// The path as in Icinga's responses: decoded, without a leading slash and without empty segments.
pub fn spoken_path(path: &str) -> String {
    let words: Vec<_> = path
        .split('/')
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(&decoded(word)).into_owned())
        .collect();
    words.join("/")
}

#[cfg(test)]
mod tests;
