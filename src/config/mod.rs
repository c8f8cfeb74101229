//! The config files as text: reading, includes, places and problems. Does not interpret values.

mod decode;
mod expectations;
mod include;
mod keys;
#[cfg(test)]
mod keys_read;
mod lenient;
mod mistake;
mod model;
mod parts;
mod places;
mod problem;
mod source;
mod syntax;
mod table;
mod text;
mod unexpanded;
mod unit;
mod watched;
mod config_values;

pub use config_values::{Change, ChangeKind, ConfigValues};
pub use expectations::load_expectations;
pub use include::Include;
#[cfg(test)]
pub(crate) use keys::documented_defaults;
pub use keys::{json_schema, key_reference};
pub use lenient::{TableName, UnreadSection};
pub use model::*;
pub use places::Places;
pub use problem::{Excerpt, Problem, Problems, Severity, render};
pub use source::{FileId, Location, Place, SourceFile, Sources, Spanned};
pub use text::Text;
pub use unexpanded::unexpanded;
pub use watched::WatchedFile;

use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::{self, FileKind};
use keys::Placement;
use keys::root::{INCLUDE, ROOT};
use lenient::ReadableText;
use parts::Parts;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syntax::SyntaxSource;
use table::{ReaderContext, TableReader};
use toml::de::DeTable;

/// Size in bytes above which a file is parsed in parts, since the TOML library needs ten times the size in memory.
const LARGE: usize = 1 << 20;
/// Size of such a part in bytes.
const PART: usize = 256 << 10;

/// Result of loading the config files.
pub struct Loaded {
    /// The config, as far as it could be read.
    pub config: Config,
    /// The files, for showing places.
    pub sources: Sources,
    /// Problems of reading and decoding.
    pub problems: Problems,
    /// Every file and folder that the result depends on, including unreadable ones.
    pub watched: Vec<WatchedFile>,
    /// Whether all files are well-formed TOML. If not, further checks would report misleading errors.
    pub readable: Readable,
    /// The patterns of included files.
    pub includes: Vec<Include>,
    /// Files and folders that are missing, unreadable or not TOML. Their content is unknown.
    pub unread: Vec<PathBuf>,
    /// Sections that [`Occasion::Lenient`] skipped.
    pub unread_sections: Vec<UnreadSection>,
    /// Whether the readable part of a malformed file is used.
    takes_parts: bool,
}

/// Whether the files could be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// All files are well-formed.
    Yes,
    /// A file is missing or not TOML.
    No,
}

/// Why the config is loaded, which determines how strict the load is.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A command or a start. The main file may be a pipe.
    First,
    /// Reads sections after syntax errors, for commands that only need a name or a path. The result must grant nothing.
    Lenient,
    /// A reload. The main file must be a regular file. If it is unreadable, its previous includes are read.
    Again(&'a [Include]),
}

/// Reads the main file and its includes. Never fails: errors are in [`Loaded::problems`].
pub fn load(main: &Path, occasion: Occasion<'_>) -> Loaded {
    let mut loaded = Loaded {
        config: Config::default(),
        sources: Sources::default(),
        problems: Problems::default(),
        watched: Vec::new(),
        readable: Readable::Yes,
        includes: Vec::new(),
        unread: Vec::new(),
        unread_sections: Vec::new(),
        takes_parts: matches!(occasion, Occasion::Lenient),
    };
    let mut singles = Vec::new();
    let folder = main.parent().unwrap_or(Path::new(""));
    let include = |pattern: &Spanned<String>| Include {
        pattern: pattern.value.clone(),
        folder: folder.to_owned(),
    };
    match (loaded.read_main(main, occasion, &mut singles), occasion) {
        (Some(patterns), _) => {
            loaded.includes = patterns.iter().map(include).collect();
            for (pattern, include) in patterns.iter().zip(loaded.includes.clone()) {
                loaded.read_included(&include, pattern.place, &mut singles);
            }
        }
        (None, Occasion::Again(before)) => {
            loaded.includes = before.to_vec();
            for include in before {
                loaded.read_included(include, Place::nowhere(), &mut singles);
            }
        }
        (None, Occasion::First | Occasion::Lenient) => {}
    }
    loaded.config.api_users.shrink_to_fit();
    loaded
}

#[derive(Clone, Copy)]
enum FileRole {
    Main,
    Included(Place),
}

/// Tables that may occur in one file only, and their places.
type Singles = Vec<(&'static str, Place)>;

impl Loaded {
    /// The include patterns of the main file. `None` if the file cannot be read.
    fn read_main(
        &mut self,
        path: &Path,
        occasion: Occasion<'_>,
        singles: &mut Singles,
    ) -> Option<Vec<Spanned<String>>> {
        self.watched.push(WatchedFile::new(path));
        let text = match occasion {
            Occasion::First | Occasion::Lenient => {
                file_read::read_text_or_pipe(path, FileKind::Config)
            }
            Occasion::Again(_) => file_read::read_text(path, FileKind::Config),
        };
        self.read_text(path, text, FileRole::Main, singles)
    }

    fn read_included(&mut self, include: &Include, place: Place, singles: &mut Singles) {
        let files = include.expand(place, &self.problems, &mut self.watched, &mut self.unread);
        for path in files {
            self.watched.push(WatchedFile::new(&path));
            let text = file_read::read_text(&path, FileKind::Config);
            self.read_text(&path, text, FileRole::Included(place), singles);
        }
    }

    fn read_text(
        &mut self,
        path: &Path,
        text: std::io::Result<String>,
        role: FileRole,
        singles: &mut Singles,
    ) -> Option<Vec<Spanned<String>>> {
        let read = match text {
            Ok(text) => self.decode_file(path, text, role, singles),
            Err(error) => {
                self.unreadable(role, path, &error);
                None
            }
        };
        if read.is_none() {
            self.readable = Readable::No;
            self.unread.push(path.to_owned());
        }
        read
    }

    fn decode_file(
        &mut self,
        path: &Path,
        text: String,
        role: FileRole,
        singles: &mut Singles,
    ) -> Option<Vec<Spanned<String>>> {
        let Some(file) = self.sources.add(path.to_owned(), text) else {
            self.report(role, "more than 65,535 config files".to_owned(), None);
            return None;
        };
        let text = self.sources.file(file)?.text.clone();
        if text.len() > LARGE
            && let Some(Parts {
                rest,
                api_users,
                problems,
            }) = parts::read(file, &text, PART)
        {
            // The users are parsed in parts; the rest of the file is small.
            self.config.api_users.extend(api_users);
            self.problems.append(problems);
            return self.decode_parsed(file, &rest, &text, role, singles);
        }
        self.decode_parsed(file, &text, &text, role, singles)
    }

    /// Decodes `parsed`: a whole file, or its rest without users. `text` is the file, for places.
    fn decode_parsed(
        &mut self,
        file: FileId,
        parsed: &str,
        text: &Arc<String>,
        role: FileRole,
        singles: &mut Singles,
    ) -> Option<Vec<Spanned<String>>> {
        let (mut root, errors) = DeTable::parse_recoverable(parsed);
        let path = self
            .sources
            .file(file)
            .map_or(Path::new(""), |source| &source.path);
        let readable = syntax::report(
            &errors,
            SyntaxSource {
                path,
                file,
                text: parsed,
            },
            &self.problems,
        );
        if readable == Readable::No && !self.takes_parts {
            return None;
        }
        let repaired;
        if readable == Readable::No {
            repaired = ReadableText::of(parsed);
            let sections = repaired.unread.iter().cloned();
            self.unread_sections
                .extend(sections.map(|section| UnreadSection {
                    path: path.to_owned(),
                    ..section
                }));
            root = DeTable::parse_recoverable(&repaired.text).0;
        }
        let place = Place::new(file, &(0..0));
        // After a syntax error, further errors are misleading, since the rest is read by guess.
        let ignored = Problems::default();
        let problems = if readable == Readable::No {
            &ignored
        } else {
            &self.problems
        };
        let context = ReaderContext {
            problems,
            text,
            offset: 0,
        };
        let mut reader = TableReader::new(String::new(), &ROOT, root.get_ref(), place, context);
        let includes = reader.strings(&INCLUDE);
        if let (FileRole::Included(_), Some(first)) = (role, includes.first())
            && INCLUDE.placement() == Placement::MainFile
        {
            problems.error(
                first.place,
                "an included file cannot include others",
                "list the files in the main file",
            );
        }
        decode::decode(reader, &mut self.config, singles);
        Some(includes)
    }

    fn unreadable(&self, role: FileRole, path: &Path, error: &std::io::Error) {
        let is_known = matches!(
            error.kind(),
            ErrorKind::InvalidData | ErrorKind::IsADirectory
        );
        let misplaced = is_known
            .then(|| FileFormat::misplaced_file(path, FileKind::Config))
            .flatten();
        match misplaced {
            Some(FileAdvice { what, hint }) => {
                self.report(
                    role,
                    format!("cannot read {}: it {what}", path.display()),
                    Some(hint),
                );
            }
            None => {
                let part = |part: std::path::Component<'_>| {
                    unexpanded(&part.as_os_str().to_string_lossy())
                };
                let hint = path
                    .components()
                    .find_map(part)
                    .or_else(|| hint_without_config(role, error));
                self.report(
                    role,
                    format!("cannot read {}: {error}", path.display()),
                    hint,
                );
            }
        }
    }

    fn report(&self, role: FileRole, message: String, hint: Option<String>) {
        let hint_or = |default: &str| hint.clone().unwrap_or_else(|| default.to_owned());
        match role {
            FileRole::Main => self
                .problems
                .error_without_place(message, hint_or("name the config file with --config FILE")),
            FileRole::Included(place) => {
                self.problems
                    .error(place, message, hint_or("check the file and its mode"))
            }
        }
    }
}

/// Hint for a missing main file. `None` for other errors.
fn hint_without_config(role: FileRole, error: &std::io::Error) -> Option<String> {
    let is_missing = matches!(role, FileRole::Main) && error.kind() == ErrorKind::NotFound;
    is_missing.then(|| {
        "name the config file with --config FILE; `portcullis quickstart` makes a config that runs, with certificates"
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
