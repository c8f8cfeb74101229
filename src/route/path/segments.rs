//! Edits a path segment by segment.

pub(super) fn by_segments(text: &[u8], edit: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    text.split(|byte| *byte == b'/')
        .map(edit)
        .collect::<Vec<_>>()
        .join(&b'/')
}

pub(super) fn without_ends(text: &[u8]) -> Vec<u8> {
    by_segments(text, |mut segment| {
        while let [b' ', rest @ ..] | [rest @ .., b' ' | b'.'] = segment {
            segment = rest;
        }
        segment
    })
}

pub(super) fn without_empty_segments(text: &[u8]) -> Vec<u8> {
    let segments = text
        .split(|byte| *byte == b'/')
        .filter(|segment| !segment.is_empty());
    let joined = segments.collect::<Vec<_>>().join(&b'/');
    if text.starts_with(b"/") {
        [b"/", joined.as_slice()].concat()
    } else {
        joined
    }
}
