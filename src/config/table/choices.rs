//! Values that must be one or several of a set of words.

use super::TableReader;
use crate::config::source::Spanned;

impl TableReader<'_> {
    /// A string that must be one of the words.
    pub(in crate::config) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.string(key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(Spanned {
                value: *value,
                place: text.place,
            });
        }
        let allowed: Vec<_> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        self.problems.error(
            text.place,
            format!("`{}` cannot be \"{}\"", self.full_name(key), text.value),
            format!("use one of {}", allowed.join(", ")),
        );
        None
    }

    /// A string or list of strings from the words. `None` if the key is missing or any string is invalid.
    pub(in crate::config) fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Vec<Spanned<T>>> {
        let is_present = self.table.contains_key(key);
        let mut chosen = Some(Vec::new());
        for text in self.strings(key) {
            let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) else {
                let allowed: Vec<_> = words
                    .iter()
                    .map(|(word, _)| format!("\"{word}\""))
                    .collect();
                let message = format!("`{}` cannot hold \"{}\"", self.full_name(key), text.value);
                self.problems.error(
                    text.place,
                    message,
                    format!("use some of {}", allowed.join(", ")),
                );
                chosen = None;
                continue;
            };
            chosen.iter_mut().for_each(|chosen| {
                chosen.push(Spanned {
                    value: *value,
                    place: text.place,
                })
            });
        }
        chosen.filter(|_| is_present)
    }
}
