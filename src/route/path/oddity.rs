//! Path oddities: ambiguities in a path that two servers may read differently.

use crate::reason::Reason;

/// An ambiguity in a path that two servers may read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Oddity {
    /// `%2f` inside a segment.
    EncodedSlash = 1,
    /// `%5c`.
    EncodedBackslash = 1 << 1,
    /// `%00` and other encoded control characters.
    EncodedControl = 1 << 2,
    /// `%25` before two hexadecimal digits, as in `%252f` and `%2561`. A server that decodes twice
    /// reads another path.
    DoubleEncoding = 1 << 3,
    /// Percent-encoded bytes that are not UTF-8.
    InvalidUtf8 = 1 << 4,
    /// `//` inside the path.
    EmptySegments = 1 << 5,
    /// `.` and `..`, plain or encoded.
    DotSegments = 1 << 6,
    /// A plain backslash.
    RawBackslash = 1 << 7,
    /// `;x` after a segment. Some upstreams (servlet containers) remove it.
    PathParameters = 1 << 8,
    /// Equal to another route's path after folding (see `with_folded`). The caller detects it.
    LookAlike = 1 << 9,
}

impl Oddity {
    /// All oddities, for messages.
    const ALL: [Self; 10] = [
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::EncodedControl,
        Self::DoubleEncoding,
        Self::InvalidUtf8,
        Self::EmptySegments,
        Self::DotSegments,
        Self::RawBackslash,
        Self::PathParameters,
        Self::LookAlike,
    ];

    /// The reason of a request that is rejected for it.
    pub fn reason(self) -> Reason {
        match self {
            Self::EncodedSlash => Reason::EncodedSlash,
            Self::EncodedBackslash => Reason::EncodedBackslash,
            Self::EncodedControl => Reason::EncodedControl,
            Self::DoubleEncoding => Reason::DoubleEncoding,
            Self::InvalidUtf8 => Reason::InvalidUtf8,
            Self::EmptySegments => Reason::EmptySegments,
            Self::DotSegments => Reason::DotSegments,
            Self::RawBackslash => Reason::RawBackslash,
            Self::PathParameters => Reason::PathParameters,
            Self::LookAlike => Reason::LookAlikePath,
        }
    }

    /// The word of the reason, which is also the key of a route that accepts it.
    pub fn word(self) -> &'static str {
        self.reason().word()
    }
}

/// A set of [`Oddity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u16);

impl Oddities {
    /// Adds an oddity.
    pub fn insert(&mut self, oddity: Oddity) {
        self.0 |= oddity as u16;
    }

    /// The oddity with a config word.
    pub fn from_word(word: &str) -> Option<Oddity> {
        Oddity::ALL.into_iter().find(|oddity| oddity.word() == word)
    }

    /// Whether the set contains an oddity.
    pub fn contains(self, oddity: Oddity) -> bool {
        self.0 & (oddity as u16) != 0
    }

    /// The first oddity that is in `self` and not in `taken`.
    pub fn first_beyond(self, taken: Self) -> Option<Oddity> {
        Oddity::ALL
            .into_iter()
            .find(|oddity| self.0 & !taken.0 & (*oddity as u16) != 0)
    }
}
