//! Shell quoting for printed commands.

/// A text as one word of a POSIX shell, quoted if necessary.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn only_words_that_need_quotes_get_them() {
        assert_eq!(
            shell_word("./target/release/portcullis"),
            "./target/release/portcullis"
        );
        assert_eq!(shell_word("my folder/x"), "'my folder/x'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word("$HOME"), "'$HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
