//! A strict DER reader without heap allocations, for revocation lists with very many entries: only definite, shortest
//! lengths and one-byte tags. Knows no structures. (`file_format::der` is lenient, for hints.)

/// The input is not DER, or not of the expected structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not valid DER, or not of the expected structure")]
pub struct BadDer;

/// One DER element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerElement<'a> {
    /// The tag.
    pub tag: u8,
    /// The content, without tag and length.
    pub content: &'a [u8],
    /// The element with tag and length.
    pub whole: &'a [u8],
}

/// The unread elements.
#[derive(Clone, Copy, Debug)]
pub struct DerReader<'a>(&'a [u8]);

/// The tag of BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// The tag of INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// The tag of OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The tag of OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// The tag of UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// The tag of GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// The tag of SEQUENCE.
pub const SEQUENCE: u8 = 0x30;

impl<'a> DerReader<'a> {
    /// A reader of these elements.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all elements are read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, with any tag.
    ///
    /// # Errors
    /// [`BadDer`]
    pub fn any(&mut self) -> Result<DerElement<'a>, BadDer> {
        let start = self.0;
        let (&tag, rest) = start.split_first().ok_or(BadDer)?;
        let (&first, rest) = rest.split_first().ok_or(BadDer)?;
        // No structure read here has tags of several bytes.
        if tag & 0x1f == 0x1f {
            return Err(BadDer);
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => long_length(rest, usize::from(first & 0x7f))?,
            _ => return Err(BadDer),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(BadDer)?;
        let whole = start.get(..start.len() - rest.len()).ok_or(BadDer)?;
        self.0 = rest;
        Ok(DerElement {
            tag,
            content,
            whole,
        })
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    /// [`BadDer`]
    pub fn expect(&mut self, tag: u8) -> Result<DerElement<'a>, BadDer> {
        let element = self.any()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(BadDer)
        }
    }

    /// The next element, if it has this tag.
    ///
    /// # Errors
    /// [`BadDer`]
    pub fn optional(&mut self, tag: u8) -> Result<Option<DerElement<'a>>, BadDer> {
        if self.peek() == Some(tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Fails if unread elements are left.
    ///
    /// # Errors
    /// [`BadDer`]
    pub fn finish(self) -> Result<(), BadDer> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(BadDer)
        }
    }
}

impl<'a> DerElement<'a> {
    /// A reader of the elements in the content.
    pub fn reader(&self) -> DerReader<'a> {
        DerReader(self.content)
    }
}

/// A length of `count` bytes, which must be the shortest form.
fn long_length(rest: &[u8], count: usize) -> Result<(usize, &[u8]), BadDer> {
    let (digits, rest) = rest.split_at_checked(count).ok_or(BadDer)?;
    let length = digits
        .iter()
        .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
    let is_shortest = digits.first().is_some_and(|digit| *digit != 0) && length > 0x7f;
    if is_shortest {
        Ok((length, rest))
    } else {
        Err(BadDer)
    }
}

/// The value of a boolean. DER allows only 0x00 and 0xff.
///
/// # Errors
/// [`BadDer`]
pub fn boolean(element: &DerElement<'_>) -> Result<bool, BadDer> {
    match (element.tag, element.content) {
        (BOOLEAN, [0x00]) => Ok(false),
        (BOOLEAN, [0xff]) => Ok(true),
        _ => Err(BadDer),
    }
}

/// A time as in RFC 5280 (sections 4.1.2.5.1 and 4.1.2.5.2), in UTC with seconds. Returns seconds since 1970.
///
/// # Errors
/// [`BadDer`]
pub fn time(element: &DerElement<'_>) -> Result<i64, BadDer> {
    let (year, rest) = match (element.tag, element.content.len()) {
        (UTC_TIME, 13) => {
            let year = two_digits(element.content.get(..2).ok_or(BadDer)?)?;
            (
                if year < 50 { 2000 + year } else { 1900 + year },
                element.content.get(2..).ok_or(BadDer)?,
            )
        }
        (GENERALIZED_TIME, 15) => {
            let century = two_digits(element.content.get(..2).ok_or(BadDer)?)?;
            let year = two_digits(element.content.get(2..4).ok_or(BadDer)?)?;
            (
                100 * century + year,
                element.content.get(4..).ok_or(BadDer)?,
            )
        }
        _ => return Err(BadDer),
    };
    let mut parts = [0; 5];
    let (digits, zone) = rest.split_at_checked(10).ok_or(BadDer)?;
    for (part, pair) in parts.iter_mut().zip(digits.chunks_exact(2)) {
        *part = two_digits(pair)?;
    }
    if zone != b"Z" {
        return Err(BadDer);
    }
    let [month, day, hour, minute, second] = parts;
    let small = |number: i32| u8::try_from(number).map_err(|_| BadDer);
    let month = time::Month::try_from(small(month)?).map_err(|_| BadDer)?;
    let date = time::Date::from_calendar_date(year, month, small(day)?).map_err(|_| BadDer)?;
    let moment = date
        .with_hms(small(hour)?, small(minute)?, small(second)?)
        .map_err(|_| BadDer)?;
    Ok(moment.assume_utc().unix_timestamp())
}

fn two_digits(pair: &[u8]) -> Result<i32, BadDer> {
    match pair {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Ok(i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
        }
        _ => Err(BadDer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_one_after_the_other_and_only_in_their_one_form() {
        let mut reader = DerReader::new(&[2, 1, 5, 4, 0]);
        assert_eq!(reader.expect(INTEGER).unwrap().content, [5]);
        assert_eq!(reader.optional(SEQUENCE), Ok(None));
        assert_eq!(
            reader.optional(OCTET_STRING).unwrap().unwrap().whole,
            [4, 0]
        );
        assert_eq!(reader.finish(), Ok(()));
        for bad in [
            &[][..],
            &[2],
            &[2, 1],
            &[2, 0x80],
            &[2, 0x81, 1, 0],
            &[2, 0x82, 0, 200],
            &[0x1f, 1, 0],
            &[2, 0x85, 1, 1, 1, 1, 1],
        ] {
            assert_eq!(DerReader::new(bad).any(), Err(BadDer), "{bad:?}");
        }
    }

    #[test]
    fn times_are_read_in_utc_with_seconds() {
        let utc = |text: &str| {
            time(&DerElement {
                tag: UTC_TIME,
                content: text.as_bytes(),
                whole: &[],
            })
        };
        let generalized = |text: &str| {
            time(&DerElement {
                tag: GENERALIZED_TIME,
                content: text.as_bytes(),
                whole: &[],
            })
        };
        assert_eq!(utc("700101000000Z"), Ok(0));
        assert_eq!(utc("491231235959Z"), Ok(2_524_607_999));
        assert_eq!(generalized("20500101000000Z"), Ok(2_524_608_000));
        for bad in [
            "700101000000",
            "7001010000Z",
            "700101000000+0100",
            "701301000000Z",
            "700101240000Z",
            "7001 1000000Z",
        ] {
            assert_eq!(utc(bad), Err(BadDer), "{bad}");
        }
        assert_eq!(generalized("20500101000000.5Z"), Err(BadDer));
    }
}
