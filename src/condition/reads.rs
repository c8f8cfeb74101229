//! Which parts of a request an expression looks at. Reads none of them.

/// A part of a request that conditions may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// `request.method`
    Method,
    /// `request.path`
    Path,
    /// `request.host`
    Host,
    /// `request.query`
    Query,
    /// `request.headers`
    Headers,
    /// `captures`
    Captures,
    /// `certificate`
    Certificate,
    /// `user`
    User,
    /// `source`
    Source,
    /// `now`
    Time,
}

/// What an expression looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    inputs: Vec<Input>,
    headers: Vec<Box<str>>,
    captures: Vec<Box<str>>,
}

impl Reads {
    /// Whether it looks at this part.
    pub fn has(&self, input: Input) -> bool {
        self.inputs.contains(&input)
    }

    /// The parts that it looks at, each once.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The names of the header fields that it looks at, in lower case, each once.
    pub fn headers(&self) -> &[Box<str>] {
        &self.headers
    }

    /// The names of the captures that it looks at, each once.
    pub fn captures(&self) -> &[Box<str>] {
        &self.captures
    }
}
