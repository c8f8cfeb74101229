//! Brackets that are not closed, by one walk over a text. Quotes and comments are left out.

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

/// The position of the first bracket of a value that is not closed in a text.
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

/// Adds the positions of opening brackets to those that are open, and removes one for each closing bracket.
fn brackets_of_line(line: &str, start: usize, bracket: Bracket, open: &mut Vec<usize>) {
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (Some(begun), _) if begun == letter && !is_escaped => quote = None,
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
