//! What a snapshot was made of, as digests: of the config and of all files that it names. Shows no digest of a single
//! file, since that of a short secret could be guessed.

use crate::config::WatchedFile;
use crate::file_read::{self, FileKind};
use crate::tls::{hexadecimal, sha256_text};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::path::Path;

/// The files of one load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    sha256: Box<str>,
    files: BTreeMap<Box<str>, File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    /// How it looked before it was read, so that one that looks the same need not be read again.
    stamp: u64,
    /// `None` if it cannot be read: it is not there, or a folder.
    digest: Option<Box<str>>,
}

impl Content {
    /// Looks at all files of a load. Paths are taken from the folder of the main file, so that the same files in another
    /// folder have the same digest.
    pub(super) fn of(main: &Path, watched: &[WatchedFile], previous: Option<&Self>) -> Self {
        let folder = main.parent().unwrap_or(Path::new(""));
        let mut files: BTreeMap<Box<str>, File> = BTreeMap::new();
        for file in watched {
            let name = file
                .path
                .strip_prefix(folder)
                .unwrap_or(&file.path)
                .display()
                .to_string();
            let known = previous.and_then(|content| content.files.get(name.as_str()));
            let digest = match known.filter(|known| known.stamp == file.stamp()) {
                Some(known) => known.digest.clone(),
                None => digest_of(&file.path).ok(),
            };
            files.insert(
                name.into(),
                File {
                    stamp: file.stamp(),
                    digest,
                },
            );
        }
        let mut all = Vec::new();
        for (name, file) in &files {
            // Lengths, so that no two lists of files are one text.
            all.extend_from_slice(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
            all.extend_from_slice(name.as_bytes());
            all.push(u8::from(file.digest.is_some()));
            all.extend_from_slice(file.digest.as_deref().unwrap_or_default().as_bytes());
        }
        Self {
            sha256: sha256_text(&all).into(),
            files,
        }
    }

    /// Of all of it, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The files that are other than before, were not there, or are there no more.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let digest =
            |content: &Self, name: &str| content.files.get(name).map(|file| file.digest.clone());
        let mut names: Vec<&Box<str>> = self.files.keys().chain(before.files.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| digest(self, name) != digest(before, name));
        names.into_iter().map(|name| name.to_string()).collect()
    }
}

/// SHA-256 of a file, in hexadecimal. Read piece by piece, since files of users may be large.
fn digest_of(path: &Path) -> std::io::Result<Box<str>> {
    let mut digest = Context::new(&SHA256);
    // Of the kind that may be the longest.
    file_read::read_pieces(path, FileKind::Config, |piece| digest.update(piece))?;
    Ok(hexadecimal(digest.finish().as_ref()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_names_and_octets_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let content = |names: &[&str], previous: Option<&Content>| {
            let watched: Vec<_> = names
                .iter()
                .map(|name| WatchedFile::new(file(name)))
                .collect();
            Content::of(&file("gateway.toml"), &watched, previous)
        };
        std::fs::write(file("gateway.toml"), "a").unwrap();
        std::fs::write(file("key"), "b").unwrap();
        let first = content(&["gateway.toml", "key", "missing"], None);
        assert_eq!(
            first,
            content(&["missing", "key", "key", "gateway.toml"], Some(&first)),
            "in any order"
        );
        std::fs::write(file("key"), "c").unwrap();
        let second = content(&["gateway.toml", "key", "missing"], Some(&first));
        assert_ne!(first.sha256(), second.sha256());
        assert_eq!(second.changed_since(&first), ["key"]);
        std::fs::write(file("key"), "b").unwrap();
        let third = content(&["gateway.toml", "key", "missing"], Some(&second));
        assert_eq!(
            (third.sha256(), third.changed_since(&first).len()),
            (first.sha256(), 0)
        );
        let fourth = content(&["gateway.toml", "key"], Some(&third));
        assert_ne!(fourth.sha256(), third.sha256());
        assert_eq!(
            (fourth.changed_since(&third), first.sha256().len()),
            (vec!["missing".to_owned()], 64)
        );
        let elsewhere = tempfile::tempdir().unwrap();
        for name in ["gateway.toml", "key"] {
            std::fs::copy(file(name), elsewhere.path().join(name)).unwrap();
        }
        let watched =
            ["gateway.toml", "key"].map(|name| WatchedFile::new(elsewhere.path().join(name)));
        assert_eq!(
            Content::of(&elsewhere.path().join("gateway.toml"), &watched, None).sha256(),
            fourth.sha256()
        );
    }
}
