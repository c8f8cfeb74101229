//! Digests of the config and of all files that it names. The digest of a single file is never shown, since a short
//! secret could be guessed from it.

use crate::config::WatchedFile;
use crate::file_read::{self, FileKind};
use crate::tls::{hexadecimal, sha256_text};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::path::Path;

/// Digests of the files of one load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentDigest {
    sha256: Box<str>,
    files: BTreeMap<Box<str>, File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    /// Stamp before the read. A file with the same stamp is not read again.
    stamp: u64,
    /// `None` if the file is missing, unreadable or a folder.
    digest: Option<Box<str>>,
}

impl ContentDigest {
    /// Computes the digests of a load. Paths are relative to the folder of the main file, so that a copy of all files
    /// in another folder has the same digest.
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
            // Length prefixes, so that two lists of files never have the same encoding.
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

    /// Digest over all files, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Names of files that were changed, added or removed.
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

/// SHA-256 of a file, in hexadecimal. Read in pieces, since files with users may be large.
fn digest_of(path: &Path) -> std::io::Result<Box<str>> {
    let mut digest = Context::new(&SHA256);
    // `Config` has the highest size limit.
    file_read::read_pieces(path, FileKind::Config, |piece| digest.update(piece))?;
    Ok(hexadecimal(digest.finish().as_ref()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_names_and_bytes_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let content = |names: &[&str], previous: Option<&ContentDigest>| {
            let watched: Vec<_> = names
                .iter()
                .map(|name| WatchedFile::new(file(name)))
                .collect();
            ContentDigest::of(&file("gateway.toml"), &watched, previous)
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
            ContentDigest::of(&elsewhere.path().join("gateway.toml"), &watched, None).sha256(),
            fourth.sha256()
        );
    }
}
