//! Search for unclosed brackets, outside of quotes and comments.

/// A kind of bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// Of a list: `[` and `]`.
    Square,
    /// Of an inline table: `{` and `}`.
    Curly,
}

impl Bracket {
    fn opening(self) -> char {
        match self {
            Self::Square => '[',
            Self::Curly => '{',
        }
    }

    fn closing(self) -> char {
        match self {
            Self::Square => ']',
            Self::Curly => '}',
        }
    }
}

/// Offset of the first unclosed bracket of a value.
pub(super) fn first_open(text: &str, bracket: Bracket) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_header = open.is_empty() && line.trim_start().starts_with('[');
        if !is_header {
            brackets_of_line(line, start, bracket, &mut open);
        }
        start += line.len();
    }
    open.first().copied()
}

/// Pushes the offsets of opening brackets to `open`, and pops one for each closing bracket.
fn brackets_of_line(line: &str, start: usize, bracket: Bracket, open: &mut Vec<usize>) {
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (Some(opening), _) if opening == letter && !is_escaped => quote = None,
            (Some(_), _) => {}
            (None, '#') => return,
            (None, '"' | '\'') => quote = Some(letter),
            (None, letter) if letter == bracket.opening() => open.push(start + at),
            (None, letter) if letter == bracket.closing() => drop(open.pop()),
            (None, _) => {}
        }
        is_escaped = false;
    }
}
