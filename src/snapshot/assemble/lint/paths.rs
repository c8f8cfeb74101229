//! Lint of paths: log paths with unexpanded `~` or variables, whose folder a load does not check, and route paths with
//! captures in the syntax of other routers.

use super::super::Assembly;
use crate::config::{Spanned, unexpanded};
use crate::file_read;

impl Assembly<'_> {
    /// Warns about segments such as `:id` and `<id>`, which are literal text here.
    pub(in super::super) fn lint_foreign_captures(&self, path: &Spanned<String>) {
        let foreign = path
            .value
            .split('/')
            .find_map(|segment| Some((segment, foreign_capture(segment)?)));
        let Some((segment, name)) = foreign else {
            return;
        };
        let message = format!(
            "`{segment}` in the path \"{}\" matches only this text, not any segment",
            path.value
        );
        self.problems.warning(
            path.place,
            message,
            format!("write `{{{name}}}` for any one segment"),
        );
    }

    /// Warns about log paths with `~` or `$NAME`, which are not expanded.
    pub(super) fn lint_unexpanded_paths(&self) {
        let access = self.config.access_log.path.as_ref();
        let audit = self
            .config
            .audit_log
            .as_ref()
            .and_then(|log| log.path.as_ref());
        for text in access.into_iter().chain(audit) {
            let full = self.sources.folder(text.place.file).join(&text.value);
            if let Some(hint) =
                unexpanded(&text.value).filter(|_| file_read::metadata(&full).is_err())
            {
                self.problems.warning(
                    text.place,
                    format!("the log would be written to {}", full.display()),
                    hint,
                );
            }
        }
    }
}

/// The name in a capture as other routers write it: `:id`, `<id>`, `<int:id>`.
fn foreign_capture(segment: &str) -> Option<&str> {
    let name = match segment.strip_prefix(':') {
        Some(name) => name,
        None => segment
            .strip_prefix('<')?
            .strip_suffix('>')?
            .rsplit(':')
            .next()?,
    };
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}
