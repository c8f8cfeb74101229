//! The reader of configs with anything in a file: it reports, and never panics; also the report can be shown.

use super::*;
use crate::file_format::FileFormat;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;

const SAMPLE: &str = include_str!("../../docs/gateway-all-keys.toml");

fn cases() -> u32 {
    std::env::var("PORTCULLIS_FUZZ_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300)
}

/// Reads a content as a main file, and shows all that is wrong with it.
fn load_and_show(content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, content).unwrap();
    let loaded = load(&file, Occasion::First);
    let _ = render(&loaded.problems.into_sorted(), &loaded.sources);
    let _ = FileFormat::of(content);
}

/// A line of the sample with something in it replaced.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> = SAMPLE.lines().collect();
    let pieces = "[\\[\\]{}=\"'#:;,. \n\\\\“0-9a-z~$\u{0}é]{0,4}";
    let from = 0..lines.len().saturating_sub(20);
    (from, 1..20usize, 0..2000usize, 0..3usize, pieces).prop_map(
        move |(from, count, at, gone, piece)| {
            let part = lines
                .get(from..from + count)
                .unwrap_or_default()
                .join("\n")
                .replace("\n# ", "\n");
            let at = part.floor_char_boundary(at.min(part.len()));
            let end = part
                .floor_char_boundary((at + gone).min(part.len()))
                .max(at);
            [
                part.get(..at).unwrap_or_default(),
                &piece,
                part.get(end..).unwrap_or_default(),
            ]
            .concat()
            .into_bytes()
        },
    )
}

proptest! {
    #![proptest_config(Cases::with_cases(cases()))]

    #[test]
    fn damaged_parts_of_the_sample_are_read_without_a_panic(content in damaged()) {
        load_and_show(&content);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(content in proptest::collection::vec(any::<u8>(), 0..300)) {
        load_and_show(&content);
    }
}
