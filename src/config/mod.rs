//! The config files as text: reading, includes, places, problems. Knows what is written, not what it means.

mod decode;
mod model;
mod parts;
mod problem;
mod source;
mod table;
mod text;
mod watched;
mod written;

pub use model::*;
pub use problem::{Problem, Problems, Severity, render};
pub use source::{FileId, Place, SourceFile, Sources, Spanned};
pub use text::Text;
pub use watched::WatchedFile;
pub use written::{Change, ChangeKind, Written};

use parts::Parts;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::{Reading, TableReader};
use toml::de::DeTable;

/// A larger file is read in parts: what takes it to pieces takes ten times its size.
const LARGE: usize = 1 << 20;
/// What is parsed at once of such a file.
const PART: usize = 256 << 10;

/// What one load of the config files gave.
pub struct Loaded {
    /// What the files say, as far as it could be read.
    pub config: Config,
    /// The files, for showing places.
    pub sources: Sources,
    /// What is wrong so far.
    pub problems: Problems,
    /// Every file and folder whose change could change the outcome, also of files that could not be read.
    pub watched: Vec<WatchedFile>,
    /// Whether all files are well-formed TOML; without that, looking for more errors would only mislead.
    pub readable: Readable,
}

/// Whether the text could be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// All files.
    Yes,
    /// A file is missing or not TOML.
    No,
}

/// Reads the main file and all that it includes. Never fails: what is wrong is in [`Loaded::problems`].
pub fn load(main: &Path) -> Loaded {
    let mut loaded = Loaded {
        config: Config::default(),
        sources: Sources::default(),
        problems: Problems::default(),
        watched: Vec::new(),
        readable: Readable::Yes,
    };
    let mut singles = Vec::new();
    let includes = loaded.read_file(main, FileRole::Main, &mut singles);
    for pattern in includes {
        for path in loaded.expand(&pattern) {
            loaded.read_file(&path, FileRole::Included(pattern.place), &mut singles);
        }
    }
    loaded.config.api_users.shrink_to_fit();
    loaded
}

#[derive(Clone, Copy)]
enum FileRole {
    Main,
    Included(Place),
}

impl Loaded {
    fn read_file(
        &mut self,
        path: &Path,
        role: FileRole,
        singles: &mut Vec<(&'static str, Place)>,
    ) -> Vec<Spanned<String>> {
        self.watched.push(WatchedFile::new(path));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.unreadable(role, format!("cannot read {}: {error}", path.display()));
                return Vec::new();
            }
        };
        let Some(file) = self.sources.add(path.to_owned(), text) else {
            self.unreadable(role, "more than 65,535 config files".to_owned());
            return Vec::new();
        };
        let Some(text) = self.sources.file(file).map(|source| source.text.clone()) else {
            return Vec::new();
        };
        if text.len() > LARGE
            && let Some(Parts { rest, api_users, problems }) = parts::read(file, &text, PART)
        {
            // Users alone, in many small steps; what is left is small.
            self.config.api_users.extend(api_users);
            self.problems.append(problems);
            return self.decode_whole(file, (&rest, &text), role, singles);
        }
        self.decode_whole(file, (&text, &text), role, singles)
    }

    /// Reads what is parsed at once: a whole file, or what is left of it, with places as in the file.
    fn decode_whole(
        &mut self,
        file: FileId,
        (parsed, text): (&str, &Arc<String>),
        role: FileRole,
        singles: &mut Vec<(&'static str, Place)>,
    ) -> Vec<Spanned<String>> {
        let (root, errors) = DeTable::parse_recoverable(parsed);
        for error in &errors {
            let place = Place::new(file, &error.span().unwrap_or(0..0));
            let duplicate = error.message().contains("duplicate key");
            let hint = if duplicate { "keep one of the two" } else { "" };
            self.problems.error(place, error.message(), hint);
            // A duplicate key leaves the rest readable; any other error does not.
            if !duplicate {
                self.readable = Readable::No;
            }
        }
        if self.readable == Readable::No {
            return Vec::new();
        }
        let place = Place::new(file, &(0..0));
        let reading = Reading { problems: &self.problems, text, offset: 0 };
        let mut reader = TableReader::new(String::new(), root.get_ref(), place, reading);
        let includes = reader.strings("include");
        if let (FileRole::Included(_), Some(first)) = (role, includes.first()) {
            self.problems.error(
                first.place,
                "an included file cannot include others",
                "list the files in the main file",
            );
        }
        decode::decode(reader, &mut self.config, singles);
        includes
    }

    fn unreadable(&mut self, role: FileRole, message: String) {
        self.readable = Readable::No;
        match role {
            FileRole::Main => self.problems.error_without_place(message, "name the config file with --config FILE"),
            FileRole::Included(place) => self.problems.error(place, message, "check the file and its mode"),
        }
    }

    /// The files of one include pattern in the order of their names. A pattern without wildcards must exist.
    fn expand(&mut self, pattern: &Spanned<String>) -> Vec<PathBuf> {
        let full = self.sources.folder(pattern.place.file).join(&pattern.value);
        let folder = full.parent().unwrap_or(Path::new(""));
        let name = full.file_name().unwrap_or_default().to_string_lossy();
        let said_folder = Path::new(&pattern.value).parent().unwrap_or(Path::new(""));
        if has_wildcard(&said_folder.to_string_lossy()) {
            let message = "wildcards are for file names, not for folders";
            self.problems.error(pattern.place, message, "list the folders, one pattern for each");
            return Vec::new();
        }
        if !has_wildcard(&name) {
            return vec![full.clone()];
        }
        // New files appear in the folder, so the folder itself is watched.
        self.watched.push(WatchedFile::new(folder));
        let text = format!("{}", Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(&*name).display());
        match glob::glob(&text) {
            Ok(paths) => {
                self.check_folder(pattern, &full);
                let readable = paths.filter_map(|path| self.or_report_unreadable(pattern, path));
                readable.filter(|path| !is_hidden(path)).collect()
            }
            Err(error) => {
                self.problems.error(
                    pattern.place,
                    format!("bad include pattern: {error}"),
                    "use * and ? in file names",
                );
                Vec::new()
            }
        }
    }

    /// No file in a folder is fine, but a folder that is not there (a volume that is not mounted) is not: all its
    /// users would be gone without a word.
    fn check_folder(&self, pattern: &Spanned<String>, full: &Path) {
        let folder = full.parent().unwrap_or(full);
        if !folder.as_os_str().is_empty() && !folder.is_dir() {
            let message = format!("there is no folder {}", folder.display());
            self.problems.error(pattern.place, message, "make it, or remove it from `include`");
        }
    }

    fn or_report_unreadable(&self, pattern: &Spanned<String>, path: glob::GlobResult) -> Option<PathBuf> {
        path.map_err(|error| {
            let message = format!("cannot read {}: {}", error.path().display(), error.error());
            self.problems.error(pattern.place, message, "check the folder and its mode");
        })
        .ok()
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Editors and Kubernetes keep their own files beside ours; their names start with a dot.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().first() == Some(&b'.'))
}
