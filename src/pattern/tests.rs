//! Patterns against their definition, and steps against their bound.

use super::*;
use proptest::prelude::*;

fn folds(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern, Case::Folds).matches(text.as_bytes())
}

#[test]
fn icinga_examples_match_as_icinga_does() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("objects/*", "objects", false),
        ("objects/*", "objects/query/Host", true),
        ("objects/query/Host*", "objects/query/HostGroup", true),
        ("objects/query/host", "objects/query/Host", true),
        ("*/query/*", "objects/query/a/b", true),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("??", "\u{e4}", true),
        ("?", "\u{e4}", false),
        ("\u{e4}", "\u{c4}", false),
        (r"a\*c", "a*c", true),
        (r"a\*c", "abc", false),
        (r"a\?", "a?", true),
        (r"a\b", r"a\b", true),
        ("", "", true),
        ("", "a", false),
        ("a**b", "ab", true),
    ] {
        assert_eq!(folds(pattern, text), expected, "{pattern} on {text}");
    }
    assert!(!Pattern::new("/A*", Case::Matters).matches(b"/a"));
}

#[test]
fn patterns_overlap_only_where_a_text_fits_both() {
    let overlaps =
        |a: &str, b: &str| Pattern::new(a, Case::Folds).overlaps(&Pattern::new(b, Case::Folds));
    assert!(overlaps("objects/*", "objects/query/*"));
    assert!(overlaps("*b", "a*"));
    assert!(overlaps("*", ""));
    assert!(overlaps("a?c", "*b*"));
    assert!(!overlaps("objects/*", "actions/*"));
    assert!(!overlaps("a", "ab"));
    assert!(!overlaps("a?", "a"));
}

/// Straight from the definition; exponential, so only for short texts.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        ([b'\\', wanted @ (b'*' | b'?'), rest @ ..], [is, more @ ..]) => {
            wanted == is && naive(rest, more)
        }
        ([b'\\', b'*' | b'?', ..], []) => false,
        ([b'?', rest @ ..], [_, more @ ..]) => naive(rest, more),
        ([wanted, rest @ ..], [is, more @ ..]) => {
            wanted.eq_ignore_ascii_case(is) && naive(rest, more)
        }
        _ => false,
    }
}

/// The same for long texts: which beginnings of the pattern match which beginnings of the text, row by row.
fn by_table(pattern: &[u8], text: &[u8]) -> bool {
    let mut tokens: Vec<(Option<u8>, bool)> = Vec::new();
    let mut rest = pattern;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        tokens.push(match (byte, behind) {
            (b'\\', [escaped @ (b'*' | b'?'), behind @ ..]) => {
                rest = behind;
                (Some(*escaped), false)
            }
            (b'*', _) => (None, true),
            (b'?', _) => (None, false),
            (byte, _) => (Some(*byte), false),
        });
    }
    let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    for (byte, is_run) in tokens {
        let before = row.clone();
        for length in 0..=text.len() {
            let shorter = length.checked_sub(1);
            let same = shorter
                .is_some_and(|at| byte.is_none_or(|byte| byte.eq_ignore_ascii_case(&text[at])));
            row[length] = match is_run {
                true => before[length] || shorter.is_some_and(|at| row[at]),
                false => same && shorter.is_some_and(|at| before[at]),
            };
        }
    }
    row[text.len()]
}

/// How many cases a property test has: `PORTCULLIS_FUZZ_CASES`, for long runs.
fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(usual))
}

/// A step looks at one token and one byte.
fn steps(pattern: &[u8], text: &[u8]) -> usize {
    Pattern::new(pattern, Case::Folds).matches_general(text).1
}

/// Each byte of the text begins at most one attempt of what stands behind a `*`, and each attempt is at most as long
/// as the pattern.
fn bound(pattern: &[u8], text: &[u8]) -> usize {
    (pattern.len() + 1) * (text.len() + 2)
}

#[test]
fn patterns_that_mean_harm_cost_no_more_than_length_times_length() {
    let text = vec![b'a'; 10_000];
    for pattern in [
        "*a*a*a*b",
        "*aaaaaaaaaaaaaaaab",
        "a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "*a?a?a?a?b",
        "***********b",
        "*?*?*?*?b",
    ] {
        let steps = steps(pattern.as_bytes(), &text);
        assert!(
            steps <= bound(pattern.as_bytes(), &text),
            "{pattern}: {steps}"
        );
        assert!(!folds(pattern, std::str::from_utf8(&text).unwrap()));
    }
}

const PIECE: &str = r"(a|b|A|\*|\?|\\|/)";

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn matching_never_takes_more_steps_than_length_times_length(
        pattern in r"([abA]|\*|\?|\\){0,30}|(\*a{0,6}){0,8}b?", text in "[abA*]{0,300}|a{0,400}b?",
    ) {
        let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
        prop_assert!(steps(pattern, text) <= bound(pattern, text));
    }

    #[test]
    fn long_texts_of_any_bytes_match_as_defined(
        pattern in proptest::collection::vec(prop_oneof![
            4 => proptest::sample::select(b"ab*?\\\0\x80\xc3\xffA".to_vec()), 1 => any::<u8>(),
        ], 0..40),
        text in proptest::collection::vec(prop_oneof![
            9 => proptest::sample::select(b"aabb*?\\\0\x80\xc3\xff".to_vec()), 1 => any::<u8>(),
        ], 0..200),
    ) {
        let compiled = Pattern::new(&pattern, Case::Folds);
        prop_assert_eq!(compiled.matches(&text), by_table(&pattern, &text));
        // What is escaped is meant as it is written.
        let mut escaped = Vec::new();
        text.iter().for_each(|byte| match byte {
            b'*' | b'?' => escaped.extend([b'\\', *byte]),
            byte => escaped.push(*byte),
        });
        if !text.windows(2).any(|pair| pair[0] == b'\\' && matches!(pair[1], b'*' | b'?')) {
            prop_assert!(Pattern::new(&escaped, Case::Matters).matches(&text));
        }
    }

    #[test]
    fn the_two_definitions_agree(
        pattern in proptest::collection::vec(PIECE, 0..8), text in proptest::collection::vec(PIECE, 0..8),
    ) {
        let (pattern, text) = (pattern.concat(), text.concat());
        prop_assert_eq!(naive(pattern.as_bytes(), text.as_bytes()), by_table(pattern.as_bytes(), text.as_bytes()));
    }
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn matching_agrees_with_the_definition(pattern in r"[abA/*?\\]{0,8}", text in r"[abA/*?\\]{0,8}") {
        prop_assert_eq!(folds(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn the_first_bytes_settle_nothing_wrongly(
        pattern in r"([abA\x00]{0,10}|[abA\x00]{0,9}[*?][ab]{0,2}|[abA\x00]{6,10}\*)", text in r"[abA\x00]{0,11}",
    ) {
        prop_assert_eq!(folds(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        let exact = Pattern::new(&pattern, Case::Matters);
        let (general, _) = exact.matches_general(text.as_bytes());
        prop_assert_eq!(exact.matches(text.as_bytes()), general);
    }

    #[test]
    fn a_common_text_means_an_overlap(left in "[ab*?]{0,6}", right in "[ab*?]{0,6}", text in "[ab]{0,6}") {
        let (a, b) = (Pattern::new(&left, Case::Folds), Pattern::new(&right, Case::Folds));
        if a.matches(text.as_bytes()) && b.matches(text.as_bytes()) {
            prop_assert!(a.overlaps(&b), "{} and {} share {}", left, right, text);
        }
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        prop_assert_eq!(a.overlaps(&b), a.overlaps_general(&b));
    }
}
