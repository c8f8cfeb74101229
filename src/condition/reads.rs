//! Which parts of a request an expression looks at. Reads none of them.

use super::tree::{Named, Read};

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
    pub(super) fn of(reads: &[Read]) -> Self {
        let mut all = Self::default();
        for read in reads {
            let input = match read {
                Read::Method => Input::Method,
                Read::Path => Input::Path,
                Read::Host => Input::Host,
                Read::User => Input::User,
                Read::Source => Input::Source,
                Read::Now => Input::Time,
                Read::Query(_) => Input::Query,
                Read::Header(Named { name, .. }) => {
                    all.headers.push(name.clone());
                    Input::Headers
                }
                Read::Capture(Named { name, .. }) => {
                    all.captures.push(name.clone());
                    Input::Captures
                }
                Read::Certificate(_) => Input::Certificate,
            };
            if !all.inputs.contains(&input) {
                all.inputs.push(input);
            }
        }
        all
    }

    /// Whether it looks at this part.
    pub fn has(&self, input: Input) -> bool {
        self.inputs.contains(&input)
    }

    /// The parts that it looks at, each once, in the order of the text.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The names of the header fields that it looks at, in lower case, each once.
    pub fn headers(&self) -> &[Box<str>] {
        &self.headers
    }

    /// The names of the captures that it looks at, each once. A route that has not all of them can never satisfy it.
    pub fn captures(&self) -> &[Box<str>] {
        &self.captures
    }
}
