//! Reasons are enums: their words are written in `src/reason` alone, and no source compares them as strings.

use super::{read, shipping_code, source_files, sources_root};
use portcullis::reason::{DecisionReason, GrantReason, Reason};
use std::collections::BTreeSet;
use std::path::Path;

/// Words that are those of reasons and have another meaning in these files: keys of the config, verdicts of Icinga, and words of
/// other proxies.
const OTHER_MEANINGS: [(&str, &str); 17] = [
    ("authorize/verdicts.rs", "denied"),
    ("config/keys/limits.rs", "head_timeout"),
    ("config/keys/limits.rs", "connect_timeout"),
    ("config/keys/limits.rs", "response_timeout"),
    ("config/keys/route.rs", "method_override"),
    ("config/keys/route.rs", "encoded_slash"),
    ("config/keys/route.rs", "encoded_backslash"),
    ("config/keys/route.rs", "encoded_control"),
    ("config/keys/route.rs", "double_encoding"),
    ("config/keys/route.rs", "invalid_utf8"),
    ("config/keys/route.rs", "empty_segments"),
    ("config/keys/route.rs", "dot_segments"),
    ("config/keys/route.rs", "raw_backslash"),
    ("config/keys/route.rs", "path_parameters"),
    ("config/keys/route.rs", "look_alike_path"),
    ("explain/text.rs", "permission"),
    ("import/imported_users.rs", "denied"),
];

fn reason_words() -> BTreeSet<&'static str> {
    let granted = GrantReason::ALL.map(DecisionReason::from);
    let refused = Reason::all().map(DecisionReason::from);
    refused.chain(granted).map(DecisionReason::word).collect()
}

/// The string literals of a text, each with the code before and behind it. Good enough for sources without raw strings that
/// contain quotes.
fn literals(code: &str) -> Vec<[&str; 3]> {
    let mut literals = Vec::new();
    let quotes: Vec<usize> = code
        .match_indices('"')
        .map(|(at, _)| at)
        .filter(|at| !code[..*at].ends_with(['\\', '\'']))
        .collect();
    for pair in quotes.chunks_exact(2) {
        let [begin, end] = [pair[0], pair[1]];
        literals.push([&code[..begin], &code[begin + 1..end], &code[end + 1..]]);
    }
    literals
}

/// The reasons that a text writes as strings although it should name the enum: each word with an underscore, which nothing else
/// means, and each other word that is compared.
fn written_words<'t>(text: &'t str, words: &BTreeSet<&str>) -> Vec<&'t str> {
    let is_compared = |before: &str, behind: &str| {
        let before = before.trim_end();
        let behind = behind.trim_start();
        ["==", "!=", "contains(", "starts_with(", "ends_with("]
            .iter()
            .any(|operator| before.ends_with(operator))
            || ["=>", "==", "!=", "|"]
                .iter()
                .any(|operator| behind.starts_with(operator))
    };
    literals(text)
        .into_iter()
        .filter(|[before, literal, behind]| {
            words.contains(literal) && (literal.contains('_') || is_compared(before, behind))
        })
        .map(|[_, literal, _]| literal)
        .collect()
}

fn is_the_table(path: &Path) -> bool {
    let root = sources_root();
    path == root.join("reason.rs") || path.starts_with(root.join("reason"))
}

#[test]
fn no_source_writes_or_compares_a_reason_as_a_string() {
    let words = reason_words();
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for path in source_files() {
        let is_test = path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs");
        if is_test || is_the_table(&path) {
            continue;
        }
        let relative = path.strip_prefix(sources_root()).unwrap();
        let relative = relative.to_str().unwrap();
        for word in written_words(&shipping_code(&read(&path)), &words) {
            let excuse = OTHER_MEANINGS.iter().find(|it| **it == (relative, word));
            match excuse {
                Some(excuse) => {
                    excused.insert(*excuse);
                }
                None => wrong.push(format!("(\"{relative}\", \"{word}\"),")),
            }
        }
    }
    assert!(wrong.is_empty(), "use the enum:\n{}", wrong.join("\n"));
    let unused = OTHER_MEANINGS
        .iter()
        .filter(|excuse| !excused.contains(*excuse));
    assert_eq!(unused.collect::<Vec<_>>(), [] as [&(&str, &str); 0]);
}

#[test]
fn a_reason_as_a_string_is_found() {
    let words = reason_words();
    for bad in [
        "if reason == \"no_permission\" {}",
        "if \"denied\" == reason {}",
        "match word { \"internal\" => 1 }",
        "match word { \"expired\" | \"x\" => 1 }",
        "word.contains(\"denied\")",
        "let word = \"unknown_user\";",
        "f('\"', \"x\", \"no_route\")",
    ] {
        assert_eq!(written_words(bad, &words).len(), 1, "{bad}");
    }
    for good in [
        "if reason == Reason::NoPermission {}",
        "let role = \"internal\";",
        "if word == \"permit\" {}",
        "f(\"no_such_reason\")",
    ] {
        assert_eq!(written_words(good, &words), [""; 0], "{good}");
    }
}
