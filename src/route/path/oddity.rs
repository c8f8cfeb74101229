//! The ways in which two readers of one path could understand different things.

/// A way in which two readers of one path could understand different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Oddity {
    /// `%2f` inside a segment.
    EncodedSlash = 1,
    /// `%5c`.
    EncodedBackslash = 1 << 1,
    /// `%00` and other encoded control characters.
    EncodedControl = 1 << 2,
    /// `%25` before two hexadecimal digits, as in `%252f` and `%2561`: another path to whoever decodes twice.
    DoubleEncoding = 1 << 3,
    /// Percent-encoded bytes that are not UTF-8.
    InvalidUtf8 = 1 << 4,
    /// `//` inside the path.
    EmptySegments = 1 << 5,
    /// `.` and `..`, plain or encoded.
    DotSegments = 1 << 6,
    /// A plain backslash.
    RawBackslash = 1 << 7,
    /// `;x` behind a segment, which some upstreams (servlet containers) cut off.
    PathParameters = 1 << 8,
    /// Another route's path but for case, a final slash, and what else `with_folded` folds. The caller finds it.
    LookAlike = 1 << 9,
}

impl Oddity {
    /// All of them, for messages.
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

    /// The word for this in config and log, which is the key of a route that takes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::EncodedSlash => "encoded_slash",
            Self::EncodedBackslash => "encoded_backslash",
            Self::EncodedControl => "encoded_control",
            Self::DoubleEncoding => "double_encoding",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::EmptySegments => "empty_segments",
            Self::DotSegments => "dot_segments",
            Self::RawBackslash => "raw_backslash",
            Self::PathParameters => "path_parameters",
            Self::LookAlike => "look_alike_path",
        }
    }
}

/// A set of [`Oddity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u16);

impl Oddities {
    /// Adds one.
    pub fn insert(&mut self, oddity: Oddity) {
        self.0 |= oddity as u16;
    }

    /// The oddity named by a word of the config.
    pub fn from_word(word: &str) -> Option<Oddity> {
        Oddity::ALL.into_iter().find(|oddity| oddity.word() == word)
    }

    /// Whether one is in the set.
    pub fn contains(self, oddity: Oddity) -> bool {
        self.0 & (oddity as u16) != 0
    }

    /// The first one that is in `self` and not in `taken`.
    pub fn first_beyond(self, taken: Self) -> Option<Oddity> {
        Oddity::ALL
            .into_iter()
            .find(|oddity| self.0 & !taken.0 & (*oddity as u16) != 0)
    }
}
