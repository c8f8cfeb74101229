//! A request head as both HTTP engines show it: borrowed, unparsed, in the client's words. Judges nothing.

/// Header fields in the order of arrival.
pub trait Fields {
    /// Calls `visit` with each field's name (any case) and value.
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8]));

    /// The values of all fields with this name, compared without case.
    fn all<'a>(&'a self, name: &str) -> Vec<&'a [u8]> {
        let mut values = Vec::new();
        self.each(&mut |field, value| {
            if field.eq_ignore_ascii_case(name) {
                values.push(value);
            }
        });
        values
    }
}

impl Fields for http::HeaderMap {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

impl Fields for [(&str, &[u8])] {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

/// What a client asked for.
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
