//! Values that are tables: single tables, named tables and lists of tables.

use super::TableReader;
use crate::config::keys::{Key, ListedTables, NamedTables, TableValue};
use crate::config::source::Spanned;

impl<'a> TableReader<'a> {
    pub(in crate::config) fn table(&mut self, key: &Key<TableValue>) -> Option<TableReader<'a>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key.name(), value, "a table");
            return None;
        };
        Some(TableReader::new(
            self.full_name(key.name()),
            key.kind().0,
            table,
            self.place_of(value),
            self.context(),
        ))
    }

    /// The tables `[key.NAME]`, each with its name.
    pub(in crate::config) fn named_tables(
        &mut self,
        key: &Key<NamedTables>,
    ) -> Vec<(Spanned<String>, TableReader<'a>)> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let keys = key.kind().keys;
        let key = key.name();
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, &format!("tables `[{key}.NAME]`"));
            return Vec::new();
        };
        let mut readers = Vec::with_capacity(table.len());
        for (name, entry) in table {
            let full = format!("{}.{}", self.full_name(key), name.get_ref());
            let place = self.place_at(name.span());
            match entry.get_ref().as_table() {
                Some(inner) => {
                    let name = Spanned {
                        value: name.get_ref().to_string(),
                        place,
                    };
                    let reader = TableReader::new(full, keys, inner, place, self.context());
                    readers.push((name, reader));
                }
                None => self.problems.error(
                    self.place_of(entry),
                    format!(
                        "`{full}` is a TOML {}, not a table",
                        entry.get_ref().type_str()
                    ),
                    format!("write `[{key}.NAME]` and its keys below"),
                ),
            }
        }
        readers
    }

    /// The entries of `[[key]]`.
    pub(in crate::config) fn listed_tables(
        &mut self,
        key: &Key<ListedTables>,
    ) -> Vec<TableReader<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let keys = key.kind().0;
        let key = key.name();
        let expected = format!("a list of tables `[[{}]]`", self.full_name(key));
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &expected);
            return Vec::new();
        };
        let mut readers = Vec::with_capacity(array.len());
        for (index, item) in array.iter().enumerate() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let name = format!("{}[{index}]", self.full_name(key));
                    readers.push(TableReader::new(
                        name,
                        keys,
                        table,
                        self.place_of(item),
                        self.context(),
                    ));
                }
                None => self.wrong_type(key, item, &expected),
            }
        }
        readers
    }
}
