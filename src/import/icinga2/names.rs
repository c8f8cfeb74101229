//! The names that Icinga 2 asks for, and whether a filter counts there. Knows no users.

use crate::pattern::{Case, Pattern};

/// For these, Icinga lets a filter decide about each object.
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

/// For these, it takes no notice of a filter: who has the entry may do all of it.
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

/// Asked for by newer versions only.
const NEWER: [&str; 2] = ["debug", "filter-expression"];

/// Whether Icinga ever asks for something that matches.
pub(super) fn is_asked_for(pattern: &Pattern) -> bool {
    FILTERED
        .iter()
        .chain(&UNFILTERED)
        .chain(&NEWER)
        .any(|name| meets(pattern, name))
}

/// What matches, and where a filter has no effect in Icinga.
pub(super) fn asked_without_filter(pattern: &Pattern) -> Vec<String> {
    UNFILTERED
        .iter()
        .filter(|name| meets(pattern, name))
        .map(|name| name.replace('?', ""))
        .collect()
}

fn meets(pattern: &Pattern, name: &str) -> bool {
    pattern.overlaps(&Pattern::new(name, Case::Folds))
}

/// A permission on `templates` as the manual's table has it, or a type in the plural; what was probably meant.
pub(super) fn probably_meant(permission: &str) -> Option<String> {
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
    fn names_that_icinga_asks_for_are_told_from_others() {
        for asked in [
            "*",
            "objects/*",
            "STATUS/Query",
            "st?tus/query",
            "type?",
            "actions/*-downtime",
            "events/X",
        ] {
            assert!(is_asked_for(&pattern(asked)), "{asked}");
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
            assert!(!is_asked_for(&pattern(never)), "{never}");
        }
    }

    #[test]
    fn a_filter_counts_for_some_names_only() {
        assert!(asked_without_filter(&pattern("objects/query/*")).is_empty());
        assert_eq!(
            asked_without_filter(&pattern("config/*")),
            ["config/query", "config/modify"]
        );
        assert_eq!(asked_without_filter(&pattern("*")).len(), UNFILTERED.len());
    }

    #[test]
    fn mistakes_that_many_make_are_known() {
        assert_eq!(
            probably_meant("templates/Host").as_deref(),
            Some("templates/query/Host")
        );
        assert_eq!(
            probably_meant("objects/query/hosts").as_deref(),
            Some("objects/query/host")
        );
        for right in [
            "objects/query/Host",
            "templates/query/Host",
            "status/query",
            "objects/query/*",
        ] {
            assert_eq!(probably_meant(right), None);
        }
    }
}
