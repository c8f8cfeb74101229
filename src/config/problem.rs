//! What is wrong with a config, collected so that one run reports everything. Decides nothing about meaning.

use super::source::{Place, Sources};
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::cell::RefCell;

/// Whether a problem stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The config is refused.
    Error,
    /// The config works, but will hurt.
    Warning,
}

/// Whether a report shows the line that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// As people know it from compilers.
    Shown,
    /// Reports end in logs, and there may be a secret in the line.
    Withheld,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Refuses the config, or only warns.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it stands; `None` for what has no place in a file.
    pub place: Option<Place>,
    /// Whether the place is shown with its line.
    pub excerpt: Excerpt,
    /// What to do.
    pub hint: Option<String>,
}

/// Collects the problems of one load.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Reports an error at a place.
    pub fn error(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, Some(place), message.into(), hint.into());
    }

    /// Reports an error about what may be a secret: where it stands is said, and nothing of it is shown.
    pub fn error_about_secret(
        &self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Severity::Error, Some(place), message.into(), hint.into());
        if let Some(problem) = self.found.borrow_mut().last_mut() {
            problem.excerpt = Excerpt::Withheld;
        }
    }

    /// Reports an error that stands nowhere in a config file.
    pub fn error_without_place(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, None, message.into(), hint.into());
    }

    /// Reports what works but will hurt.
    pub fn warning(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Warning, Some(place), message.into(), hint.into());
    }

    /// Takes over what was found elsewhere.
    pub(super) fn append(&self, others: Self) {
        self.found
            .borrow_mut()
            .append(&mut others.found.into_inner());
    }

    /// Whether anything was found that refuses the config.
    pub fn any_error(&self) -> bool {
        self.found
            .borrow()
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The first of this kind, in the order of the files.
    pub fn first_of(&self, severity: Severity) -> Option<Problem> {
        let found = self.found.borrow();
        found
            .iter()
            .filter(|problem| problem.severity == severity)
            .min_by_key(|problem| problem.place)
            .cloned()
    }

    /// All that was found: errors first, then in the order of the files.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.place));
        found
    }

    fn push(&self, severity: Severity, place: Option<Place>, message: String, hint: String) {
        let hint = (!hint.is_empty()).then_some(hint);
        let excerpt = Excerpt::Shown;
        self.found.borrow_mut().push(Problem {
            severity,
            message,
            place,
            excerpt,
            hint,
        });
    }
}

/// Renders problems as people know them from compilers, each with its lines of source.
pub fn render(problems: &[Problem], sources: &Sources) -> String {
    problems
        .iter()
        .map(|problem| render_one(problem, sources) + "\n")
        .collect()
}

fn render_one(problem: &Problem, sources: &Sources) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&problem.message);
    let place = problem
        .place
        .and_then(|place| Some((place, sources.file(place.file)?)));
    let path = place
        .map(|(_, file)| file.path.display().to_string())
        .unwrap_or_default();
    let mut group = match place {
        Some((place, file)) if problem.excerpt == Excerpt::Withheld => {
            let before = file.text.get(..place.range().start).unwrap_or_default();
            title.element(Origin::path(path).line(before.matches('\n').count() + 1))
        }
        Some((place, file)) => title.element(
            Snippet::source(file.text.as_str())
                .path(path)
                .annotation(AnnotationKind::Primary.span(visible_span(place, &file.text))),
        ),
        None => annotate_snippets::Group::with_title(title),
    };
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(hint));
    }
    Renderer::plain().render(&[group]).clone()
}

/// Only the first line of a long span: a whole table underlined says less than its heading.
fn visible_span(place: Place, text: &str) -> std::ops::Range<usize> {
    let range = place.range();
    // A long span may be cut inside a character.
    let range = range.start..text.floor_char_boundary(range.end);
    let end = text
        .get(range.clone())
        .and_then(|span| span.find('\n'))
        .map_or(range.end, |newline| range.start + newline);
    range.start..end
}
