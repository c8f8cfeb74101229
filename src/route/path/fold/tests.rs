//! Examples and properties of folding.

use super::super::CanonicalTarget;
use super::*;
use proptest::prelude::*;

fn fold(path: &str) -> String {
    with_folded(path, str::to_owned)
}

#[test]
fn what_some_upstreams_read_alike_has_one_folded_form() {
    for (path, expected) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/ADMIN/X", "/admin/x"),
        ("/admin/", "/admin"),
        ("/admin./x", "/admin/x"),
        ("/admin%20", "/admin"),
        ("/admin;x=1/y", "/admin/y"),
        ("/admin%3Bx/y", "/admin/y"),
        ("//a///b", "/a/b"),
        ("/%20/a", "/a"),
        ("/%EF%BD%81%EF%BC%8Fb", "/a/b"),
        ("/a%5Cb", "/a/b"),
        ("/a%2Fb", "/a%2fb"),
        ("/K%E2%84%AA%C5%BF", "/kks"),
        ("/...", "/"),
        ("/file.txt", "/file.txt"),
        ("/v1.2/.well-known", "/v1.2/.well-known"),
        ("/a%20b", "/a b"),
        ("/admin%3Fx/y", "/admin"),
        ("/admin%23x", "/admin"),
        ("/admin::$DATA", "/admin"),
        ("/admin:$I30:$INDEX_ALLOCATION/x", "/admin/x"),
        ("/a:b/c$", "/a:b/c$"),
        ("/ADM%C4%B0N", "/admin"),
        (
            "/a%E2%81%A6%E2%81%A9%E1%A0%8E%CD%8F%D8%9C%E3%85%A4%F3%A0%84%80b",
            "/ab",
        ),
    ] {
        assert_eq!(fold(path), expected, "{path}");
    }
}

#[test]
fn dot_segments_are_known_in_disguise() {
    for segment in [
        "..%20",
        "%20..",
        ".%09",
        "..%3B",
        "..%3Bx=1",
        "%EF%BC%8E%EF%BC%8E",
        "%EF%BC%8E.",
        "%E2%80%A5",
        "%E3%80%82%E3%80%82",
        ".%E2%80%8B.",
        ".%20.",
        "..%20.",
        "..%C2%A0",
        "..%2520",
        "..%EF%BC%8Fx",
        "..%EF%BC%9Bx",
        "..%3Fx",
        "..%23",
        "..%E2%81%A6",
    ] {
        assert!(disguises_dot_segment(segment), "{segment}");
    }
    for segment in [
        "...",
        "a..%20",
        "..a%20",
        ".%C3%A4",
        "%20",
        "%20%20",
        "..%E2%80%A6",
        "a%20.",
        "%2F",
        "..%2F",
    ] {
        let is_hidden = segment == "..%2F";
        assert_eq!(disguises_dot_segment(segment), is_hidden, "{segment}");
    }
}

#[test]
fn what_folding_makes_a_wildcard_is_none() {
    assert_eq!(folded_pattern("/A*\u{ff0a}?\\*".as_bytes()), b"/a*\\*?\\*");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn the_quick_ways_agree_with_the_thorough_one(target in "/([abAB./]|[.;:$]|%3F|%20|%3B|%C3%84|\\PC){0,10}") {
        if let Ok(target) = CanonicalTarget::parse(&target) {
            prop_assert_eq!(fold(&target.path), folded(&target.path));
        }
    }

    #[test]
    fn what_is_folded_stays_as_it_is(text in "\\PC{0,12}") {
        let once = folded_letters(text.as_bytes());
        prop_assert_eq!(folded_letters(&once), once);
    }
}

#[test]
fn letters_of_one_case_mapping_are_folded_to_the_same() {
    let fold = |text: String| String::from_utf8(folded_letters(text.as_bytes())).unwrap();
    let mut differing = Vec::new();
    for letter in '\0'..=char::MAX {
        let has_case = !letter.to_lowercase().eq([letter]) || !letter.to_uppercase().eq([letter]);
        if !has_case {
            continue;
        }
        let once = fold(letter.to_string());
        let others = [
            letter.to_lowercase().collect(),
            letter.to_uppercase().collect(),
            once.clone(),
        ];
        if others.into_iter().any(|other| fold(other) != once) {
            differing.push(letter);
        }
    }
    assert!(differing.is_empty(), "{differing:?}");
    assert_eq!(fold("STRA\u{1e9e}E".to_owned()), "strasse");
}
