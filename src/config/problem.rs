//! Problems of a config, collected so that one run reports all of them.

use super::source::{Place, Sources};
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::cell::RefCell;

/// Whether a problem stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The config is rejected.
    Error,
    /// The config is valid, but probably not as intended.
    Warning,
}

/// Whether a report shows the source line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// The line is shown with a marker.
    Shown,
    /// The line is not shown: it may contain a secret, and reports end up in logs.
    Withheld,
}

/// One problem with its place and a hint.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Description in one sentence.
    pub message: String,
    /// Its place; `None` if it has none in a file.
    pub place: Option<Place>,
    /// Whether the source line is shown.
    pub excerpt: Excerpt,
    /// Remedy.
    pub hint: Option<String>,
}

/// Collects the problems of one load.
#[derive(Debug, Default)]
pub struct Problems {
    list: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Reports an error at a place.
    pub fn error(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, Some(place), message.into(), hint.into());
    }

    /// Reports an error about a possible secret: the report shows its place and not its text.
    pub fn error_about_secret(
        &self,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Severity::Error, Some(place), message.into(), hint.into());
        if let Some(problem) = self.list.borrow_mut().last_mut() {
            problem.excerpt = Excerpt::Withheld;
        }
    }

    /// Reports an error without a place in a config file.
    pub fn error_without_place(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Error, None, message.into(), hint.into());
    }

    /// Reports a warning.
    pub fn warning(&self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Severity::Warning, Some(place), message.into(), hint.into());
    }

    /// Appends other problems.
    pub(super) fn append(&self, others: Self) {
        self.list.borrow_mut().append(&mut others.list.into_inner());
    }

    /// Whether there is any error.
    pub fn any_error(&self) -> bool {
        self.list
            .borrow()
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The first problem of a severity, by place.
    pub fn first_of(&self, severity: Severity) -> Option<Problem> {
        let list = self.list.borrow();
        list.iter()
            .filter(|problem| problem.severity == severity)
            .min_by_key(|problem| problem.place)
            .cloned()
    }

    /// All problems: errors first, each severity by place.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut list = self.list.into_inner();
        list.sort_by_key(|problem| (problem.severity == Severity::Warning, problem.place));
        list
    }

    fn push(&self, severity: Severity, place: Option<Place>, message: String, hint: String) {
        let hint = (!hint.is_empty()).then_some(hint);
        let excerpt = Excerpt::Shown;
        self.list.borrow_mut().push(Problem {
            severity,
            message,
            place,
            excerpt,
            hint,
        });
    }
}

/// Renders problems as compilers do, each with its source lines.
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

/// The first line of a span: for a table, its heading.
fn visible_span(place: Place, text: &str) -> std::ops::Range<usize> {
    let range = place.range();
    // A long span may be cut off inside a character.
    let range = range.start..text.floor_char_boundary(range.end);
    let end = text
        .get(range.clone())
        .and_then(|span| span.find('\n'))
        .map_or(range.end, |newline| range.start + newline);
    range.start..end
}
