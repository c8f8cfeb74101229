//! Patterns of any octets on texts of any octets: they match as they are defined, and two that match a common text
//! overlap. The first zero octet pair parts pattern, second pattern and text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::pattern::{Case, Pattern};

fuzz_target!(|data: &[u8]| {
    let (pattern, rest) = split(data);
    let (other, text) = split(rest);
    for case in [Case::Folds, Case::Matters] {
        let (one, two) = (Pattern::new(pattern, case), Pattern::new(other, case));
        let matches = one.matches(text);
        assert_eq!(matches, defined(pattern, text, case));
        assert_eq!(one.overlaps(&two), two.overlaps(&one));
        assert!(one.overlaps(&two) || !(matches && two.matches(text)));
    }
});

/// What stands before and behind the first two zero octets; the length of what is before is limited.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.windows(2).position(|pair| pair == [0, 0]).unwrap_or(data.len());
    (&data[..at.min(200)], data.get(at + 2..).unwrap_or_default())
}

/// The definition, row by row: which beginnings of the pattern match which beginnings of the text.
fn defined(mut pattern: &[u8], text: &[u8], case: Case) -> bool {
    let same = |one: u8, other: u8| if case == Case::Folds { one.eq_ignore_ascii_case(&other) } else { one == other };
    let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    while let [octet, behind @ ..] = pattern {
        pattern = behind;
        let mut literal = Some(*octet);
        if let (b'\\', [escaped @ (b'*' | b'?'), behind @ ..]) = (octet, behind) {
            literal = Some(*escaped);
            pattern = behind;
        } else if matches!(octet, b'*' | b'?') {
            literal = None;
        }
        let before = row.clone();
        row[0] = before[0] && literal.is_none() && *octet == b'*';
        for (at, is) in text.iter().enumerate() {
            row[at + 1] = match literal {
                Some(wanted) => before[at] && same(wanted, *is),
                None if *octet == b'?' => before[at],
                None => before[at + 1] || row[at],
            };
        }
    }
    row[text.len()]
}
