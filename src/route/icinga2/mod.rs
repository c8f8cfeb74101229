//! What Icinga 2 requires for a request to its API: a table of methods and paths, as the server itself has it. Grants
//! nothing, and asks nobody. Where this and Icinga differ, this is the stricter one; `docs/icinga2.md` lists how.

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

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs<'a> {
    /// Being any ApiUser.
    AnyApiUser,
    /// This permission.
    Permission(Name<'a>),
    /// All of these, of which there are at least two.
    Every(Box<[Name<'a>]>),
    /// That depends on what the body lists as `types`, and nobody has read it.
    BodyNeeded,
    /// Icinga has nothing of this method and path.
    Nothing,
    /// Icinga could not serve it, or two readers could see different things in it.
    BadRequest(BadRequest),
}

/// What the body of a subscription says.
pub type SaidInBody = Result<EventTypes, BadRequest>;

/// Why a request can have no requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// `//x/v1`: what stands behind two slashes is the name of a host to Icinga, and a path to others.
    #[error("the path begins with two slashes")]
    Authority,
    /// No such type.
    #[error("there is no such type of objects")]
    UnknownType,
    /// The query is not one.
    #[error("the query is malformed")]
    Query,
    /// A subscription without `types`.
    #[error("a subscription to events lists their types as `types`")]
    NoTypes,
    /// `types` of the body is something else.
    #[error("`types` is not a list of texts")]
    TypesNotAList,
    /// More, or longer ones, than anybody needs.
    #[error(
        "`types` lists more than {} types, or a name of more than {} octets",
        body::MOST_TYPES,
        body::LONGEST_TYPE
    )]
    TooManyTypes,
    /// A body that is no JSON object.
    #[error("the body is not a JSON object, or a key in it stands twice")]
    Body,
    /// A body that says what is needed only to whoever decodes it.
    #[error("the body has a Content-Encoding")]
    EncodedBody,
}

impl BadRequest {
    /// The reason in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Authority => "double_slash",
            Self::UnknownType => "unknown_type",
            Self::Query => "bad_query",
            Self::NoTypes => "no_event_types",
            Self::TypesNotAList | Self::TooManyTypes => "bad_event_types",
            Self::Body => "bad_json",
            Self::EncodedBody => "encoded_body",
        }
    }
}

/// The oddities of paths that have one meaning to Icinga, and that its objects' names need: it splits at plain slashes,
/// leaves out what is empty, decodes once, and has no parameters. Not dot segments, which are names to Icinga and folders
/// to everybody else, nor control characters, above all NUL.
pub fn accepted_oddities() -> Oddities {
    let mut accepted = Oddities::default();
    for oddity in [
        Oddity::EncodedSlash,
        Oddity::EncodedBackslash,
        Oddity::DoubleEncoding,
        Oddity::InvalidUtf8,
        Oddity::EmptySegments,
        Oddity::PathParameters,
        // Case matters, dots and blanks belong to names, and all of its routes ask for what Icinga asks for.
        Oddity::LookAlike,
    ] {
        accepted.insert(oddity);
    }
    accepted
}

/// What a request for a canonical target needs, by the method that is in force. `body` is what its body says, once that
/// was read; it counts only where [`Needs::BodyNeeded`] asked for it.
pub fn requirement<'a>(
    method: &str,
    target: &CanonicalTarget<'_>,
    body: Option<&SaidInBody>,
) -> Needs<'a> {
    if target.path.starts_with("//") {
        return Needs::BadRequest(BadRequest::Authority);
    }
    if let Err(bad) = query::check(target.query.as_deref().unwrap_or_default()) {
        return Needs::BadRequest(bad);
    }
    match table::look_up(method, &target.path) {
        table::Entry::Needs(needs) => needs,
        table::Entry::Subscription => {
            subscription(target.query.as_deref(), body).unwrap_or_else(Needs::BadRequest)
        }
    }
}

/// A subscription needs the permission for each type that it lists, also for those that Icinga does not know. The
/// query goes before the body, whatever that says.
fn subscription<'a>(
    query: Option<&str>,
    body: Option<&SaidInBody>,
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
        let name = Name::of_octets(&[b"events/", event_type]);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // Icinga asks for nothing where nothing is listed, and sends nothing either.
    Ok(match names.len() {
        0 => Needs::AnyApiUser,
        1 => names.pop().map_or(Needs::AnyApiUser, Needs::Permission),
        _ => Needs::Every(names.into()),
    })
}

/// The path as Icinga names it in its answers: decoded, without a slash before it and without empty segments.
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
