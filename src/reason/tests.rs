//! The table of reasons, held against `docs/reasons.md` and against what clients and operators rely on.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../../docs/reasons.md");

fn consequence(reason: Reason) -> &'static str {
    match reason.consequence() {
        Consequence::None => "stays",
        Consequence::SharedBytesEnd => "ends with HTTP/1.1",
        Consequence::ConnectionEnds => "ends",
    }
}

fn row(reason: Reason) -> String {
    format!(
        "| `{}` | {} {} | {} | {} |",
        reason.word(),
        reason.status().as_u16(),
        reason.title(),
        reason.sentence(),
        consequence(reason)
    )
}

/// The rows of the document that begin with a word, in order.
fn documented() -> Vec<&'static str> {
    DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect()
}

#[test]
fn the_document_has_one_row_for_each_reason() {
    let granted = GrantReason::ALL.map(|reason| format!("| `{}` |", reason.word()));
    let expected: Vec<String> = Reason::BESIDE_CERTIFICATES
        .iter()
        .map(|reason| row(*reason))
        .collect();
    let documented = documented();
    let (grants, others) = documented.split_at(granted.len());
    for (row, begin) in grants.iter().zip(&granted) {
        assert!(row.starts_with(begin.as_str()), "{row}");
    }
    let (reasons, failures) = others.split_at(expected.len().min(others.len()));
    assert_eq!(
        reasons,
        expected,
        "docs/reasons.md should have:\n{}",
        expected.join("\n")
    );
    let words: Vec<String> = FailureReason::ALL
        .into_iter()
        .map(|failure| format!("| `{}` |", failure.word()))
        .collect();
    assert_eq!(failures.len(), words.len(), "{failures:?}");
    for (row, begin) in failures.iter().zip(&words) {
        assert!(row.starts_with(begin.as_str()), "{row}");
    }
}

/// A word of several reasons is one series of a metric. Which ones do that is decided here, and not by accident.
#[test]
fn only_known_words_belong_to_several_reasons() {
    let mut by_word: BTreeMap<&str, Vec<Reason>> = BTreeMap::new();
    for reason in Reason::BESIDE_CERTIFICATES {
        by_word.entry(reason.word()).or_default().push(*reason);
    }
    let shared: Vec<&str> = by_word
        .iter()
        .filter(|(_, reasons)| reasons.len() > 1)
        .map(|(word, _)| *word)
        .collect();
    let expected = [
        "bad_framing",
        "bad_path",
        "bad_upgrade",
        "request_timeout",
        "unknown_user",
    ];
    assert_eq!(shared, expected);
    let failures: BTreeSet<&str> = FailureReason::ALL.map(FailureReason::word).into();
    assert_eq!(failures.len(), FailureReason::ALL.len());
    let of_both: Vec<&&str> = failures
        .iter()
        .filter(|word| by_word.contains_key(**word))
        .collect();
    assert_eq!(
        of_both,
        [&"no_certificate", &"not_a_front_proxy", &"revoked"]
    );
}

#[test]
fn words_are_words_and_sentences_are_sentences() {
    for reason in Reason::all() {
        let word = reason.word();
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(!word.is_empty() && word.bytes().all(is_word), "{word}");
        let sentence = reason.sentence();
        assert!(sentence.ends_with('.'), "{sentence}");
        assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
        assert!(
            reason.status().is_client_error() || reason.status().is_server_error(),
            "{word}: a reason never permits"
        );
    }
}

#[test]
fn a_word_leads_back_to_its_reason() {
    for reason in Reason::all() {
        let found = Reason::from_word(reason.word()).unwrap();
        assert_eq!(found.word(), reason.word());
        let decided = DecisionReason::from_word(reason.word()).unwrap();
        assert_eq!(decided.word(), reason.word());
    }
    for granted in GrantReason::ALL {
        let found = DecisionReason::from_word(granted.word());
        assert_eq!(found, Some(DecisionReason::Granted(granted)));
    }
    assert_eq!(DecisionReason::from_word("no_such_reason"), None);
    assert_eq!(Reason::from_word(""), None);
}
