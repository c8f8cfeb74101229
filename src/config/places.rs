//! Places as people read them, without the texts that they are in: those may be large, and hold secrets. Knows no meaning.

use super::source::{Place, SourceFile, Sources};
use std::path::{Path, PathBuf};

/// Where lines begin in all config files of one load.
#[derive(Clone, Debug, Default)]
pub struct Places {
    files: Vec<Lines>,
}

#[derive(Clone, Debug)]
struct Lines {
    path: PathBuf,
    /// The octet at which each line begins.
    starts: Vec<u32>,
    /// The octets that begin no character, since columns count characters.
    inner: Vec<u32>,
}

impl Places {
    /// Those of these files.
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

    /// As [`Sources::describe`]: `path:line:column`. Costs the same however long the file is.
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
        let inner_before = |octet: u32| file.inner.partition_point(|inner| *inner < octet);
        let column = (start - begin) as usize - (inner_before(start) - inner_before(begin)) + 1;
        format!("{}:{line}:{column}", file.path.display())
    }
}

impl Lines {
    fn of(file: &SourceFile) -> Self {
        let (mut starts, mut inner) = (vec![0], Vec::new());
        for (octet, at) in file.text.bytes().zip(0u32..) {
            match octet {
                b'\n' => starts.push(at.saturating_add(1)),
                0x80..=0xBF => inner.push(at),
                _ => {}
            }
        }
        Self {
            path: file.path.clone(),
            starts,
            inner,
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
