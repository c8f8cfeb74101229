//! Lint of paths that are written to, so that no load finds out that there is no such folder.

use super::super::Assembly;
use crate::config::unexpanded;
use crate::file_read;

impl Assembly<'_> {
    /// Warns about paths of logs with `~` or `$NAME`, which are taken as they stand.
    pub(super) fn lint_unexpanded_paths(&self) {
        let access = self.config.access_log.path.as_ref();
        let audit = self.config.audit_log.as_ref().and_then(|log| log.path.as_ref());
        for text in access.into_iter().chain(audit) {
            let full = self.sources.folder(text.place.file).join(&text.value);
            if let Some(hint) = unexpanded(&text.value).filter(|_| file_read::metadata(&full).is_err()) {
                self.problems.warning(text.place, format!("the log would be written to {}", full.display()), hint);
            }
        }
    }
}
