//! Method and path to what Icinga requires, for everything but what a subscription lists. Knows no query and no body.

use super::types;
use super::{BadRequest, Needs};
use crate::route::name::Name;
use std::borrow::Cow;

/// What the table has for a method and a path.
pub(super) enum Entry<'a> {
    /// All is said.
    Needs(Needs<'a>),
    /// That depends on the types of events.
    Subscription,
}

/// The actions of 2.13 to 2.16; no other is asked for.
const ACTIONS: [&str; 14] = [
    "actions/process-check-result",
    "actions/reschedule-check",
    "actions/send-custom-notification",
    "actions/delay-notification",
    "actions/acknowledge-problem",
    "actions/remove-acknowledgement",
    "actions/add-comment",
    "actions/remove-comment",
    "actions/schedule-downtime",
    "actions/remove-downtime",
    "actions/execute-command",
    "actions/shutdown-process",
    "actions/restart-process",
    "actions/generate-ticket",
];

/// A path that needs a look at its words has at most this many.
const MOST_WORDS: usize = 5;

/// Looks a canonical path up. Icinga splits at slashes, leaves out what is empty between them, and decodes each word
/// then. No word of the table has a character that a canonical path shows percent-encoded, so none is decoded here.
pub(super) fn look_up<'a>(method: &str, path: &str) -> Entry<'a> {
    let mut words = [""; MOST_WORDS];
    let mut count = 0_usize;
    for word in path.split('/').filter(|word| !word.is_empty()) {
        if let Some(place) = words.get_mut(count) {
            *place = word;
        }
        count += 1;
    }
    let read = matches!(method, "GET");
    Entry::Needs(match words.get(..count).unwrap_or(&words) {
        [] | ["v1"] if read => Needs::AnyApiUser,
        ["v1", "events"] if method == "POST" => return Entry::Subscription,
        ["v1", "objects", plural] => object(method, plural, Named::No),
        ["v1", "objects", plural, _] => object(method, plural, Named::Yes),
        ["v1", "templates", plural] | ["v1", "templates", plural, _] if read => {
            of_type("templates/query/", plural)
        }
        ["v1", "status"] | ["v1", "status", _] if read => permission("status/query"),
        ["v1", "types"] | ["v1", "types", _] if read => permission("types"),
        ["v1", "variables"] | ["v1", "variables", _] if read => permission("variables"),
        ["v1", "debug", "malloc_info"] if read => permission("debug"),
        ["v1", "actions", action] if method == "POST" => self::action(action),
        ["v1", "console", _] if method == "POST" => permission("console"),
        // Files lie as deep as they do; the words that are left out here make no difference.
        ["v1", "config", "files", ..] if read => permission("config/query"),
        ["v1", "config", "packages"] | ["v1", "config", "packages", _] => configuration(method),
        ["v1", "config", "stages", ..] if count <= MOST_WORDS => configuration(method),
        _ => Needs::Nothing,
    })
}

/// Whether an object is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    No,
}

fn object<'a>(method: &str, plural: &str, named: Named) -> Needs<'a> {
    match (method, named) {
        ("GET", _) => of_type("objects/query/", plural),
        ("POST", _) => of_type("objects/modify/", plural),
        ("DELETE", _) => of_type("objects/delete/", plural),
        ("PUT", Named::Yes) => of_type("objects/create/", plural),
        _ => Needs::Nothing,
    }
}

fn of_type<'a>(what: &str, plural: &str) -> Needs<'a> {
    match types::of_plural(plural) {
        Some(name) => Needs::Permission(Name::of_parts([what, name].into_iter())),
        None => Needs::BadRequest(BadRequest::UnknownType),
    }
}

fn action<'a>(asked: &str) -> Needs<'a> {
    let known = ACTIONS
        .into_iter()
        .find(|known| known.strip_prefix("actions/") == Some(asked));
    known.map_or(Needs::Nothing, permission)
}

fn configuration<'a>(method: &str) -> Needs<'a> {
    match method {
        "GET" => permission("config/query"),
        "POST" | "DELETE" => permission("config/modify"),
        _ => Needs::Nothing,
    }
}

/// All names that something needs, those of events as a pattern.
pub fn all_names() -> impl Iterator<Item = Cow<'static, str>> {
    const OF_TYPES: [&str; 5] = [
        "objects/query/",
        "objects/modify/",
        "objects/delete/",
        "objects/create/",
        "templates/query/",
    ];
    const OTHERS: [&str; 8] = [
        "status/query",
        "types",
        "variables",
        "debug",
        "console",
        "config/query",
        "config/modify",
        "events/*",
    ];
    let of_types = OF_TYPES
        .into_iter()
        .flat_map(|what| types::all().map(move |name| format!("{what}{name}").into()));
    of_types.chain(OTHERS.into_iter().chain(ACTIONS).map(Cow::Borrowed))
}

fn permission<'a>(name: &'static str) -> Needs<'a> {
    Needs::Permission(Name::from(name))
}
