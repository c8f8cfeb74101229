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
/// other backslash is a backslash. The whole text must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    shape: Shape,
    case: Case,
    /// How many octets of `beginning` count.
    sure: u8,
    /// The octets before the first wildcard, [`WORD`] at most. They settle most comparisons.
    beginning: u64,
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
            first.iter_mut().zip(text).for_each(|(place, octet)| *place = *octet);
            first
        });
        let beginning = u64::from_le_bytes(first);
        Self { text, beginning, folded_beginning: u64::from_le_bytes(first.map(|octet| octet.to_ascii_lowercase())) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// `*`
    Anything,
    /// No wildcard.
    Literal(Box<[u8]>),
    /// `text*`, by far the most common.
    Prefix(Box<[u8]>),
    /// Everything else.
    General(Box<[Token]>),
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
        let text = text.as_ref();
        let tokens = tokens(text, case);
        let octets = |tokens: &[Token]| -> Option<Box<[u8]>> {
            tokens.iter().map(|token| if let Token::Octet(octet) = token { Some(*octet) } else { None }).collect()
        };
        let shape = match tokens.split_last() {
            Some((Token::AnyRun, [])) => Shape::Anything,
            Some((Token::AnyRun, start)) => octets(start).map_or(Shape::General(tokens.clone().into()), Shape::Prefix),
            _ => octets(&tokens).map_or(Shape::General(tokens.clone().into()), Shape::Literal),
        };
        let mut first = [0; WORD];
        let mut sure = 0;
        for (place, token) in first.iter_mut().zip(&tokens) {
            let Token::Octet(octet) = token else { break };
            (*place, sure) = (*octet, sure + 1);
        }
        Self { shape, case, sure, beginning: u64::from_le_bytes(first) }
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
        let differs = (beginning ^ self.beginning).checked_shl(beyond).is_some_and(|bits| bits != 0);
        !differs && self.matches_rest(subject.text)
    }

    /// Whether the text matches whose beginning does.
    fn matches_rest(&self, text: &[u8]) -> bool {
        match &self.shape {
            Shape::Anything => true,
            Shape::Literal(literal) if literal.len() <= WORD => literal.len() == text.len(),
            Shape::Literal(literal) => self.equal(literal, text),
            Shape::Prefix(prefix) if prefix.len() <= WORD => prefix.len() <= text.len(),
            Shape::Prefix(prefix) => text.get(..prefix.len()).is_some_and(|start| self.equal(prefix, start)),
            Shape::General(tokens) => self.matches_general(tokens, text),
        }
    }

    fn equal(&self, literal: &[u8], text: &[u8]) -> bool {
        match self.case {
            Case::Matters => literal == text,
            Case::Folds => literal.eq_ignore_ascii_case(text),
        }
    }

    /// Two cursors and one point to go back to: when a text fails behind a `*`, the last `*` takes one octet more.
    /// Earlier ones never need to be tried again, since the last can take all that they could.
    fn matches_general(&self, tokens: &[Token], text: &[u8]) -> bool {
        let (mut at_token, mut at_octet) = (0, 0);
        let mut last_run: Option<(usize, usize)> = None;
        loop {
            let advanced = match (tokens.get(at_token), text.get(at_octet)) {
                (None, None) => return true,
                (Some(Token::AnyRun), _) => {
                    last_run = Some((at_token + 1, at_octet));
                    at_token += 1;
                    continue;
                }
                (Some(Token::AnyOctet), Some(_)) => true,
                (Some(Token::Octet(wanted)), Some(octet)) => self.same_octet(*wanted, *octet),
                _ => false,
            };
            if advanced {
                at_token += 1;
                at_octet += 1;
                continue;
            }
            match last_run {
                Some((behind, start)) if start < text.len() => {
                    last_run = Some((behind, start + 1));
                    at_token = behind;
                    at_octet = start + 1;
                }
                _ => return false,
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
    pub fn overlaps(&self, other: &Self) -> bool {
        let (left, right) = (self.tokens(), other.tokens());
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
                    (Some(Token::AnyRun), Some(Token::AnyRun)) => below(j) || beside || below(j + 1),
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

    /// Whether what a `*` seeks, the first octet that must follow it, is beyond ASCII.
    pub fn seeks_beyond_ascii(&self) -> bool {
        let mut seeks = false;
        self.tokens().into_iter().any(|token| match token {
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

    fn tokens(&self) -> Vec<Token> {
        let octets = |text: &[u8]| text.iter().copied().map(Token::Octet).collect::<Vec<_>>();
        match &self.shape {
            Shape::Anything => vec![Token::AnyRun],
            Shape::Literal(text) => octets(text),
            Shape::Prefix(text) => [octets(text), vec![Token::AnyRun]].concat(),
            Shape::General(tokens) => tokens.to_vec(),
        }
    }
}

fn tokens(text: &[u8], case: Case) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut octets = text.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        let token = match (octet, octets.peek()) {
            (b'\\', Some(b'*' | b'?')) => Token::Octet(octets.next().unwrap_or(octet)),
            (b'*', _) => Token::AnyRun,
            (b'?', _) => Token::AnyOctet,
            _ if case == Case::Folds => Token::Octet(octet.to_ascii_lowercase()),
            _ => Token::Octet(octet),
        };
        // `**` means what `*` means.
        if !(token == Token::AnyRun && tokens.last() == Some(&Token::AnyRun)) {
            tokens.push(token);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folds(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, Case::Folds).matches(text.as_bytes())
    }

    #[test]
    fn icinga_examples_match_as_icinga_does() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("objects/*", "objects", false),
            ("objects/*", "objects/query/Host", true),
            ("objects/query/Host*", "objects/query/HostGroup", true),
            ("objects/query/host", "objects/query/Host", true),
            ("*/query/*", "objects/query/a/b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("??", "\u{e4}", true),
            ("?", "\u{e4}", false),
            ("\u{e4}", "\u{c4}", false),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\?", "a?", true),
            (r"a\b", r"a\b", true),
            ("", "", true),
            ("", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(folds(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(!Pattern::new("/A*", Case::Matters).matches(b"/a"));
    }

    #[test]
    fn patterns_overlap_only_where_a_text_fits_both() {
        let overlaps = |a: &str, b: &str| Pattern::new(a, Case::Folds).overlaps(&Pattern::new(b, Case::Folds));
        assert!(overlaps("objects/*", "objects/query/*"));
        assert!(overlaps("*b", "a*"));
        assert!(overlaps("*", ""));
        assert!(overlaps("a?c", "*b*"));
        assert!(!overlaps("objects/*", "actions/*"));
        assert!(!overlaps("a", "ab"));
        assert!(!overlaps("a?", "a"));
    }

    /// Straight from the definition; exponential, so only for short texts.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            ([b'\\', wanted @ (b'*' | b'?'), rest @ ..], [is, more @ ..]) => wanted == is && naive(rest, more),
            ([b'\\', b'*' | b'?', ..], []) => false,
            ([b'?', rest @ ..], [_, more @ ..]) => naive(rest, more),
            ([wanted, rest @ ..], [is, more @ ..]) => wanted.eq_ignore_ascii_case(is) && naive(rest, more),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn matching_agrees_with_the_definition(pattern in r"[abA/*?\\]{0,8}", text in r"[abA/*?\\]{0,8}") {
            prop_assert_eq!(folds(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn the_first_octets_settle_nothing_wrongly(
            pattern in r"([abA\x00]{0,10}|[abA\x00]{0,9}[*?][ab]{0,2}|[abA\x00]{6,10}\*)", text in r"[abA\x00]{0,11}",
        ) {
            prop_assert_eq!(folds(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
            let exact = Pattern::new(&pattern, Case::Matters);
            let general = exact.matches_general(&exact.tokens(), text.as_bytes());
            prop_assert_eq!(exact.matches(text.as_bytes()), general);
        }

        #[test]
        fn a_common_text_means_an_overlap(left in "[ab*?]{0,6}", right in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            let (a, b) = (Pattern::new(&left, Case::Folds), Pattern::new(&right, Case::Folds));
            if a.matches(text.as_bytes()) && b.matches(text.as_bytes()) {
                prop_assert!(a.overlaps(&b), "{} and {} share {}", left, right, text);
            }
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        }
    }
}
