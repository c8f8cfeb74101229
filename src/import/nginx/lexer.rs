//! Splits an nginx configuration into directives: words, quotes, blocks. Rejects blocks in Lua, which have another syntax.

use crate::import::error::{ImportError, Position};
use crate::import::source::ImportFile;

/// A word, without its quotes.
#[derive(Clone, Debug)]
pub(super) struct ConfigWord {
    pub(super) text: String,
    pub(super) at: Position,
}

/// A directive with its block, which is empty if it has none.
#[derive(Debug)]
pub(super) struct Directive {
    pub(super) words: Vec<ConfigWord>,
    pub(super) block: Vec<Directive>,
    pub(super) at: Position,
}

impl Directive {
    pub(super) fn name(&self) -> &str {
        self.argument(0)
    }

    /// A word, or an empty text.
    pub(super) fn argument(&self, number: usize) -> &str {
        self.words.get(number).map_or("", |word| word.text.as_str())
    }
}

/// Maximum nesting of blocks.
const MAX_DEPTH: usize = 64;
const HINT: &str = "`nginx -t` says whether nginx would load it";

pub(super) fn directives(file: &ImportFile) -> Result<Vec<Directive>, ImportError> {
    let mut lexer = Lexer {
        file,
        rest: file.text().chars().peekable(),
        at: Position { line: 1, column: 1 },
    };
    let mut open: Vec<(Position, Vec<ConfigWord>, Vec<Directive>)> = Vec::new();
    let mut done: Vec<Directive> = Vec::new();
    let mut words: Vec<ConfigWord> = Vec::new();
    loop {
        let at = lexer.skip_blanks();
        match lexer.rest.peek() {
            None if words.is_empty() && open.is_empty() => return Ok(done),
            None => {
                let at = open
                    .last()
                    .map(|(at, _, _)| *at)
                    .or(words.first().map(|word| word.at))
                    .unwrap_or(at);
                return Err(file.malformed(at, "this does not end: `;` or `}` is missing", HINT));
            }
            Some(';') => {
                lexer.next();
                let at = words.first().map_or(at, |word| word.at);
                done.push(Directive {
                    words: std::mem::take(&mut words),
                    block: Vec::new(),
                    at,
                });
            }
            Some('{') => {
                lexer.next();
                if words
                    .first()
                    .is_some_and(|word| word.text.ends_with("_by_lua_block"))
                {
                    let hint = "give a file with the maps and conditions alone";
                    return Err(file.malformed(at, "a block in Lua cannot be read", hint));
                }
                if open.len() >= MAX_DEPTH {
                    return Err(file.malformed(at, "blocks are nested too deep", HINT));
                }
                open.push((at, std::mem::take(&mut words), std::mem::take(&mut done)));
            }
            Some('}') => {
                lexer.next();
                let Some((start, heading, outer)) = open.pop().filter(|_| words.is_empty()) else {
                    return Err(file.malformed(at, "unexpected `}`", HINT));
                };
                let at = heading.first().map_or(start, |word| word.at);
                let block = std::mem::replace(&mut done, outer);
                done.push(Directive {
                    words: heading,
                    block,
                    at,
                });
            }
            Some(_) => words.push(lexer.word()?),
        }
    }
}

struct Lexer<'f> {
    file: &'f ImportFile,
    rest: std::iter::Peekable<std::str::Chars<'f>>,
    at: Position,
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        match letter {
            '\n' => {
                self.at = Position {
                    line: self.at.line + 1,
                    column: 1,
                }
            }
            _ => self.at.column += 1,
        }
        Some(letter)
    }

    /// Skips blanks and comments. A comment begins only where a word could begin.
    fn skip_blanks(&mut self) -> Position {
        while let Some(letter) = self.rest.peek() {
            match letter {
                '#' => while self.next().is_some_and(|letter| letter != '\n') {},
                _ if letter.is_ascii_whitespace() => {
                    self.next();
                }
                _ => break,
            }
        }
        self.at
    }

    fn word(&mut self) -> Result<ConfigWord, ImportError> {
        let at = self.at;
        let quote = self
            .rest
            .peek()
            .copied()
            .filter(|letter| matches!(letter, '"' | '\''));
        if quote.is_some() {
            self.next();
        }
        let mut text = String::new();
        loop {
            let Some(letter) = self.rest.peek().copied() else {
                return match quote {
                    Some(_) => Err(self.file.malformed(at, "this quote does not end", HINT)),
                    None => Ok(ConfigWord { text, at }),
                };
            };
            match (letter, quote) {
                ('\\', _) => {
                    self.next();
                    self.escaped(&mut text);
                    continue;
                }
                (_, Some(quote)) if letter == quote => {
                    self.next();
                    return Ok(ConfigWord { text, at });
                }
                // A variable in braces, not a block.
                ('{', None) if text.ends_with('$') => {}
                (';' | '{', None) => return Ok(ConfigWord { text, at }),
                (_, None) if letter.is_ascii_whitespace() => return Ok(ConfigWord { text, at }),
                _ => {}
            }
            text.push(letter);
            self.next();
        }
    }

    /// Reads the character after a backslash. The backslash is kept if the escape is unknown.
    fn escaped(&mut self, text: &mut String) {
        match self.next() {
            Some(letter @ ('"' | '\'' | '\\')) => text.push(letter),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(letter) => text.extend(['\\', letter]),
            None => text.push('\\'),
        }
    }
}
