//! The permission names that Icinga 2 checks, and whether it evaluates a filter for them.

use crate::pattern::{Case, Pattern};

/// Names for which Icinga applies a filter to each object.
const FILTERED: [&str; 18] = [
    "objects/query/?*",
    "objects/modify/?*",
    "objects/delete/?*",
    "templates/query/?*",
    "status/query",
    "types",
    "variables",
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
];

/// Names for which Icinga ignores a filter: the permission is unrestricted.
const UNFILTERED: [&str; 8] = [
    "objects/create/?*",
    "actions/shutdown-process",
    "actions/restart-process",
    "actions/generate-ticket",
    "events/?*",
    "console",
    "config/query",
    "config/modify",
];

/// Names that only newer versions check.
const NEWER: [&str; 2] = ["debug", "filter-expression"];

/// Whether the pattern matches any name that Icinga checks.
pub(super) fn is_checked(pattern: &Pattern) -> bool {
    FILTERED
        .iter()
        .chain(&UNFILTERED)
        .chain(&NEWER)
        .any(|name| overlaps(pattern, name))
}

/// The names that the pattern matches and for which Icinga ignores a filter.
pub(super) fn unfiltered_names(pattern: &Pattern) -> Vec<String> {
    UNFILTERED
        .iter()
        .filter(|name| overlaps(pattern, name))
        .map(|name| name.replace('?', ""))
        .collect()
}

fn overlaps(pattern: &Pattern, name: &str) -> bool {
    pattern.overlaps(&Pattern::new(name, Case::Folds))
}

/// The likely intended permission, for one on `templates` as in the table of Icinga's manual, or a type in the plural.
pub(super) fn suggestion(permission: &str) -> Option<String> {
    let parts: Vec<&str> = permission.split('/').collect();
    match *parts.as_slice() {
        ["templates", kind] if kind != "query" => Some(format!("templates/query/{kind}")),
        ["objects", verb, kind] if kind.len() > 1 && kind.ends_with(['s', 'S']) => {
            let singular = kind.trim_end_matches(['s', 'S']);
            Some(format!("objects/{verb}/{singular}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, Case::Folds)
    }

    #[test]
    fn names_that_icinga_requires_are_distinguished() {
        for asked in [
            "*",
            "objects/*",
            "STATUS/Query",
            "st?tus/query",
            "type?",
            "actions/*-downtime",
            "events/X",
        ] {
            assert!(is_checked(&pattern(asked)), "{asked}");
        }
        for never in [
            "",
            "1",
            "templates/Host",
            "objects/query",
            "objects/query/",
            "status/query ",
            "/x",
            "actions",
        ] {
            assert!(!is_checked(&pattern(never)), "{never}");
        }
    }

    #[test]
    fn a_filter_applies_to_some_names_only() {
        assert!(unfiltered_names(&pattern("objects/query/*")).is_empty());
        assert_eq!(
            unfiltered_names(&pattern("config/*")),
            ["config/query", "config/modify"]
        );
        assert_eq!(unfiltered_names(&pattern("*")).len(), UNFILTERED.len());
    }

    #[test]
    fn mistakes_that_many_make_are_known() {
        assert_eq!(
            suggestion("templates/Host").as_deref(),
            Some("templates/query/Host")
        );
        assert_eq!(
            suggestion("objects/query/hosts").as_deref(),
            Some("objects/query/host")
        );
        for right in [
            "objects/query/Host",
            "templates/query/Host",
            "status/query",
            "objects/query/*",
        ] {
            assert_eq!(suggestion(right), None);
        }
    }
}
