//! Parses values of `icinga2 object list`: quoted texts without escapes, lists of these, and dictionaries in the config
//! language, which has escapes. An ambiguous value is an error.

/// An entry of a list of permissions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedPermission {
    Text(String),
    /// A dictionary with a filter.
    Filtered(String),
    /// Neither a text nor a dictionary.
    Other(String),
}

/// The text between the first and the last quote. `None` if the value is not a text.
pub(super) fn text(value: &str) -> Option<String> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.to_owned())
}

/// The entries of `permissions`.
pub(super) fn permissions(value: &str) -> Result<Vec<ParsedPermission>, String> {
    if value == "null" || value == "[ ]" {
        return Ok(Vec::new());
    }
    let mut rest = value
        .strip_prefix("[ ")
        .ok_or("permissions are not a list")?;
    let mut entries = Vec::new();
    loop {
        let (entry, tail) = entry(rest)?;
        entries.push(entry);
        match tail.strip_prefix(", ") {
            Some(next) => rest = next,
            None if tail == " ]" => return Ok(entries),
            None => return Err("the list of permissions does not end as it should".to_owned()),
        }
    }
}

/// The next entry, and the text after it.
fn entry(rest: &str) -> Result<(ParsedPermission, &str), String> {
    if let Some(inner) = rest.strip_prefix('"') {
        let end = inner
            .find('"')
            .ok_or("a text in the list of permissions does not end")?;
        let (text, tail) = inner.split_at_checked(end).unwrap_or_default();
        let tail = tail.strip_prefix('"').unwrap_or_default();
        if !(tail == " ]" || tail.starts_with(", ")) {
            return Err(
                "a permission has a quote in it, which this listing does not escape, so its end is ambiguous; import \
                 the JSON of `/v1/objects/apiusers`"
                    .to_owned(),
            );
        }
        return Ok((ParsedPermission::Text(text.to_owned()), tail));
    }
    if rest.starts_with('{') {
        let mut reader = DictionaryReader { rest };
        let fields = reader.dictionary(0)?;
        return Ok((dictionary_permission(fields)?, reader.rest));
    }
    let end = rest
        .find([',', ' '])
        .ok_or("the list of permissions does not end")?;
    let (word, tail) = rest.split_at_checked(end).unwrap_or_default();
    Ok((ParsedPermission::Other(word.to_owned()), tail))
}

/// The permission in a dictionary. Without a filter it is the same as its text.
fn dictionary_permission(fields: Vec<(String, Field)>) -> Result<ParsedPermission, String> {
    let mut permission = None;
    let mut filtered = false;
    for (key, field) in fields {
        match (key.as_str(), field) {
            ("permission", Field::Text(text)) => permission = Some(text),
            ("filter", Field::Other(word)) if word == "null" => {}
            ("filter", _) => filtered = true,
            _ => return Err("a permission with a filter has something else, too".to_owned()),
        }
    }
    match permission {
        Some(text) if filtered => Ok(ParsedPermission::Filtered(text)),
        Some(text) => Ok(ParsedPermission::Text(text)),
        None => Err("a dictionary in the list of permissions names no permission".to_owned()),
    }
}

/// A value in a dictionary. The content of nested lists and dictionaries is discarded.
enum Field {
    Text(String),
    Other(String),
    Nested,
}

/// Maximum nesting; Icinga prints no deeper values for a permission.
const MAX_DEPTH: usize = 16;

struct DictionaryReader<'t> {
    rest: &'t str,
}

impl<'t> DictionaryReader<'t> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n']);
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> &'t str {
        let ends = |letter: char| {
            letter.is_whitespace() || matches!(letter, ',' | ']' | '}' | '=' | '{' | '[')
        };
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        word
    }

    fn dictionary(&mut self, depth: usize) -> Result<Vec<(String, Field)>, String> {
        if depth > MAX_DEPTH || !self.take("{") {
            return Err("a dictionary in the list of permissions cannot be read".to_owned());
        }
        let mut fields: Vec<(String, Field)> = Vec::new();
        loop {
            self.skip_blanks();
            if self.take("}") {
                return Ok(fields);
            }
            let key = match self.rest.starts_with('"') {
                true => self.escaped_text()?,
                // A keyword of the language as a key has the prefix `@`.
                false => self.word().trim_start_matches('@').to_owned(),
            };
            self.skip_blanks();
            if key.is_empty() || !self.take("=") {
                return Err("a dictionary in the list of permissions cannot be read".to_owned());
            }
            if fields.iter().any(|(known, _)| *known == key) {
                return Err("a dictionary in the list of permissions has a key twice".to_owned());
            }
            fields.push((key, self.field(depth + 1)?));
        }
    }

    fn field(&mut self, depth: usize) -> Result<Field, String> {
        self.skip_blanks();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.escaped_text().map(Field::Text),
            Some(b'{') => self.dictionary(depth).map(|_| Field::Nested),
            Some(b'[') => self.list(depth).map(|()| Field::Nested),
            _ => match self.word() {
                "" => Err("a value in the list of permissions cannot be read".to_owned()),
                word => Ok(Field::Other(word.to_owned())),
            },
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH || !self.take("[") {
            return Err("a list in the list of permissions cannot be read".to_owned());
        }
        loop {
            self.skip_blanks();
            if self.take("]") {
                return Ok(());
            }
            self.field(depth + 1)?;
            self.skip_blanks();
            self.take(",");
        }
    }

    /// A quoted text with the escapes of the config language.
    fn escaped_text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => text.push(match letters.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    Some((_, 'r')) => '\r',
                    Some((_, 'b')) => '\u{8}',
                    Some((_, 'f')) => '\u{c}',
                    Some((_, escaped @ ('"' | '\\'))) => escaped,
                    _ => {
                        return Err(
                            "a text in the list of permissions has an unknown escape".to_owned()
                        );
                    }
                }),
                other => text.push(other),
            }
        }
        Err("a text in the list of permissions does not end".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_daemon_prints_them() {
        let text = |text: &str| ParsedPermission::Text(text.to_owned());
        assert_eq!(permissions("null"), Ok(vec![]));
        assert_eq!(permissions("[ ]"), Ok(vec![]));
        assert_eq!(
            permissions(r#"[ "a", "b\*c, d" ]"#),
            Ok(vec![text("a"), text(r"b\*c, d")])
        );
        let numbers = vec![
            ParsedPermission::Other("1".to_owned()),
            ParsedPermission::Other("null".to_owned()),
            text(""),
        ];
        assert_eq!(permissions(r#"[ 1, null, "" ]"#), Ok(numbers));
        let filtered = "[ \"*\", {\n\tfilter = {\n\t\targuments = [ \"x\", 1.000000 ]\n\t\tname = \"<a\\\"}>\"\n\t}\n\t\
                        permission = \"a\\\\*\"\n}, {\n\tpermission = \"b\"\n}, {\n\tfilter = null\n\tpermission = \"c\"\n} ]";
        let expected = vec![
            text("*"),
            ParsedPermission::Filtered(r"a\*".to_owned()),
            text("b"),
            text("c"),
        ];
        assert_eq!(permissions(filtered), Ok(expected));
    }

    #[test]
    fn what_has_two_readings_or_none_is_rejected() {
        for wrong in [
            "",
            "[ ",
            "[ \"a\"",
            "[ \"a\" \"b\" ]",
            "[ \"a\"b\" ]",
            "[ \"a\", ]",
            "[ {\n\tfilter = 1\n} ]",
            "[ {\n\tpermission = \"a\"\n\tpermission = \"b\"\n} ]",
            "[ {\n\tpermission = \"a\"\n\tother = 1\n} ]",
            "[ {\n\tpermission = \"a\\x\"\n} ]",
            "[ {\n\tpermission = 1\n} ]",
            "[ \"a\" ] ]",
        ] {
            permissions(wrong).expect_err(wrong);
        }
        let deep = format!("[ {}", "{\n\ta = ".repeat(100));
        permissions(&deep).expect_err("too deep");
        assert_eq!(text("\"a\"b\""), Some("a\"b".to_owned()));
        assert_eq!(text("\""), None);
        assert_eq!(text("null"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_stumble(value in "(\\[ |\"|a|, | \\]|\\{\n\t|permission|filter| = |\\\\|\n|1|null|\\}){0,14}") {
            let _ = permissions(&value);
        }
    }
}
