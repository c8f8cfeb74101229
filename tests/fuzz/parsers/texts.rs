//! Conditions, patterns, deny lists, configs and imported files.

use super::Reading;
use portcullis::condition::Condition;
use portcullis::config::{Occasion, load, render};
use portcullis::file_format::FileFormat;
use portcullis::import::{ImportFile, haproxy, icinga2, nginx};
use portcullis::pattern::{Case, Pattern};
use portcullis::tls::DenyList;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A condition is accepted or has an error with a text.
pub fn condition(bytes: &[u8]) -> Reading {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Reading::Rejected;
    };
    match Condition::compile(text) {
        Ok(condition) => {
            assert_eq!(condition.text(), text);
            Reading::Accepted
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Reading::Rejected
        }
    }
}

/// What one strict reading accepts, the lenient one reads without an error and to the same list.
pub fn deny_list(bytes: &[u8]) -> Reading {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Reading::Rejected;
    };
    let (usable, errors) = DenyList::parse_usable(text);
    match DenyList::parse(text) {
        Ok(list) => {
            assert!(errors.is_empty());
            assert_eq!(list.len(), usable.len());
            Reading::Accepted
        }
        Err(_) => {
            assert!(!errors.is_empty());
            Reading::Rejected
        }
    }
}

/// Patterns match as they are defined, and two that match a common text overlap. The first two zero bytes separate pattern, second
/// pattern and text.
pub fn pattern(bytes: &[u8]) -> Reading {
    let (pattern, rest) = at_zeros(bytes);
    let (other, text) = at_zeros(rest);
    for case in [Case::Folds, Case::Matters] {
        let one = Pattern::new(pattern, case);
        let two = Pattern::new(other, case);
        let matches = one.matches(text);
        assert_eq!(matches, matches_by_definition(pattern, text, case));
        assert_eq!(one.overlaps(&two), two.overlaps(&one));
        assert!(one.overlaps(&two) || !(matches && two.matches(text)));
    }
    Reading::Accepted
}

/// The bytes before and after the first two zero bytes. At most 200 bytes before.
fn at_zeros(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes
        .windows(2)
        .position(|pair| pair == [0, 0])
        .unwrap_or(bytes.len());
    (
        &bytes[..at.min(200)],
        bytes.get(at + 2..).unwrap_or_default(),
    )
}

/// The definition, row by row: which prefixes of the pattern match which prefixes of the text.
fn matches_by_definition(mut pattern: &[u8], text: &[u8], case: Case) -> bool {
    let same = |one: u8, other: u8| match case {
        Case::Folds => one.eq_ignore_ascii_case(&other),
        Case::Matters => one == other,
    };
    let mut row: Vec<bool> = (0..=text.len()).map(|length| length == 0).collect();
    while let [byte, rest @ ..] = pattern {
        pattern = rest;
        let mut literal = Some(*byte);
        if let (b'\\', [escaped @ (b'*' | b'?'), rest @ ..]) = (byte, rest) {
            literal = Some(*escaped);
            pattern = rest;
        } else if matches!(byte, b'*' | b'?') {
            literal = None;
        }
        let before = row.clone();
        row[0] = before[0] && literal.is_none() && *byte == b'*';
        for (at, is) in text.iter().enumerate() {
            row[at + 1] = match literal {
                Some(wanted) => before[at] && same(wanted, *is),
                None if *byte == b'?' => before[at],
                None => before[at + 1] || row[at],
            };
        }
    }
    row[text.len()]
}

/// A config is reported on in the same way each time, and with an error if it is no TOML.
pub fn config(bytes: &[u8]) -> Reading {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let name = format!("portcullis-fuzz-{}-{number}.toml", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, bytes).expect("a temporary file");
    let report = || {
        let loaded = load(&file, Occasion::First);
        let has_error = loaded.problems.any_error();
        let text = render(&loaded.problems.into_sorted(), &loaded.sources);
        assert!(!has_error || !text.is_empty(), "an error without a text");
        (has_error, text)
    };
    let (first, second) = (report(), report());
    std::fs::remove_file(&file).expect("a temporary file");
    assert_eq!(first, second);
    let is_toml =
        std::str::from_utf8(bytes).is_ok_and(|text| toml::from_str::<toml::Table>(text).is_ok());
    assert!(is_toml || first.0, "no TOML, and no error");
    let _ = FileFormat::of(bytes);
    if is_toml {
        Reading::Accepted
    } else {
        Reading::Rejected
    }
}

/// What an import of a file of Icinga 2, nginx or HAProxy writes is TOML. The first byte selects the program.
pub fn import(bytes: &[u8]) -> Reading {
    let Some((program, content)) = bytes.split_first() else {
        return Reading::Rejected;
    };
    // Files that it names are looked for in a folder that does not exist. Passwords would be hashed, which is slow.
    let Ok(file) = ImportFile::new(Path::new("/nowhere/file"), content) else {
        return Reading::Rejected;
    };
    let imported = match program % 3 {
        0 if has_password(content) => return Reading::Rejected,
        0 => icinga2(&file, &["node".to_owned()]),
        1 => nginx(&file, &["GET /*".to_owned()]),
        _ => haproxy(&file, &["GET /*".to_owned()]),
    };
    match imported {
        Ok(imported) => {
            toml::from_str::<toml::Table>(&imported.config).expect("TOML");
            Reading::Accepted
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            Reading::Rejected
        }
    }
}

/// Whether a listing of Icinga 2 may have a password that is not empty.
fn has_password(content: &[u8]) -> bool {
    let is_empty = |rest: &[u8]| {
        let value = rest.strip_prefix(b"_hash").unwrap_or(rest);
        value.starts_with(b" = \"\"\n")
    };
    (0..content.len()).any(|at| {
        content[at..]
            .strip_prefix(b"password")
            .is_some_and(|rest| !is_empty(rest))
    })
}
