//! How much of a set of texts a pattern matches: all, some or none. Exact, and far too slow for requests.

use super::{Case, Token, tokens};
use std::collections::HashSet;

/// A part of the texts that are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These octets.
    Text(Vec<u8>),
    /// One or more octets without a slash.
    Segment,
    /// Nothing, or a slash and whatever follows.
    Below,
    /// Whatever.
    Anything,
}

impl Part {
    /// A text.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().to_vec())
    }
}

/// How many of the texts match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every one.
    All,
    /// Some do and some do not, or it takes too long to say.
    Some,
    /// None.
    None,
}

/// How many of the texts that are made of these parts match any of the patterns, as they are written.
pub fn coverage<'p>(
    patterns: impl IntoIterator<Item = &'p [u8]>,
    parts: &[Part],
    case: Case,
) -> Coverage {
    let (texts, matching) = (
        Automaton::of_parts(parts, case),
        Automaton::of_patterns(patterns, case),
    );
    let octets = alphabet(&texts, &matching);
    let mut waiting = vec![(texts.start(), matching.start())];
    let mut seen: HashSet<(Set, Set)> = waiting.iter().cloned().collect();
    let (mut inside, mut outside) = (false, false);
    while let Some((text, pattern)) = waiting.pop() {
        if texts.is_whole(&text) {
            let matches = matching.is_whole(&pattern);
            (inside, outside) = (inside || matches, outside || !matches);
        }
        if (inside && outside) || seen.len() > MOST_STATES {
            return Coverage::Some;
        }
        for octet in &octets {
            let next = (texts.after(&text, *octet), matching.after(&pattern, *octet));
            if !next.0.is_empty() && seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
    }
    if inside {
        Coverage::All
    } else {
        Coverage::None
    }
}

/// Patterns that need more are not worth the wait.
const MOST_STATES: usize = 5_000;

/// Positions, ascending, each once.
type Set = Vec<usize>;

/// Several chains of steps, one behind the other; each ends with [`Step::End`].
struct Automaton {
    steps: Vec<Step>,
    starts: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Step {
    Octet(u8),
    AnyOctet,
    NoSlash,
    AnyRun,
    NoSlashRun,
    /// The next steps, so many of them, may be left out.
    Maybe(usize),
    End,
}

impl Step {
    fn of(octet: u8, case: Case) -> Self {
        match case {
            Case::Folds => Self::Octet(octet.to_ascii_lowercase()),
            Case::Matters => Self::Octet(octet),
        }
    }
}

impl Automaton {
    fn of_parts(parts: &[Part], case: Case) -> Self {
        let mut steps = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => steps.extend(text.iter().map(|octet| Step::of(*octet, case))),
                Part::Segment => steps.extend([Step::NoSlash, Step::NoSlashRun]),
                Part::Below => steps.extend([Step::Maybe(2), Step::Octet(b'/'), Step::AnyRun]),
                Part::Anything => steps.push(Step::AnyRun),
            }
        }
        steps.push(Step::End);
        Self {
            steps,
            starts: vec![0],
        }
    }

    fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p [u8]>, case: Case) -> Self {
        let (mut steps, mut starts) = (Vec::new(), Vec::new());
        for pattern in patterns {
            starts.push(steps.len());
            steps.extend(tokens(pattern).map(|token| match token {
                Token::Octet(octet) => Step::of(octet, case),
                Token::AnyOctet => Step::AnyOctet,
                Token::AnyRun => Step::AnyRun,
            }));
            steps.push(Step::End);
        }
        Self { steps, starts }
    }

    fn start(&self) -> Set {
        self.closed(self.starts.clone())
    }

    fn is_whole(&self, at: &Set) -> bool {
        at.iter()
            .any(|at| matches!(self.steps.get(*at), Some(Step::End)))
    }

    fn after(&self, set: &Set, octet: u8) -> Set {
        let next = set.iter().filter_map(|at| match self.steps.get(*at)? {
            Step::Octet(wanted) if *wanted == octet => Some(at + 1),
            Step::NoSlash if octet != b'/' => Some(at + 1),
            Step::NoSlashRun if octet != b'/' => Some(*at),
            Step::AnyOctet => Some(at + 1),
            Step::AnyRun => Some(*at),
            Step::Octet(_) | Step::NoSlash | Step::NoSlashRun | Step::Maybe(_) | Step::End => None,
        });
        self.closed(next.collect())
    }

    /// With all positions that are reached without an octet.
    fn closed(&self, mut set: Set) -> Set {
        let mut at = 0;
        while let Some(position) = set.get(at).copied() {
            match self.steps.get(position) {
                Some(Step::AnyRun | Step::NoSlashRun) => set.push(position + 1),
                Some(Step::Maybe(count)) => set.extend([position + 1, position + 1 + count]),
                _ => {}
            }
            at += 1;
        }
        set.sort_unstable();
        set.dedup();
        set
    }
}

/// The octets that anybody names, a slash, and one that stands for all others.
fn alphabet(texts: &Automaton, matching: &Automaton) -> Vec<u8> {
    let named = texts
        .steps
        .iter()
        .chain(&matching.steps)
        .filter_map(|step| match step {
            Step::Octet(octet) => Some(*octet),
            _ => None,
        });
    let mut octets: Vec<u8> = named.chain([b'/']).collect();
    octets.sort_unstable();
    octets.dedup();
    let other = (0..=u8::MAX).find(|octet| octets.binary_search(octet).is_err());
    octets.extend(other);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;
    use proptest::prelude::*;

    fn of(pattern: &str, parts: &[Part]) -> Coverage {
        coverage([pattern.as_bytes()], parts, Case::Folds)
    }

    #[test]
    fn captures_and_what_is_below_are_known() {
        let query = [Part::text("objects/query/"), Part::Segment];
        for (pattern, expected) in [
            ("*", Coverage::All),
            ("objects/*", Coverage::All),
            ("OBJECTS/query/?*", Coverage::All),
            ("objects/query/h*", Coverage::Some),
            ("objects/query/hosts", Coverage::Some),
            ("objects/query/", Coverage::None),
            ("objects/query/*/x", Coverage::None),
            ("actions/*", Coverage::None),
        ] {
            assert_eq!(of(pattern, &query), expected, "{pattern}");
        }
        let api = [Part::text("/api"), Part::Below];
        for (pattern, expected) in [
            ("/api*", Coverage::All),
            ("/api/*", Coverage::Some),
            ("/api", Coverage::Some),
            ("/apix*", Coverage::None),
        ] {
            assert_eq!(of(pattern, &api), expected, "{pattern}");
        }
    }

    #[test]
    fn several_patterns_may_cover_together_what_none_covers_alone() {
        let patterns = ["/api", "/api/*"].map(str::as_bytes);
        assert_eq!(
            coverage(patterns, &[Part::text("/api"), Part::Below], Case::Matters),
            Coverage::All
        );
        assert_eq!(
            coverage([], &[Part::Anything], Case::Matters),
            Coverage::None
        );
    }

    #[test]
    fn what_takes_too_long_is_some() {
        let pattern = "*a".to_owned() + &"?".repeat(40);
        assert_eq!(of(&pattern, &[Part::Anything]), Coverage::Some);
    }

    fn part() -> impl Strategy<Value = Part> {
        let text = "[ab/]{0,2}".prop_map(Part::text);
        prop_oneof![
            text,
            Just(Part::Segment),
            Just(Part::Below),
            Just(Part::Anything)
        ]
    }

    /// All texts of three octets, and shorter ones, that the parts make: from the definition.
    fn texts(parts: &[Part]) -> Vec<Vec<u8>> {
        let is_made_of = |text: &[u8]| made_of(parts, text);
        let letters = [b'a', b'b', b'/', b'c'];
        let mut all: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 0..4 {
            let longer = all
                .iter()
                .filter(|text| text.len() == length)
                .flat_map(|text| {
                    letters
                        .iter()
                        .map(|letter| [text.as_slice(), &[*letter]].concat())
                });
            let longer: Vec<_> = longer.collect();
            all.extend(longer);
        }
        all.retain(|text| is_made_of(text));
        all
    }

    fn made_of(parts: &[Part], text: &[u8]) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            return text.is_empty();
        };
        (0..=text.len()).any(|at| {
            let (begin, end) = text.split_at(at);
            let fits = match first {
                Part::Text(wanted) => begin == wanted,
                Part::Segment => !begin.is_empty() && !begin.contains(&b'/'),
                Part::Below => begin.is_empty() || begin.starts_with(b"/"),
                Part::Anything => true,
            };
            fits && made_of(rest, end)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn what_is_sure_holds_for_every_text(
            patterns in proptest::collection::vec("[ab/*?]{0,4}", 0..3), parts in proptest::collection::vec(part(), 1..4),
        ) {
            let covered = coverage(patterns.iter().map(String::as_bytes), &parts, Case::Matters);
            let patterns: Vec<_> = patterns.iter().map(|text| Pattern::new(text, Case::Matters)).collect();
            let matching = |text: &Vec<u8>| patterns.iter().any(|pattern| pattern.matches(text));
            let (yes, no): (Vec<_>, Vec<_>) = texts(&parts).into_iter().partition(matching);
            prop_assert!(covered != Coverage::All || no.is_empty(), "{:?}", no);
            prop_assert!(covered != Coverage::None || yes.is_empty(), "{:?}", yes);
            prop_assert!(yes.is_empty() || no.is_empty() || covered == Coverage::Some);
        }
    }
}
