//! Hints for paths with `~` or `$NAME`, which shells expand and configs do not.

use std::path::Path;

/// A hint for a path with `~` or a variable; `None` for other paths.
pub fn unexpanded(path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix('~') {
        let home = std::env::var("HOME")
            .ok()
            .filter(|home| Path::new(home).is_absolute());
        let is_own = rest.is_empty() || rest.starts_with('/');
        return Some(match home.filter(|_| is_own) {
            Some(home) => {
                format!("`~` is not expanded in a config: write the whole path, \"{home}{rest}\"")
            }
            None => "`~` is not expanded in a config: write the whole path".to_owned(),
        });
    }
    let (_, behind) = path.split_once('$')?;
    let is_variable = behind.starts_with(|letter: char| {
        letter == '{' || letter == '(' || letter == '_' || letter.is_ascii_alphabetic()
    });
    is_variable.then(|| {
        "`$` and variables are not expanded in a config: write the path itself, which may be relative to this file"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_and_variables_are_not_expanded_and_all_else_is_a_path() {
        for path in [
            "~",
            "~/pki/ca.crt",
            "~alice/ca.crt",
            "$HOME/ca.crt",
            "${PKI}/ca.crt",
            "pki/$(hostname).crt",
            "/a/$x",
        ] {
            assert!(unexpanded(path).is_some(), "{path}");
        }
        for path in ["pki/ca.crt", "a~", "price$", "$1", "", "/~x"] {
            assert_eq!(unexpanded(path), None, "{path}");
        }
    }
}
