//! Values that must be one or several of a set of words.

use super::TableReader;
use crate::config::keys::{Choice, ChoiceList, Key, Words};
use crate::config::source::Spanned;

impl TableReader<'_> {
    /// A string that must be one of the words.
    pub(in crate::config) fn choice<T: Copy>(
        &mut self,
        key: &Key<Choice<T>>,
    ) -> Option<Spanned<T>> {
        self.require(key);
        let text = self.text_of(key)?;
        let words = key.kind().0;
        if let Some(known) = words.iter().find(|known| known.word == text.value) {
            return Some(Spanned {
                value: known.value,
                place: text.place,
            });
        }
        self.problems.error(
            text.place,
            format!(
                "`{}` cannot be \"{}\"",
                self.full_name(key.name()),
                text.value
            ),
            format!("use one of {}", in_quotes(words)),
        );
        None
    }

    /// A string or list of strings from the words. `None` if the key is missing or any string is invalid.
    pub(in crate::config) fn choices<T: Copy>(
        &mut self,
        key: &Key<ChoiceList<T>>,
    ) -> Option<Vec<Spanned<T>>> {
        let is_present = self.has(key);
        let words = key.kind().0;
        let mut chosen = Some(Vec::new());
        for text in self.strings_of(key) {
            let Some(known) = words.iter().find(|known| known.word == text.value) else {
                let name = self.full_name(key.name());
                let message = format!("`{name}` cannot hold \"{}\"", text.value);
                self.problems.error(
                    text.place,
                    message,
                    format!("use some of {}", in_quotes(words)),
                );
                chosen = None;
                continue;
            };
            chosen.iter_mut().for_each(|chosen| {
                chosen.push(Spanned {
                    value: known.value,
                    place: text.place,
                })
            });
        }
        chosen.filter(|_| is_present)
    }
}

fn in_quotes<T>(words: Words<T>) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|known| format!("\"{}\"", known.word))
        .collect();
    words.join(", ")
}
