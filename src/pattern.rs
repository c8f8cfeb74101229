//! Wildcard patterns with `*` and `?`, as in Icinga.

mod coverage;

pub use coverage::{Coverage, Part, coverage};

/// Whether matching is case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// `A` is not `a`.
    Matters,
    /// ASCII letters fold; nothing else does.
    Folds,
}

/// A compiled pattern: `*` is any run of characters (also `/`), `?` is one byte, `\*` and `\?` are literal, every
/// other backslash is a backslash. The whole text must match. `B` holds the text of the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern<B = Box<[u8]>> {
    bytes: B,
    /// The bytes before the first wildcard, [`WORD`] at most, in lower case for [`Case::Folds`]. They decide most
    /// comparisons.
    prefix: u64,
    /// The number of bytes in `prefix`.
    prefix_length: u8,
    shape: Shape,
    case: Case,
}

/// Number of bytes that are compared at once.
const WORD: usize = 8;

/// A text to be compared with many patterns.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'t> {
    text: &'t [u8],
    /// The first [`WORD`] bytes of the text.
    prefix: u64,
    /// The same in lower case.
    folded_prefix: u64,
}

impl<'t> Subject<'t> {
    /// Prepares a text.
    pub fn new(text: &'t [u8]) -> Self {
        let first = text.first_chunk().copied().unwrap_or_else(|| {
            let mut first = [0; WORD];
            first
                .iter_mut()
                .zip(text)
                .for_each(|(place, byte)| *place = *byte);
            first
        });
        let prefix = u64::from_le_bytes(first);
        Self {
            text,
            prefix,
            folded_prefix: u64::from_le_bytes(first.map(|byte| byte.to_ascii_lowercase())),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// No wildcard, and no escape.
    Literal,
    /// A literal with `*` at its end, by far the most common; also `*` alone.
    Prefix,
    /// Any other pattern.
    General,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    AnyByte,
    AnyRun,
}

impl Pattern {
    /// Compiles a pattern. Every text is a pattern.
    pub fn new(text: impl AsRef<[u8]>, case: Case) -> Self {
        Self::over(text.as_ref().into(), case)
    }
}

impl<B: AsRef<[u8]>> Pattern<B> {
    /// Compiles a pattern that keeps its text in `B`.
    pub fn over(bytes: B, case: Case) -> Self {
        let text = bytes.as_ref();
        let mut first = [0; WORD];
        let mut prefix_length = 0;
        for (place, token) in first.iter_mut().zip(tokens(text)) {
            let Token::Byte(byte) = token else { break };
            *place = if case == Case::Folds {
                byte.to_ascii_lowercase()
            } else {
                byte
            };
            prefix_length += 1;
        }
        let is_wildcard = |byte: &u8| matches!(byte, b'*' | b'?');
        let shape = match text.split_last() {
            Some((b'*', start))
                if !start.iter().any(is_wildcard) && start.last() != Some(&b'\\') =>
            {
                Shape::Prefix
            }
            _ if text.iter().any(is_wildcard) => Shape::General,
            _ => Shape::Literal,
        };
        Self {
            bytes,
            prefix: u64::from_le_bytes(first),
            prefix_length,
            shape,
            case,
        }
    }

    /// Whether the whole text matches. Takes at most pattern length times text length steps.
    pub fn matches(&self, text: &[u8]) -> bool {
        self.matches_subject(&Subject::new(text))
    }

    /// As [`Self::matches`], for a text that is compared with many patterns.
    pub fn matches_subject(&self, subject: &Subject<'_>) -> bool {
        let prefix = match self.case {
            Case::Matters => subject.prefix,
            // `self.prefix` is in lower case then.
            Case::Folds => subject.folded_prefix,
        };
        let unused_bits = u64::BITS.saturating_sub(8 * u32::from(self.prefix_length));
        let differs = (prefix ^ self.prefix)
            .checked_shl(unused_bits)
            .is_some_and(|bits| bits != 0);
        !differs && self.matches_rest(subject.text)
    }

    /// Whether a text with a matching `prefix` matches as a whole.
    fn matches_rest(&self, text: &[u8]) -> bool {
        let pattern = self.bytes.as_ref();
        match self.shape {
            Shape::Literal if pattern.len() <= WORD => pattern.len() == text.len(),
            Shape::Literal => self.equal(pattern, text),
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

    /// Two cursors and one backtracking point: on a mismatch after a `*`, the last `*` takes one byte more. Earlier `*` need no
    /// retry, since the last can take all that they could. Also returns the number of steps, for tests of the bound.
    fn matches_general(&self, text: &[u8]) -> (bool, usize) {
        let pattern = self.bytes.as_ref();
        let mut token_index = 0;
        let mut text_index = 0;
        let mut steps = 0;
        let mut last_run: Option<(usize, usize)> = None;
        loop {
            steps += 1;
            let token = token_at(pattern, token_index);
            let advanced = match (token, text.get(text_index)) {
                (None, None) => return (true, steps),
                (Some((Token::AnyRun, next)), _) => {
                    last_run = Some((next, text_index));
                    token_index = next;
                    continue;
                }
                (Some((Token::AnyByte, next)), Some(_)) => Some(next),
                (Some((Token::Byte(wanted), next)), Some(byte)) => {
                    self.same_byte(wanted, *byte).then_some(next)
                }
                _ => None,
            };
            if let Some(next) = advanced {
                token_index = next;
                text_index += 1;
                continue;
            }
            match last_run {
                Some((next, start)) if start < text.len() => {
                    last_run = Some((next, start + 1));
                    token_index = next;
                    text_index = start + 1;
                }
                _ => return (false, steps),
            }
        }
    }

    fn same_byte(&self, wanted: u8, byte: u8) -> bool {
        match self.case {
            Case::Matters => wanted == byte,
            Case::Folds => wanted.eq_ignore_ascii_case(&byte),
        }
    }

    /// Whether some text matches both patterns. Used to find permissions that can never apply.
    pub fn overlaps<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let is_simple = [self.shape, other.shape]
            .iter()
            .all(|shape| *shape != Shape::General);
        if is_simple {
            self.overlaps_simple(other)
        } else {
            self.overlaps_general(other)
        }
    }

    /// For patterns without wildcards other than one `*` at the end.
    fn overlaps_simple<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let left = self.before_run();
        let right = other.before_run();
        let common = left.len().min(right.len());
        let starts = left
            .get(..common)
            .zip(right.get(..common))
            .is_some_and(|(left, right)| self.equal(left, right));
        // If the lengths differ, the shorter pattern must end with `*`.
        let fits =
            |shape: Shape, own: usize, others: usize| shape == Shape::Prefix || own >= others;
        starts
            && fits(self.shape, left.len(), right.len())
            && fits(other.shape, right.len(), left.len())
    }

    /// The bytes before the `*` at the end, if there is one.
    fn before_run(&self) -> &[u8] {
        let pattern = self.bytes.as_ref();
        let before = pattern.split_last().filter(|_| self.shape == Shape::Prefix);
        before.map_or(pattern, |(_, before)| before)
    }

    fn overlaps_general<P: AsRef<[u8]>>(&self, other: &Pattern<P>) -> bool {
        let left: Vec<Token> = tokens(self.bytes.as_ref()).collect();
        let right: Vec<Token> = tokens(other.bytes.as_ref()).collect();
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

    /// The text of the pattern.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Whether the byte that must follow a `*` is outside ASCII.
    pub fn seeks_beyond_ascii(&self) -> bool {
        let mut is_after_run = false;
        tokens(self.bytes.as_ref()).any(|token| match token {
            Token::AnyRun => {
                is_after_run = true;
                false
            }
            Token::AnyByte => false,
            Token::Byte(byte) => std::mem::take(&mut is_after_run) && !byte.is_ascii(),
        })
    }

    fn tokens_meet(&self, a: Token, b: Token) -> bool {
        match (a, b) {
            (Token::Byte(a), Token::Byte(b)) => self.same_byte(a, b),
            _ => true,
        }
    }
}

/// The token at a byte index of a pattern, and the index of the next token. Consecutive `*` are one token.
fn token_at(text: &[u8], at: usize) -> Option<(Token, usize)> {
    let byte = *text.get(at)?;
    Some(match (byte, text.get(at + 1)) {
        (b'\\', Some(escaped @ (b'*' | b'?'))) => (Token::Byte(*escaped), at + 2),
        (b'*', _) => {
            let more = text
                .iter()
                .skip(at + 1)
                .take_while(|byte| **byte == b'*')
                .count();
            (Token::AnyRun, at + 1 + more)
        }
        (b'?', _) => (Token::AnyByte, at + 1),
        _ => (Token::Byte(byte), at + 1),
    })
}

fn tokens(text: &[u8]) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (token, next) = token_at(text, at)?;
        at = next;
        Some(token)
    })
}

#[cfg(test)]
mod tests;
