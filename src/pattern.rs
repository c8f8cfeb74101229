//! Patterns with `*` and `?`, Icinga's way. Pure text; knows no users.

mod coverage;

pub use coverage::{Coverage, Part, coverage};

/// Whether letters differ by case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `A` is not `a`.
    Matters,
    /// ASCII letters fold; nothing else does.
    Folds,
}

/// A compiled pattern: `*` is any run of characters (also `/`), `?` is one octet, `\*` and `\?` are literal, every
/// other backslash is a backslash. The whole text must match. Its octets stand in `O` as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern<O = Box<[u8]>> {
    octets: O,
    /// The octets before the first wildcard, [`WORD`] at most, folded where case does not matter. They settle most
    /// comparisons.
    beginning: u64,
    /// How many octets of `beginning` count.
    sure: u8,
    shape: Shape,
    case: Case,
}

/// Octets that are compared at once.
const WORD: usize = 8;

/// A text to be compared with many patterns.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'t> {
    text: &'t [u8],
    beginning: u64,
    folded_beginning: u64,
}

impl<'t> Subject<'t> {
    /// The text, made ready.
    pub fn new(text: &'t [u8]) -> Self {
        let first = text.first_chunk().copied().unwrap_or_else(|| {
            let mut first = [0; WORD];
            first
                .iter_mut()
                .zip(text)
                .for_each(|(place, octet)| *place = *octet);
            first
        });
        let beginning = u64::from_le_bytes(first);
        Self {
            text,
            beginning,
            folded_beginning: u64::from_le_bytes(first.map(|octet| octet.to_ascii_lowercase())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// No wildcard, and nothing that is written otherwise than it is meant.
    Literal,
    /// The same with `*` at its end, by far the most common; also `*` alone.
    Prefix,
    /// Everything else.
    General,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Octet(u8),
    AnyOctet,
    AnyRun,
}

impl Pattern {
    /// Compiles a pattern. Every text is one.
    pub fn new(text: impl AsRef<[u8]>, case: Case) -> Self {
        Self::over(text.as_ref().into(), case)
    }
}

impl<O: AsRef<[u8]>> Pattern<O> {
    /// Compiles a pattern whose text is kept as it is given.
    pub fn over(octets: O, case: Case) -> Self {
        let text = octets.as_ref();
        let mut first = [0; WORD];
        let mut sure = 0;
        for (place, token) in first.iter_mut().zip(tokens(text)) {
            let Token::Octet(octet) = token else { break };
            *place = if case == Case::Folds {
                octet.to_ascii_lowercase()
            } else {
                octet
            };
            sure += 1;
        }
        let special = |octet: &u8| matches!(octet, b'*' | b'?');
        let shape = match text.split_last() {
            Some((b'*', start)) if !start.iter().any(special) && start.last() != Some(&b'\\') => {
                Shape::Prefix
            }
            _ if text.iter().any(special) => Shape::General,
            _ => Shape::Literal,
        };
        Self {
            octets,
            beginning: u64::from_le_bytes(first),
            sure,
            shape,
            case,
        }
    }

    /// Whether the whole text matches. Costs at most pattern length times text length.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.matches_subject(&Subject::new(text))
    }

    /// As [`Self::matches`], for a text that is compared with many patterns.
    pub fn matches_subject(&self, subject: &Subject<'_>) -> bool {
        let beginning = match self.case {
            Case::Matters => subject.beginning,
            // The octets of a pattern that folds are in lower case.
            Case::Folds => subject.folded_beginning,
        };
        let beyond = u64::BITS.saturating_sub(8 * u32::from(self.sure));
        let differs = (beginning ^ self.beginning)
            .checked_shl(beyond)
            .is_some_and(|bits| bits != 0);
        !differs && self.matches_rest(subject.text)
    }

    /// Whether the text matches whose beginning does.
    fn matches_rest(&self, text: &[u8]) -> bool {
        let octets = self.octets.as_ref();
        match self.shape {
            Shape::Literal if octets.len() <= WORD => octets.len() == text.len(),
            Shape::Literal => self.equal(octets, text),
            Shape::Prefix => {
                let prefix = self.before_run();
                let start = text.get(..prefix.len());
                start.is_some_and(|start| prefix.len() <= WORD || self.equal(prefix, start))
            }
            Shape::General => self.matches_general(text).0,
        }
    }

    fn equal(&self, literal: &[u8], text: &[u8]) -> bool {
        match self.case {
            Case::Matters => literal == text,
            Case::Folds => literal.eq_ignore_ascii_case(text),
        }
    }

    /// Two cursors and one point to go back to: when a text fails behind a `*`, the last `*` takes one octet more.
    /// Earlier ones never need to be tried again, since the last can take all that they could. Also gives the number of
    /// steps, which tests hold against the bound.
    fn matches_general(&self, text: &[u8]) -> (bool, usize) {
        let octets = self.octets.as_ref();
        let (mut at_token, mut at_octet, mut steps) = (0, 0, 0);
        let mut last_run: Option<(usize, usize)> = None;
        loop {
            steps += 1;
            let token = token_at(octets, at_token);
            let advanced = match (token, text.get(at_octet)) {
                (None, None) => return (true, steps),
                (Some((Token::AnyRun, behind)), _) => {
                    last_run = Some((behind, at_octet));
                    at_token = behind;
                    continue;
                }
                (Some((Token::AnyOctet, behind)), Some(_)) => Some(behind),
                (Some((Token::Octet(wanted), behind)), Some(octet)) => {
                    self.same_octet(wanted, *octet).then_some(behind)
                }
                _ => None,
            };
            if let Some(behind) = advanced {
                at_token = behind;
                at_octet += 1;
                continue;
            }
            match last_run {
                Some((behind, start)) if start < text.len() => {
                    last_run = Some((behind, start + 1));
                    at_token = behind;
                    at_octet = start + 1;
                }
                _ => return (false, steps),
            }
        }
    }

    fn same_octet(&self, wanted: u8, octet: u8) -> bool {
        match self.case {
            Case::Matters => wanted == octet,
            Case::Folds => wanted.eq_ignore_ascii_case(&octet),
        }
    }

    /// Whether some text matches both patterns, for finding permissions that can never be used.
    pub fn overlaps<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let plain = [self.shape, other.shape]
            .iter()
            .all(|shape| *shape != Shape::General);
        if plain {
            self.overlaps_plainly(other)
        } else {
            self.overlaps_generally(other)
        }
    }

    /// For patterns without wildcards but one at the end.
    fn overlaps_plainly<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let (left, right) = (self.before_run(), other.before_run());
        let common = left.len().min(right.len());
        let starts = left
            .get(..common)
            .zip(right.get(..common))
            .is_some_and(|(left, right)| self.equal(left, right));
        // What is longer than a pattern has to have room in its run.
        let fits =
            |shape: Shape, own: usize, others: usize| shape == Shape::Prefix || own >= others;
        starts
            && fits(self.shape, left.len(), right.len())
            && fits(other.shape, right.len(), left.len())
    }

    /// The octets before the run at the end, if there is one.
    fn before_run(&self) -> &[u8] {
        let octets = self.octets.as_ref();
        let before = octets.split_last().filter(|_| self.shape == Shape::Prefix);
        before.map_or(octets, |(_, before)| before)
    }

    fn overlaps_generally<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let left: Vec<Token> = tokens(self.octets.as_ref()).collect();
        let right: Vec<Token> = tokens(other.octets.as_ref()).collect();
        let mut reachable = vec![false; right.len() + 1];
        let mut row = Vec::new();
        for i in (0..=left.len()).rev() {
            row.clear();
            row.resize(right.len() + 1, false);
            for j in (0..=right.len()).rev() {
                let below = |at: usize| reachable.get(at).copied().unwrap_or(false);
                let beside = row.get(j + 1).copied().unwrap_or(false);
                let meets = match (left.get(i), right.get(j)) {
                    (None, None) => true,
                    (Some(Token::AnyRun), Some(Token::AnyRun)) => {
                        below(j) || beside || below(j + 1)
                    }
                    (Some(Token::AnyRun), _) => below(j) || (right.get(j).is_some() && beside),
                    (_, Some(Token::AnyRun)) => beside || (left.get(i).is_some() && below(j)),
                    (Some(a), Some(b)) => self.tokens_meet(*a, *b) && below(j + 1),
                    _ => false,
                };
                if let Some(cell) = row.get_mut(j) {
                    *cell = meets;
                }
            }
            std::mem::swap(&mut reachable, &mut row);
        }
        reachable.first().copied().unwrap_or(false)
    }

    /// As it is written.
    pub fn octets(&self) -> &[u8] {
        self.octets.as_ref()
    }

    /// Whether what a `*` seeks, the first octet that must follow it, is beyond ASCII.
    pub fn seeks_beyond_ascii(&self) -> bool {
        let mut seeks = false;
        tokens(self.octets.as_ref()).any(|token| match token {
            Token::AnyRun => {
                seeks = true;
                false
            }
            Token::AnyOctet => false,
            Token::Octet(octet) => std::mem::take(&mut seeks) && !octet.is_ascii(),
        })
    }

    fn tokens_meet(&self, a: Token, b: Token) -> bool {
        match (a, b) {
            (Token::Octet(a), Token::Octet(b)) => self.same_octet(a, b),
            _ => true,
        }
    }
}

/// The token that begins at an octet of a pattern, and where the next one does. Several `*` are one.
fn token_at(text: &[u8], at: usize) -> Option<(Token, usize)> {
    let octet = *text.get(at)?;
    Some(match (octet, text.get(at + 1)) {
        (b'\\', Some(escaped @ (b'*' | b'?'))) => (Token::Octet(*escaped), at + 2),
        (b'*', _) => {
            let more = text
                .iter()
                .skip(at + 1)
                .take_while(|octet| **octet == b'*')
                .count();
            (Token::AnyRun, at + 1 + more)
        }
        (b'?', _) => (Token::AnyOctet, at + 1),
        _ => (Token::Octet(octet), at + 1),
    })
}

fn tokens(text: &[u8]) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (token, behind) = token_at(text, at)?;
        at = behind;
        Some(token)
    })
}

#[cfg(test)]
mod tests;
