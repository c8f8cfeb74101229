//! How much of a set of texts a set of patterns matches: all, some or none. Exact, and too slow for requests.

use super::{Case, Token, tokens};
use std::collections::HashSet;

/// A part of the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Exactly these bytes.
    Text(Vec<u8>),
    /// One or more bytes without a slash.
    Segment,
    /// The empty text, or a slash and any text.
    Below,
    /// Any text.
    Anything,
}

impl Part {
    /// An exact text.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().to_vec())
    }
}

/// How many of the texts match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of them.
    All,
    /// Some of them, or the computation was cut short.
    Some,
    /// None of them.
    None,
}

/// How many of the texts composed of `parts` match at least one pattern. `patterns` are the texts of patterns.
pub fn coverage<'p>(
    patterns: impl IntoIterator<Item = &'p [u8]>,
    parts: &[Part],
    case: Case,
) -> Coverage {
    let texts = Automaton::of_parts(parts, case);
    let matching = Automaton::of_patterns(patterns, case);
    let bytes = alphabet(&texts, &matching);
    let mut pending = vec![(texts.start(), matching.start())];
    let mut visited: HashSet<(Positions, Positions)> = pending.iter().cloned().collect();
    let mut any_match = false;
    let mut any_mismatch = false;
    while let Some((text, pattern)) = pending.pop() {
        if texts.is_whole(&text) {
            let matches = matching.is_whole(&pattern);
            any_match |= matches;
            any_mismatch |= !matches;
        }
        if (any_match && any_mismatch) || visited.len() > MAX_STATES {
            return Coverage::Some;
        }
        for byte in &bytes {
            let next = (texts.after(&text, *byte), matching.after(&pattern, *byte));
            if !next.0.is_empty() && visited.insert(next.clone()) {
                pending.push(next);
            }
        }
    }
    if any_match {
        Coverage::All
    } else {
        Coverage::None
    }
}

/// Limit on visited states. Beyond it, the result is [`Coverage::Some`].
const MAX_STATES: usize = 5_000;

/// Positions, ascending and unique.
type Positions = Vec<usize>;

/// A nondeterministic automaton: chains of steps in one vector, each ending with [`Step::End`].
struct Automaton {
    steps: Vec<Step>,
    starts: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Step {
    Byte(u8),
    AnyByte,
    NoSlash,
    AnyRun,
    NoSlashRun,
    /// The next steps are optional; the value is their number.
    Optional(usize),
    End,
}

impl Step {
    fn of(byte: u8, case: Case) -> Self {
        match case {
            Case::Folds => Self::Byte(byte.to_ascii_lowercase()),
            Case::Matters => Self::Byte(byte),
        }
    }
}

impl Automaton {
    fn of_parts(parts: &[Part], case: Case) -> Self {
        let mut steps = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => steps.extend(text.iter().map(|byte| Step::of(*byte, case))),
                Part::Segment => steps.extend([Step::NoSlash, Step::NoSlashRun]),
                Part::Below => steps.extend([Step::Optional(2), Step::Byte(b'/'), Step::AnyRun]),
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
        let mut steps = Vec::new();
        let mut starts = Vec::new();
        for pattern in patterns {
            starts.push(steps.len());
            steps.extend(tokens(pattern).map(|token| match token {
                Token::Byte(byte) => Step::of(byte, case),
                Token::AnyByte => Step::AnyByte,
                Token::AnyRun => Step::AnyRun,
            }));
            steps.push(Step::End);
        }
        Self { steps, starts }
    }

    fn start(&self) -> Positions {
        self.closed(self.starts.clone())
    }

    fn is_whole(&self, at: &Positions) -> bool {
        at.iter()
            .any(|at| matches!(self.steps.get(*at), Some(Step::End)))
    }

    fn after(&self, set: &Positions, byte: u8) -> Positions {
        let next = set.iter().filter_map(|at| match self.steps.get(*at)? {
            Step::Byte(wanted) if *wanted == byte => Some(at + 1),
            Step::NoSlash if byte != b'/' => Some(at + 1),
            Step::NoSlashRun if byte != b'/' => Some(*at),
            Step::AnyByte => Some(at + 1),
            Step::AnyRun => Some(*at),
            Step::Byte(_) | Step::NoSlash | Step::NoSlashRun | Step::Optional(_) | Step::End => {
                None
            }
        });
        self.closed(next.collect())
    }

    /// Adds all positions that are reachable without a byte (epsilon closure).
    fn closed(&self, mut set: Positions) -> Positions {
        let mut at = 0;
        while let Some(position) = set.get(at).copied() {
            match self.steps.get(position) {
                Some(Step::AnyRun | Step::NoSlashRun) => set.push(position + 1),
                Some(Step::Optional(count)) => set.extend([position + 1, position + 1 + count]),
                _ => {}
            }
            at += 1;
        }
        set.sort_unstable();
        set.dedup();
        set
    }
}

/// The bytes in both automata, a slash, and one byte that represents all others.
fn alphabet(texts: &Automaton, matching: &Automaton) -> Vec<u8> {
    let named = texts
        .steps
        .iter()
        .chain(&matching.steps)
        .filter_map(|step| match step {
            Step::Byte(byte) => Some(*byte),
            _ => None,
        });
    let mut bytes: Vec<u8> = named.chain([b'/']).collect();
    bytes.sort_unstable();
    bytes.dedup();
    let other = (0..=u8::MAX).find(|byte| bytes.binary_search(byte).is_err());
    bytes.extend(other);
    bytes
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

    /// All texts of three bytes, and shorter ones, that the parts make: from the definition.
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
