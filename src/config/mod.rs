//! The config files as text: reading, includes, places, problems. Knows what is written, not what it means.

mod decode;
mod expectations;
mod include;
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
mod written;

pub use expectations::load_expectations;
pub use include::Include;
pub use lenient::{TableName, UnreadSection};
pub use model::*;
pub use places::Places;
pub use problem::{Excerpt, Problem, Problems, Severity, render};
pub use source::{FileId, Location, Place, SourceFile, Sources, Spanned};
pub use text::Text;
pub use unexpanded::unexpanded;
pub use watched::WatchedFile;
pub use written::{Change, ChangeKind, Written};

use crate::file_format::{FileAdvice, FileFormat};
use crate::file_read::{self, FileKind};
use lenient::ReadableText;
use parts::Parts;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syntax::SyntaxSource;
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
    /// The patterns of included files.
    pub includes: Vec<Include>,
    /// Files and folders that are missing, cannot be read, or are not TOML: nobody knows what they say.
    pub unread: Vec<PathBuf>,
    /// Lines that [`Occasion::Lenient`] left out.
    pub unread_sections: Vec<UnreadSection>,
    /// Whether what can be read of a broken file counts.
    takes_parts: bool,
}

/// Whether the text could be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// All files.
    Yes,
    /// A file is missing or not TOML.
    No,
}

/// What may stand in for the main file, and for what it includes.
#[derive(Clone, Copy, Debug)]
pub enum Occasion<'a> {
    /// A command, or a start. The main file may also be a pipe.
    First,
    /// As far as it can be read, also behind syntax errors: for commands that only look for a name or a path. What is read
    /// like this grants nothing.
    Lenient,
    /// The main file is a regular one. If it says nothing that can be read, it includes what it included before.
    Again(&'a [Include]),
}

/// Reads the main file and all that it includes. Never fails: what is wrong is in [`Loaded::problems`].
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
    let include = |said: &Spanned<String>| Include {
        pattern: said.value.clone(),
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

/// Tables that may stand in one file only, and where they were found.
type Singles = Vec<(&'static str, Place)>;

impl Loaded {
    /// What the main file includes. `None` if nobody knows.
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
        let mended;
        if readable == Readable::No {
            mended = ReadableText::of(parsed);
            let sections = mended.unread.iter().cloned();
            self.unread_sections
                .extend(sections.map(|section| UnreadSection {
                    path: path.to_owned(),
                    ..section
                }));
            root = DeTable::parse_recoverable(&mended.text).0;
        }
        let place = Place::new(file, &(0..0));
        // Behind a syntax error, further errors mislead: what is read there is only a guess.
        let misleading = Problems::default();
        let problems = if readable == Readable::No {
            &misleading
        } else {
            &self.problems
        };
        let reading = Reading {
            problems,
            text,
            offset: 0,
        };
        let mut reader = TableReader::new(String::new(), root.get_ref(), place, reading);
        let includes = reader.strings("include");
        if let (FileRole::Included(_), Some(first)) = (role, includes.first()) {
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
        let or = |usual: &str| hint.clone().unwrap_or_else(|| usual.to_owned());
        match role {
            FileRole::Main => self
                .problems
                .error_without_place(message, or("name the config file with --config FILE")),
            FileRole::Included(place) => {
                self.problems
                    .error(place, message, or("check the file and its mode"))
            }
        }
    }
}

/// What to do about a main file that does not exist.
fn hint_without_config(role: FileRole, error: &std::io::Error) -> Option<String> {
    let is_missing = matches!(role, FileRole::Main) && error.kind() == ErrorKind::NotFound;
    is_missing.then(|| {
        "name the config file with --config FILE; `portcullis quickstart` makes a config that runs, with certificates"
            .to_owned()
    })
}

#[cfg(test)]
mod tests;
