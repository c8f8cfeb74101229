//! A request head as both HTTP engines present it: borrowed and unparsed, as the client sent it.

/// Header fields in the order of arrival. Reading them does not allocate.
pub trait Fields {
    /// Each field's name (any case) and value.
    fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])>;

    /// Calls `visit` with each field's name (any case) and value.
    fn each<'a>(&'a self, mut visit: impl FnMut(&'a str, &'a [u8])) {
        for (name, value) in self.pairs() {
            visit(name, value);
        }
    }

    /// The values of all fields with this name, compared without case.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.pairs()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the first field with this name.
    fn first_value<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The value of the one field with this name. `None` if there is no such field.
    ///
    /// # Errors
    /// [`DuplicateField`] if there is more than one, even if all values are equal.
    fn only<'a>(&'a self, name: &str) -> Result<Option<&'a [u8]>, DuplicateField> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() {
            Err(DuplicateField)
        } else {
            Ok(first)
        }
    }

    /// How many fields have this name.
    fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }
}

/// A field that may occur once occurs more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field stands more than once")]
pub struct DuplicateField;

impl Fields for http::HeaderMap {
    fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

impl Fields for [(&str, &[u8])] {
    fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter().copied()
    }
}

impl Fields for [httparse::Header<'_>] {
    fn pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.iter().map(|field| (field.name, field.value))
    }
}

/// The head of a request.
pub struct RequestHead<'a, F: Fields + ?Sized> {
    /// The method, as sent.
    pub method: &'a str,
    /// Path and query, as sent (origin form).
    pub target: &'a str,
    /// `:authority`, or the authority of a target in absolute form. Must agree with any Host field.
    pub authority: Option<&'a str>,
    /// The header fields.
    pub fields: &'a F,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_without_case_and_counted() {
        let fields: &[(&str, &[u8])] = &[("Host", b"a"), ("Accept", b"b"), ("HOST", b"c")];
        assert_eq!(fields.first_value("host"), Some(&b"a"[..]));
        assert_eq!(fields.only("host"), Err(DuplicateField));
        assert_eq!(fields.only("accept"), Ok(Some(&b"b"[..])));
        assert_eq!(fields.only("cookie"), Ok(None));
        assert_eq!((fields.count("host"), fields.count("hos")), (2, 0));
    }

    #[test]
    fn each_form_of_fields_says_the_same() {
        let pairs: &[(&str, &[u8])] = &[("host", b"a"), ("accept", b"b")];
        let parsed = pairs
            .iter()
            .map(|(name, value)| httparse::Header { name, value })
            .collect::<Vec<_>>();
        let mut map = http::HeaderMap::new();
        map.insert("host", http::HeaderValue::from_static("a"));
        map.insert("accept", http::HeaderValue::from_static("b"));
        assert!(
            pairs.pairs().eq(parsed.as_slice().pairs()) && pairs.pairs().eq(Fields::pairs(&map))
        );
    }
}
