//! Examples and properties of canonical paths.

use super::*;
use proptest::prelude::*;

fn path(target: &str) -> (String, Option<Oddity>) {
    let canonical = CanonicalTarget::parse(target).unwrap();
    (
        canonical.path.into_owned(),
        canonical.oddities.first_beyond(Oddities::default()),
    )
}

#[test]
fn ordinary_paths_are_not_odd() {
    for target in [
        "/",
        "/v1/objects/hosts",
        "/a/",
        "/a=b,c/d!",
        "/%C3%A4",
        "/a%20b",
        "/100%25",
        "/100%25/x",
        "/%25x",
        "/%2B",
    ] {
        assert_eq!(path(target), (target.to_owned(), None));
    }
    assert_eq!(path("/%61%7e?x=%2f").0, "/a~");
    assert_eq!(path("/\u{e4}").0, "/%C3%A4");
    assert_eq!(path("/a%c3%a4").0, "/a%C3%A4");
}

#[test]
fn each_oddity_is_seen() {
    for (target, oddity) in [
        ("/a%2fb", Oddity::EncodedSlash),
        ("/a%5Cb", Oddity::EncodedBackslash),
        ("/a%00", Oddity::EncodedControl),
        ("/%252e%252e/", Oddity::DoubleEncoding),
        ("/%ff", Oddity::InvalidUtf8),
        ("/a//b", Oddity::EmptySegments),
        ("//a", Oddity::EmptySegments),
        ("/a/../b", Oddity::DotSegments),
        ("/a/%2e%2E/b", Oddity::DotSegments),
        ("/a/.", Oddity::DotSegments),
        ("/a\\b", Oddity::RawBackslash),
        ("/a;b=c/d", Oddity::PathParameters),
        ("/%25%32%65%25%32%65/admin", Oddity::DoubleEncoding),
        ("/a%2525", Oddity::DoubleEncoding),
        ("/%2561dmin", Oddity::DoubleEncoding),
        ("/%25%36%31dmin", Oddity::DoubleEncoding),
        ("/admin%2520", Oddity::DoubleEncoding),
        ("/%25c3%25a4", Oddity::DoubleEncoding),
    ] {
        assert_eq!(path(target).1, Some(oddity), "{target}");
    }
}

#[test]
fn what_no_route_may_take_has_no_path() {
    for (target, error) in [
        ("*", PathError::NotAPath),
        ("", PathError::NotAPath),
        ("/%zz", PathError::InvalidPercent),
        ("/%4", PathError::InvalidPercent),
        ("/a b", PathError::InvalidByte),
        ("/a\0", PathError::InvalidByte),
        ("/a#b", PathError::Fragment),
        ("/..", PathError::AboveRoot),
        ("/a/../../b", PathError::AboveRoot),
        ("/a/..;x/b", PathError::DotParameters),
        ("/a/.;/b", PathError::DotParameters),
        ("/a/%2e%2e;x/b", PathError::DotParameters),
        ("/a%2f..%2fb", PathError::HiddenDotSegment),
        ("/..%5cb", PathError::HiddenDotSegment),
        ("/a%2F%2e%2e;x", PathError::HiddenDotSegment),
    ] {
        assert_eq!(CanonicalTarget::parse(target), Err(error), "{target}");
    }
}

#[test]
fn what_means_the_same_has_one_form() {
    assert_eq!(
        path("/secret%21/%40x%2A"),
        ("/secret!/@x*".to_owned(), None)
    );
    assert_eq!(
        canonical_literal("/%2A*", b"*?\\"),
        "/\\**",
        "a star that is meant, and a wildcard"
    );
}

#[test]
fn a_plain_reading_has_no_parameters_and_no_empty_segments() {
    for (path, plain) in [
        ("/", "/"),
        ("/a;x/b", "/a/b"),
        ("//a///b", "/a/b"),
        ("/a/", "/a/"),
        ("/a;x", "/a"),
        ("/;x", "/"),
    ] {
        assert_eq!(plain_reading(path), plain, "{path}");
    }
}

#[test]
fn dot_segments_resolve_as_rfc_3986_says() {
    assert_eq!(path("/a/b/../c").0, "/a/c");
    assert_eq!(path("/a/b/..").0, "/a/");
    assert_eq!(path("/a/./b").0, "/a/b");
    assert_eq!(path("/a/b/.").0, "/a/b/");
}

proptest! {
    #[test]
    fn canonical_paths_stay_as_they_are(target in "/[ -~]{0,40}") {
        if let Ok(once) = CanonicalTarget::parse(&target) {
            let twice = CanonicalTarget::parse(&once.path).unwrap();
            prop_assert_eq!(&twice.path, &once.path);
            let mut known = once.oddities;
            if known.contains(Oddity::RawBackslash) {
                known.insert(Oddity::EncodedBackslash);
            }
            prop_assert_eq!(twice.oddities.first_beyond(known), None, "what goes up is no odder");
            prop_assert!(once.path.is_ascii() && once.path.starts_with('/'));
            prop_assert!(!once.path.split('/').any(|segment| matches!(segment, "." | "..")));
        }
    }

    #[test]
    fn decoding_sees_the_same_bytes_before_and_after(target in "/[a-z%0-9A-F!+]{0,30}") {
        if let Ok(canonical) = CanonicalTarget::parse(&target)
            && canonical.oddities == Oddities::default()
        {
            prop_assert_eq!(decoded(&canonical.path), decoded(&target));
        }
    }
}
