//! Include patterns and the files that they match.

use super::problem::Problems;
use super::source::Place;
use super::watched::WatchedFile;
use crate::file_read;
use std::path::{Path, PathBuf};

/// A pattern of included files, relative to the folder of the main file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// The pattern as written.
    pub(super) pattern: String,
    /// The folder of the main file.
    pub(super) folder: PathBuf,
}

impl Include {
    /// The files of the pattern, sorted by name. A pattern without wildcards is returned as it is.
    pub(super) fn expand(
        &self,
        place: Place,
        problems: &Problems,
        watched: &mut Vec<WatchedFile>,
        unread: &mut Vec<PathBuf>,
    ) -> Vec<PathBuf> {
        let full = self.folder.join(&self.pattern);
        let folder = full.parent().unwrap_or(Path::new(""));
        let name = full.file_name().unwrap_or_default().to_string_lossy();
        let written_folder = Path::new(&self.pattern).parent().unwrap_or(Path::new(""));
        if has_wildcard(&written_folder.to_string_lossy()) {
            let message = "wildcards are for file names, not for folders";
            problems.error(place, message, "list the folders, one pattern for each");
            return Vec::new();
        }
        if !has_wildcard(&name) {
            return vec![full.clone()];
        }
        // New files appear in the folder, so the folder itself is watched.
        watched.push(WatchedFile::new(folder));
        let name_pattern = match glob::Pattern::new(&name) {
            Ok(name_pattern) => name_pattern,
            Err(error) => {
                let message = format!("bad include pattern: {error}");
                problems.error(place, message, "use * and ? in file names");
                return Vec::new();
            }
        };
        match file_read::entries(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }) {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries
                    .into_iter()
                    .filter_map(|path| Some(folder.join(path.file_name()?)))
                    .collect();
                let name_of = |path: &PathBuf| {
                    path.file_name()
                        .map(|name| name.to_string_lossy().into_owned())
                };
                paths.retain(|path| {
                    name_of(path)
                        .is_some_and(|name| !name.starts_with('.') && name_pattern.matches(&name))
                });
                paths.sort_unstable();
                paths
            }
            Err(error) => {
                report_unread(folder, place, &error, problems);
                unread.push(folder.to_owned());
                Vec::new()
            }
        }
    }
}

/// Reports a missing or unreadable folder. An empty folder is valid. A missing one (such as an unmounted volume) is an
/// error, since all its users would silently be removed.
fn report_unread(folder: &Path, place: Place, error: &std::io::Error, problems: &Problems) {
    let (message, hint) = match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => (
            format!("there is no folder {}", folder.display()),
            "make it, or remove it from `include`",
        ),
        _ => (
            format!("cannot read {}: {error}", folder.display()),
            "check the folder and its mode",
        ),
    };
    problems.error(place, message, hint);
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}
