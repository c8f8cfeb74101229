//! Maps method and path to Icinga's permissions, except for subscriptions. Reads no query and no
//! body.

use super::types;
use super::{BadRequest, Needs};
use crate::route::name::Name;
use std::borrow::Cow;

/// The table's result for a method and a path.
pub(super) enum TableEntry<'a> {
    /// The complete requirement.
    Needs(Needs<'a>),
    /// It depends on the event types.
    Subscription,
}

/// The actions of Icinga 2.13 to 2.16. Others have no permission.
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

/// Maximum number of path segments that are compared.
const MOST_WORDS: usize = 5;

/// Looks up a canonical path. Icinga splits at slashes, ignores empty segments, and then decodes
/// each segment. No literal of the table has a character that a canonical path percent-encodes, so
/// no segment is decoded here.
pub(super) fn look_up<'a>(method: &str, path: &str) -> TableEntry<'a> {
    let mut words = [""; MOST_WORDS];
    let mut count = 0_usize;
    for word in path.split('/').filter(|word| !word.is_empty()) {
        if let Some(place) = words.get_mut(count) {
            *place = word;
        }
        count += 1;
    }
    let read = matches!(method, "GET");
    TableEntry::Needs(match words.get(..count).unwrap_or(&words) {
        [] | ["v1"] if read => Needs::AnyApiUser,
        ["v1", "events"] if method == "POST" => return TableEntry::Subscription,
        ["v1", "objects", plural] => object(method, plural, ObjectPath::Type),
        ["v1", "objects", plural, _] => object(method, plural, ObjectPath::Object),
        ["v1", "templates", plural] | ["v1", "templates", plural, _] if read => {
            of_type("templates/query/", plural)
        }
        ["v1", "status"] | ["v1", "status", _] if read => permission("status/query"),
        ["v1", "types"] | ["v1", "types", _] if read => permission("types"),
        ["v1", "variables"] | ["v1", "variables", _] if read => permission("variables"),
        ["v1", "debug", "malloc_info"] if read => permission("debug"),
        ["v1", "actions", action] if method == "POST" => self::action(action),
        ["v1", "console", _] if method == "POST" => permission("console"),
        // File paths have any depth; the remaining segments make no difference.
        ["v1", "config", "files", ..] if read => permission("config/query"),
        ["v1", "config", "packages"] | ["v1", "config", "packages", _] => configuration(method),
        ["v1", "config", "stages", ..] if count <= MOST_WORDS => configuration(method),
        _ => Needs::Nothing,
    })
}

/// Whether a path names one object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ObjectPath {
    Type,
    Object,
}

fn object<'a>(method: &str, plural: &str, path: ObjectPath) -> Needs<'a> {
    match (method, path) {
        ("GET", _) => of_type("objects/query/", plural),
        ("POST", _) => of_type("objects/modify/", plural),
        ("DELETE", _) => of_type("objects/delete/", plural),
        ("PUT", ObjectPath::Object) => of_type("objects/create/", plural),
        _ => Needs::Nothing,
    }
}

fn of_type<'a>(prefix: &str, plural: &str) -> Needs<'a> {
    match types::of_plural(plural) {
        Some(name) => Needs::Permission(Name::of_parts([prefix, name].into_iter())),
        None => Needs::BadRequest(BadRequest::UnknownType),
    }
}

fn action<'a>(name: &str) -> Needs<'a> {
    let known = ACTIONS
        .into_iter()
        .find(|known| known.strip_prefix("actions/") == Some(name));
    known.map_or(Needs::Nothing, permission)
}

fn configuration<'a>(method: &str) -> Needs<'a> {
    match method {
        "GET" => permission("config/query"),
        "POST" | "DELETE" => permission("config/modify"),
        _ => Needs::Nothing,
    }
}

/// All permission names of the table; those of events as a pattern.
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
        .flat_map(|prefix| types::all().map(move |name| format!("{prefix}{name}").into()));
    of_types.chain(OTHERS.into_iter().chain(ACTIONS).map(Cow::Borrowed))
}

fn permission<'a>(name: &'static str) -> Needs<'a> {
    Needs::Permission(Name::from(name))
}
