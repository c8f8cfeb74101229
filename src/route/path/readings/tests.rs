//! Examples of readings, and the bound of the work.

use super::super::CanonicalTarget;
use super::*;
use proptest::prelude::*;

fn readings(text: &str) -> Vec<Vec<u8>> {
    match other_readings(text) {
        OtherReadings::All(readings) => readings,
        OtherReadings::TooMany => panic!("{text} has too many readings"),
    }
}

/// Steps that read all readings.
const STEPS: usize = 9;

#[test]
fn ordinary_texts_have_one_reading() {
    for text in [
        "/",
        "/a/b.txt",
        "/A/B/",
        "/v1.2/x",
        "objects/query/Host",
        "/a+b=c",
        "/a:b/c$",
    ] {
        assert_eq!(readings(text), Vec::<Vec<u8>>::new(), "{text}");
    }
    for text in ["/a%20b", "/a;b", "/a//b", "/a.", "/a./b", "/a::$DATA"] {
        assert!(!readings(text).is_empty(), "{text}");
    }
}

#[test]
fn a_path_is_read_as_upstreams_read_it() {
    for (path, expected) in [
        ("/%2561dmin/x", "/admin/x"),
        ("/%252561dmin/x", "/admin/x"),
        ("/admin%2520/x", "/admin/x"),
        ("/admin%253Bx/y", "/admin/y"),
        ("/%EF%BC%8561dmin", "/admin"),
        ("/admin%3Fx", "/admin"),
        ("/admin%23x", "/admin"),
        ("/admin::$DATA", "/admin"),
        ("/admin:$I30:$INDEX_ALLOCATION/x", "/admin/x"),
        ("/ADM%C4%B0N/x", "/admin/x"),
        ("/admi%CC%87n", "/admin"),
        ("/adm%C4%B1n", "/admin"),
        ("/admin%E2%81%A6/x", "/admin/x"),
        ("/admin%F3%A0%84%80/x", "/admin/x"),
        ("/x/admin%5Cy;z.//", "/x/admin/y"),
        ("/%EF%BC%9B.//", "/%EF%BC%9B"),
    ] {
        let is_read = |reading: &Vec<u8>| {
            reading.strip_suffix(b"/").unwrap_or(reading) == expected.as_bytes()
        };
        assert!(
            readings(path).iter().any(is_read),
            "{path}: {:?}",
            readings(path)
        );
    }
}

/// The bytes read for a text, and the bytes of its readings. `None` if there are too many.
fn work(path: &str) -> (usize, Option<usize>) {
    let mut readings = ReadingsBuilder {
        found: Vec::new(),
        room: room_for(path),
        bytes_read: 0,
    };
    let kept = readings
        .find(path)
        .ok()
        .map(|()| readings.found.iter().map(Vec::len).sum());
    (readings.bytes_read, kept)
}

#[test]
fn the_work_grows_no_faster_than_the_path() {
    let segments = [
        "zz1%20/%EF%BC%A1.%3B/",
        "a%3B./",
        "%C3%84%5Cb;c%20/",
        "%2541;x//",
        "a:$b%3F./",
    ];
    for length in [1, 10, 100, 1400] {
        for segment in segments {
            let path = "/".to_owned() + &segment.repeat(length);
            let (bytes_read, kept) = work(&path);
            assert!(
                bytes_read <= STEPS * room_for(&path),
                "{bytes_read} for {length} of {segment}"
            );
            assert!(
                kept.is_none_or(|kept| kept <= room_for(&path)),
                "{kept:?} for {length} of {segment}"
            );
            assert!(
                length > 1 || kept.is_some(),
                "a short path has all its readings: {path}"
            );
        }
    }
    let long = "/".to_owned() + &"zz1%20/%EF%BC%A1.%3B/".repeat(1400);
    assert_eq!(other_readings(&long), OtherReadings::TooMany);
    let ordinary = "/".to_owned() + &"%C3%84pfel%20und/".repeat(1400);
    assert!(
        work(&ordinary).1.is_some(),
        "a long path with little to fold has all its readings"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn a_text_with_one_reading_reads_the_same_in_all_ways(text in "([/a]|[/;.%2f:$]|[!-~]){0,8}") {
        let text = text.replace('\\', "");
        let readings =
            [decoded(&text), plain_reading(&text).into_bytes(), without_ends(text.as_bytes()), without_streams(text.as_bytes())];
        let same = readings.iter().all(|reading| reading == text.as_bytes());
        prop_assert!(!has_one_reading(&text) || same, "{}", text);
    }

    #[test]
    fn the_work_is_bounded(text in "/([/;. ]|%20|%5C|%3B|%3F|%2561|\\PC){0,60}") {
        if let Ok(target) = CanonicalTarget::parse(&text) {
            let (bytes_read, kept) = work(&target.path);
            prop_assert!(bytes_read <= STEPS * room_for(&target.path));
            prop_assert!(kept.is_none_or(|kept| kept <= room_for(&target.path)));
        }
    }
}
