//! Line and column of places, without the text of the files, which may be large and contain secrets.

use super::source::{Place, SourceFile, Sources};
use std::path::{Path, PathBuf};

/// Line starts of all config files of a load.
#[derive(Clone, Debug, Default)]
pub struct Places {
    files: Vec<Lines>,
}

#[derive(Clone, Debug)]
struct Lines {
    path: PathBuf,
    /// Offset in bytes of each line start.
    starts: Vec<u32>,
    /// Offsets of UTF-8 continuation bytes, since columns count characters.
    continuation_bytes: Vec<u32>,
}

impl Places {
    /// The line starts of these files.
    pub fn of(sources: &Sources) -> Self {
        Self {
            files: sources.files().map(Lines::of).collect(),
        }
    }

    /// The file of a place.
    pub fn path(&self, place: Place) -> Option<&Path> {
        self.files
            .get(place.file.index())
            .map(|file| file.path.as_path())
    }

    /// As [`Sources::describe`]: `path:line:column`. Uses binary search.
    pub fn describe(&self, place: Place) -> String {
        let Some(file) = self.files.get(place.file.index()) else {
            return String::new();
        };
        let start = u32::try_from(place.range().start).unwrap_or(u32::MAX);
        let line = file.starts.partition_point(|begin| *begin <= start);
        let begin = line
            .checked_sub(1)
            .and_then(|at| file.starts.get(at))
            .copied()
            .unwrap_or(0);
        let continuations_before = |offset: u32| {
            file.continuation_bytes
                .partition_point(|byte| *byte < offset)
        };
        let continuations = continuations_before(start) - continuations_before(begin);
        let column = (start - begin) as usize - continuations + 1;
        format!("{}:{line}:{column}", file.path.display())
    }
}

impl Lines {
    fn of(file: &SourceFile) -> Self {
        let mut starts = vec![0];
        let mut continuation_bytes = Vec::new();
        for (byte, offset) in file.text.bytes().zip(0u32..) {
            match byte {
                b'\n' => starts.push(offset.saturating_add(1)),
                0x80..=0xBF => continuation_bytes.push(offset),
                _ => {}
            }
        }
        Self {
            path: file.path.clone(),
            starts,
            continuation_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_described_as_with_its_text(text in "([a\u{e4}\u{2026}]|\n){0,20}", at in 0usize..30) {
            prop_assume!(text.is_char_boundary(at));
            let mut sources = Sources::default();
            let file = sources.add("a.toml".into(), text).unwrap();
            let place = Place::new(file, &(at..at));
            prop_assert_eq!(Places::of(&sources).describe(place), sources.describe(place));
        }
    }
}
