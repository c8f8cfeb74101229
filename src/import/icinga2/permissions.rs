//! Converts the permissions of one Icinga ApiUser. A filter cannot be evaluated here, so a permission with a filter is not
//! granted until Icinga itself authenticates the user.

use super::ListedPermission;
use super::names::{is_checked, suggestion, unfiltered_names};
use crate::authorize::CompiledPermission;
use crate::import::entry::{ListItem, UserEntry};
use crate::pattern::{Case, Pattern};

/// Whether any permission of a user has a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filters {
    None,
    /// The user needs credentials of its own at Icinga.
    Some,
}

const FILTERED: &str = "has a filter";
const OVERLAPS_FILTERED: &str = "overlaps a permission with a filter";

/// Writes `permissions` and `deny`, with notes about what was not converted exactly.
pub(super) fn write(entry: &mut UserEntry, listed: &[ListedPermission]) -> Filters {
    if listed.is_empty() {
        entry.information("no permissions: this user may do nothing in Icinga, and nothing here");
    }
    let filtered = filtered(listed);
    let mut denied: Vec<&str> = Vec::new();
    let mut items = Vec::with_capacity(listed.len());
    for permission in listed {
        items.push(match permission {
            ListedPermission::Filtered(text) => comment(text, FILTERED),
            ListedPermission::Other(word) => {
                entry.attention(format!(
                    "{word} among its permissions is not a text, and matches nothing in Icinga"
                ));
                comment(word, "not a text in Icinga")
            }
            ListedPermission::Pattern(text) => match unusable(text) {
                Some(reason) => {
                    entry.attention(format!("permission \"{text}\" is left out: {reason}"));
                    comment(text, reason)
                }
                None => {
                    note_unchecked_name(entry, text);
                    let pattern = Pattern::new(text, Case::Folds);
                    let overlapping: Vec<&str> = filtered
                        .iter()
                        .copied()
                        .filter(|other| overlaps(&pattern, other))
                        .collect();
                    if overlapping.iter().any(|other| unusable(other).is_some()) {
                        comment(text, OVERLAPS_FILTERED)
                    } else {
                        denied.extend(overlapping);
                        ListItem::Active(text.clone())
                    }
                }
            },
        });
    }
    entry.list("permissions", &items);
    denied.sort_unstable();
    denied.dedup();
    if !denied.is_empty() {
        let denied: Vec<ListItem> = denied
            .iter()
            .map(|text| ListItem::Active((*text).to_owned()))
            .collect();
        entry.list("deny", &denied);
    }
    note_filters(entry, &filtered, denied.is_empty());
    if filtered.is_empty() {
        Filters::None
    } else {
        Filters::Some
    }
}

fn filtered(listed: &[ListedPermission]) -> Vec<&str> {
    listed
        .iter()
        .filter_map(|permission| {
            if let ListedPermission::Filtered(text) = permission {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect()
}

fn comment(text: &str, reason: &'static str) -> ListItem {
    ListItem::CommentedOut {
        text: text.to_owned(),
        reason,
    }
}

fn overlaps(pattern: &Pattern, other: &str) -> bool {
    pattern.overlaps(&Pattern::new(other, Case::Folds))
}

/// The reason why a pattern cannot have the same meaning here as in Icinga.
fn unusable(text: &str) -> Option<&'static str> {
    if text.chars().any(char::is_control) {
        // Icinga also cuts pattern and name at a NUL.
        return Some("it has control characters, which no name that Icinga checks has");
    }
    if CompiledPermission::check(text).is_err() {
        return Some("it matches no name that Icinga checks");
    }
    is_about_paths(text).then_some("here it would mean a method and a path, not a name")
}

/// Whether a permission would be read as `METHOD /path`, which no permission of Icinga means.
fn is_about_paths(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(method, path)| {
        !method.is_empty() && !method.contains('/') && path.starts_with(['/', '*', '?'])
    })
}

fn note_unchecked_name(entry: &mut UserEntry, text: &str) {
    if is_checked(&Pattern::new(text, Case::Folds)) && suggestion(text).is_none() {
        return;
    }
    let hint = suggestion(text)
        .map(|suggestion| format!("; did you mean \"{suggestion}\"?"))
        .unwrap_or_default();
    entry.attention(format!(
        "permission \"{text}\" matches no name that Icinga checks, neither there nor here{hint}"
    ));
}

fn note_filters(entry: &mut UserEntry, filtered: &[&str], nothing_denied: bool) {
    if filtered.is_empty() {
        return;
    }
    entry.attention(
        "permissions with a filter are comments: only Icinga can evaluate the filter, and only if it authenticates the \
         user. Give this user a password in Icinga and its own credentials below, and remove the `#`",
    );
    if !nothing_denied {
        entry.attention(
            "Icinga applies a filter also where another permission without one matches, so `deny` denies these \
             entirely; remove it when Icinga authenticates the user",
        );
    }
    let mut ignored: Vec<String> = filtered
        .iter()
        .flat_map(|text| unfiltered_names(&Pattern::new(text, Case::Folds)))
        .collect();
    ignored.sort_unstable();
    ignored.dedup();
    if !ignored.is_empty() {
        entry.attention(format!(
            "in Icinga its filter has no effect on {}: this user has the unrestricted permission; check that this is intended",
            ignored.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::{Effect, Permission};
    use crate::config::{Place, Sources};
    use crate::route::RequirementRule;
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn what_is_carried_over_is_about_names(text in r"[ a*?/\\G]{0,6}|(GET|\*|GET\*) [/a*?]{0,3}") {
            let file = Sources::default().add("test".into(), String::new()).unwrap();
            let compiled = Arc::new(CompiledPermission::new(text.as_str(), Effect::Grant));
            let permission = Permission::new(compiled, Place::new(file, &(0..0)));
            let about_paths = permission.could_match(&RequirementRule::MethodAndPath, "/*") && text != "*";
            prop_assert_eq!(is_about_paths(&text), about_paths);
        }
    }

    fn written(listed: &[ListedPermission]) -> (String, usize) {
        let mut entry = UserEntry::new("x");
        write(&mut entry, listed);
        let (mut config, mut notes) = (String::new(), Vec::new());
        entry.write(&mut config, &mut notes);
        let lines: Vec<&str> = config
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        (lines.join("\n"), notes.len())
    }

    fn plain(text: &str) -> ListedPermission {
        ListedPermission::Pattern(text.to_owned())
    }

    fn filtered(text: &str) -> ListedPermission {
        ListedPermission::Filtered(text.to_owned())
    }

    #[test]
    fn plain_permissions_are_carried_over_as_they_are() {
        let (text, notes) = written(&[plain(r"a\*b"), plain("objects/query/*"), plain("\u{c4}\"")]);
        assert!(
            text.contains(r#"permissions = ["a\\*b", "objects/query/*", "Ä\""]"#),
            "{text}"
        );
        assert_eq!(notes, 2, "two that Icinga never asks for");
        assert_eq!(written(&[plain("*")]).1, 0);
    }

    #[test]
    fn a_filter_is_not_lifted_by_a_permission_without_one() {
        let (text, _) = written(&[
            plain("*"),
            plain("status/query"),
            filtered("objects/query/Host"),
        ]);
        assert!(
            text.contains("\"*\",") && text.contains("deny = [\"objects/query/Host\"]"),
            "{text}"
        );
        assert!(text.contains("# \"objects/query/Host\","));
        let (text, _) = written(&[plain("status/query"), filtered("objects/query/Host")]);
        assert!(!text.contains("deny"), "{text}");
        let (text, _) = written(&[plain("a\u{e4}*"), filtered("*\u{1}")]);
        assert!(
            text.contains("# \"a\u{e4}*\","),
            "what cannot be denied is not granted: {text}"
        );
    }

    #[test]
    fn directives_with_another_meaning_become_comments() {
        for odd in ["", " ", "GET", "/x", "GET /x", "* *", "a\u{0}b"] {
            let (text, notes) = written(&[plain(odd)]);
            assert_eq!(
                text,
                format!(
                    "[api_user.x]\npermissions = [\n    # {},  # {}\n]",
                    crate::import::text::quoted(odd),
                    unusable(odd).unwrap()
                )
            );
            assert_eq!(notes, 1, "{odd:?}");
        }
    }
}
