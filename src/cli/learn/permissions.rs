//! Derives from the needs of a user the smallest list of permissions that grants them: exact texts, with a wildcard only for a
//! path segment with many values, or with a capture of the route.

use crate::authorize::{CompiledPermission, Effect, Permission, RequirementSubject};
use crate::cli::decisions::Occurrences;
use crate::config::Place;
use crate::route::Requirement;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// A permission that a request required.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LearnedNeed {
    /// A method on a canonical path.
    Path { method: String, path: String },
    /// A name, in lower case: names are compared without case.
    Name(String),
}

impl LearnedNeed {
    /// The needs of a requirement as written in the log. Empty if the request required no permission.
    pub(super) fn all_of(requirement: &str) -> Vec<Self> {
        match requirement.split_once(' ') {
            _ if requirement.starts_with('(') => Vec::new(),
            Some((method, path)) if path.starts_with('/') => {
                vec![Self::Path {
                    method: method.to_owned(),
                    path: path.to_owned(),
                }]
            }
            _ => requirement
                .split(" and ")
                .map(|name| Self::Name(name.to_ascii_lowercase()))
                .collect(),
        }
    }

    pub(super) fn requirement(&self) -> Requirement<'_> {
        match self {
            Self::Path { method, path } => Requirement::MethodAndPath {
                method,
                path: Cow::Borrowed(path),
            },
            Self::Name(name) => Requirement::Named(name.as_str().into()),
        }
    }

    /// Whether a text has a backslash. It would escape a following wildcard, so such a text cannot be expressed.
    fn has_backslash(&self) -> bool {
        match self {
            Self::Path { method, path } => method.contains('\\') || path.contains('\\'),
            Self::Name(name) => name.contains('\\'),
        }
    }
}

/// The uses of a need.
#[derive(Clone, Debug)]
pub(super) struct NeedUse {
    pub(super) seen: Occurrences,
    /// Number of requests that only shadow mode permitted.
    pub(super) on_trial: u64,
    /// Indexes of path segments that are captures of the route.
    pub(super) captures: BTreeSet<usize>,
}

/// One permission of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LearnedPermission {
    pub(super) text: String,
    pub(super) seen: Occurrences,
    pub(super) on_trial: u64,
    /// Number of different needs that it grants.
    pub(super) kinds: usize,
}

/// The segments of a path; `None` is a wildcard.
type Segments = Vec<Option<Rc<str>>>;

/// The needs that one pattern covers, by index.
struct PathGroup {
    needs: Vec<usize>,
    captures: BTreeSet<usize>,
}

/// The permissions, sorted by text, and the needs that no permission can express.
pub(super) fn learn(
    needs: &BTreeMap<LearnedNeed, NeedUse>,
    threshold: usize,
) -> (Vec<LearnedPermission>, Vec<LearnedNeed>) {
    let (left_out, needs): (Vec<_>, Vec<_>) =
        needs.iter().partition(|(need, _)| need.has_backslash());
    let mut texts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut by_method: BTreeMap<&str, BTreeMap<Segments, PathGroup>> = BTreeMap::new();
    for (at, (need, needed)) in needs.iter().enumerate() {
        match need {
            LearnedNeed::Name(name) => texts.entry(escaped(name)).or_default().push(at),
            LearnedNeed::Path { method, path } => {
                let segments = path
                    .split('/')
                    .skip(1)
                    .map(|segment| Some(segment.into()))
                    .collect();
                let covered = PathGroup {
                    needs: vec![at],
                    captures: needed.captures.clone(),
                };
                by_method
                    .entry(method)
                    .or_default()
                    .insert(segments, covered);
            }
        }
    }
    for (method, mut paths) in by_method {
        while collapse_one(&mut paths, threshold) {}
        for (segments, covered) in paths {
            texts.insert(text_of(method, &segments), covered.needs);
        }
    }
    let learned = without_superfluous(texts, &needs);
    (
        learned,
        left_out.into_iter().map(|(need, _)| need.clone()).collect(),
    )
}

/// Collapses paths at the first segment index where a wildcard applies. Returns whether there was one.
fn collapse_one(paths: &mut BTreeMap<Segments, PathGroup>, threshold: usize) -> bool {
    let longest = paths.keys().map(Vec::len).max().unwrap_or(0);
    for at in 0..longest {
        let mut groups: BTreeMap<Segments, Vec<Segments>> = BTreeMap::new();
        for segments in paths.keys().filter(|segments| segments.len() > at) {
            groups
                .entry(with_wildcard(segments, at))
                .or_default()
                .push(segments.clone());
        }
        groups.retain(|_, group| {
            let is_capture = group.iter().all(|segments| {
                paths
                    .get(segments)
                    .is_some_and(|it| it.captures.contains(&at))
            });
            let enough = match (is_capture, at) {
                (true, _) => true,
                // The first segment names parts of an API, not objects of one kind.
                (false, 0) => false,
                (false, _) => group.len() >= threshold || has_wildcard_at(group, at),
            };
            group.len() >= 2 && enough
        });
        let is_collapsed = !groups.is_empty();
        for (wide, group) in groups {
            let mut all = PathGroup {
                needs: Vec::new(),
                captures: BTreeSet::new(),
            };
            for one in group.iter().filter_map(|segments| paths.remove(segments)) {
                all.needs.extend(one.needs);
                all.captures.extend(one.captures);
            }
            paths.insert(wide, all);
        }
        if is_collapsed {
            return true;
        }
    }
    false
}

/// Whether one path of the group has a wildcard at this index already, which grants the others.
fn has_wildcard_at(group: &[Segments], at: usize) -> bool {
    group.iter().any(|segments| segments.get(at) == Some(&None))
}

fn with_wildcard(segments: &Segments, at: usize) -> Segments {
    let mut wide = segments.clone();
    if let Some(segment) = wide.get_mut(at) {
        *segment = None;
    }
    wide
}

fn text_of(method: &str, segments: &Segments) -> String {
    let mut text = format!("{} ", escaped(method));
    for segment in segments {
        text.push('/');
        text.push_str(&segment.as_deref().map_or_else(|| "*".to_owned(), escaped));
    }
    text
}

/// Escapes wildcards, so that the permission matches the text literally.
fn escaped(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

/// Removes permissions that another one makes superfluous: `*` also matches slashes, so a wildcard may grant their needs.
fn without_superfluous(
    texts: BTreeMap<String, Vec<usize>>,
    needs: &[(&LearnedNeed, &NeedUse)],
) -> Vec<LearnedPermission> {
    let mut kept: Vec<(String, Permission, Vec<usize>)> = texts
        .into_iter()
        .map(|(text, covered)| {
            let compiled = CompiledPermission::new(text.as_str(), Effect::Grant);
            (
                text,
                Permission::new(Arc::new(compiled), Place::nowhere()),
                covered,
            )
        })
        .collect();
    let mut at = 0;
    while let Some((_, _, covered)) = kept.get(at) {
        let grants_all = |permission: &Permission| {
            let mut all = covered.iter().filter_map(|need| needs.get(*need));
            all.all(|(need, _)| permission.grants(&RequirementSubject::of(&need.requirement())))
        };
        let has_wildcard = |text: &str| text.replace("\\*", "").contains('*');
        let wider = kept
            .iter()
            .position(|(text, permission, _)| has_wildcard(text) && grants_all(permission));
        let other = wider.filter(|other| *other != at).or_else(|| {
            let mut rest = kept.iter().enumerate().skip(at + 1);
            rest.find(|(_, (text, permission, _))| has_wildcard(text) && grants_all(permission))
                .map(|(other, _)| other)
        });
        match other {
            Some(other) => {
                let (_, _, covered) = kept.remove(at);
                let other = if other > at { other - 1 } else { other };
                if let Some((_, _, all)) = kept.get_mut(other) {
                    all.extend(covered);
                }
                // Earlier entries need no second check: they were compared with all remaining entries.
            }
            None => at += 1,
        }
    }
    kept.into_iter()
        .filter_map(|(text, _, covered)| learned(text, &covered, needs))
        .collect()
}

fn learned(
    text: String,
    covered: &[usize],
    needs: &[(&LearnedNeed, &NeedUse)],
) -> Option<LearnedPermission> {
    let mut all = covered
        .iter()
        .filter_map(|need| needs.get(*need))
        .map(|(_, needed)| *needed);
    let first = all.next()?;
    let mut sum = LearnedPermission {
        text,
        seen: first.seen.clone(),
        on_trial: first.on_trial,
        kinds: covered.len(),
    };
    for needed in all {
        sum.seen.add(&needed.seen);
        sum.on_trial += needed.on_trial;
    }
    Some(sum)
}

#[cfg(test)]
mod tests;
