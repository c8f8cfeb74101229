//! The parts of a request that an expression reads.

use super::tree::{Attribute, AttributeName};

/// A part of a request that conditions can read.
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

/// The parts of a request that an expression reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    inputs: Vec<Input>,
    headers: Vec<Box<str>>,
    captures: Vec<Box<str>>,
}

impl Reads {
    pub(super) fn of(reads: &[Attribute]) -> Self {
        let mut all = Self::default();
        for read in reads {
            let input = match read {
                Attribute::Method => Input::Method,
                Attribute::Path => Input::Path,
                Attribute::Host => Input::Host,
                Attribute::User => Input::User,
                Attribute::Source => Input::Source,
                Attribute::Now => Input::Time,
                Attribute::Query(_) => Input::Query,
                Attribute::Header(AttributeName { name, .. }) => {
                    all.headers.push(name.clone());
                    Input::Headers
                }
                Attribute::Capture(AttributeName { name, .. }) => {
                    all.captures.push(name.clone());
                    Input::Captures
                }
                Attribute::Certificate(_) => Input::Certificate,
            };
            if !all.inputs.contains(&input) {
                all.inputs.push(input);
            }
        }
        all
    }

    /// Whether the expression reads this part.
    pub fn has(&self, input: Input) -> bool {
        self.inputs.contains(&input)
    }

    /// The parts that the expression reads, each once, in the order of the text.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The names of the header fields that the expression reads, in lower case, each once.
    pub fn headers(&self) -> &[Box<str>] {
        &self.headers
    }

    /// The names of the captures that the expression reads, each once. A route without one of them never satisfies it.
    pub fn captures(&self) -> &[Box<str>] {
        &self.captures
    }
}
