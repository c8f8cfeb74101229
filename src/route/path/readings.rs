//! The texts that upstreams may read a path as, for comparing with `deny`. None of them is forwarded.

use super::escape::{decoded, decoded_repeatedly};
use super::fold::{before_query, before_stream, folded_letters, has_one_reading};
use super::plain_reading;
use super::segments::{by_segments, without_empty_segments, without_ends};

/// The other readings of a path or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherReadings {
    /// All of them.
    All(Vec<Vec<u8>>),
    /// There are more octets of them than are compared. Whoever compares takes this for a match.
    TooMany,
}

/// Octets of all readings of one text together: so many, or four times the text. A long path with few oddities has room, and so
/// has each short one. Each step looks once at the readings before it, so the work is linear in the text: at
/// most nine times this, for nine steps.
const READING_BYTES: usize = 16 << 10;

/// Readings of one text. What one step after the other makes of it would double their number each time.
const MOST_READINGS: usize = 128;

/// A canonical path, or a name, as upstreams may read it: decoded, once and repeatedly; without parameters and empty segments;
/// and with its letters folded, in each combination of cutting off parameters, cutting off a query, cutting off dots, blanks
/// and streams, taking backslashes for slashes, and leaving out empty segments. Beside itself, its case and a final slash,
/// which are left to the caller. Nothing for a text that has none of that.
pub fn other_readings(text: &str) -> OtherReadings {
    let mut readings = ReadingsBuilder {
        found: Vec::new(),
        room: room_for(text),
        looked_at: 0,
    };
    match readings.find(text) {
        Ok(()) => OtherReadings::All(readings.found),
        Err(ReadingsExceeded) => OtherReadings::TooMany,
    }
}

fn room_for(text: &str) -> usize {
    READING_BYTES.max(4 * text.len())
}

/// No room for more readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReadingsExceeded;

struct ReadingsBuilder {
    found: Vec<Vec<u8>>,
    /// Octets that may be added.
    room: usize,
    /// Octets that steps looked at, which tests hold against the bound.
    looked_at: usize,
}

impl ReadingsBuilder {
    fn find(&mut self, text: &str) -> Result<(), ReadingsExceeded> {
        if has_one_reading(text) {
            return Ok(());
        }
        // Parameters are cut off before decoding and after it, by one reader or the other.
        let plain = plain_reading(text);
        let cut = String::from_utf8(without_parameters(text.as_bytes())).unwrap_or_default();
        for text in [text, &cut] {
            self.add(decoded(text))?;
            self.add(decoded_repeatedly(text))?;
        }
        self.add_each(without_parameters)?;
        if self.found.iter().all(|reading| reading.is_ascii()) {
            // All that folding changes is compared without regard to case anyway.
            self.replace_each(folded_letters);
        } else {
            self.add_each(folded_letters)?;
        }
        // Folding shows further escapes and parameters.
        self.add_each(|text| {
            std::str::from_utf8(text).map_or_else(|_| text.to_vec(), decoded_repeatedly)
        })?;
        for step in [
            without_parameters,
            without_query,
            without_streams,
            without_ends,
            without_backslashes,
            without_empty_segments,
        ] {
            self.add_each(step)?;
        }
        self.add(decoded(text))?;
        self.add(decoded(&plain))?;
        // By a reader who decodes nothing. The text itself is compared already, also without its final slash.
        let is_new = |reading: &[u8]| {
            reading != text.as_bytes() && Some(reading) != text.as_bytes().strip_suffix(b"/")
        };
        for before in [text.as_bytes(), plain.as_bytes(), cut.as_bytes()] {
            let ends = without_ends(before);
            for reading in [
                without_empty_segments(before),
                without_empty_segments(&ends),
                ends,
                before.to_vec(),
            ] {
                if is_new(&reading) {
                    self.add(reading)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, reading: Vec<u8>) -> Result<(), ReadingsExceeded> {
        if !self.found.contains(&reading) {
            if self.found.len() == MOST_READINGS {
                return Err(ReadingsExceeded);
            }
            self.room = self
                .room
                .checked_sub(reading.len())
                .ok_or(ReadingsExceeded)?;
            self.found.push(reading);
        }
        Ok(())
    }

    fn replace_each(&mut self, step: impl Fn(&[u8]) -> Vec<u8>) {
        for reading in &mut self.found {
            self.looked_at += reading.len();
            *reading = step(reading);
        }
    }

    /// Adds what a step makes of each reading, where it changes anything.
    fn add_each(&mut self, step: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), ReadingsExceeded> {
        for at in 0..self.found.len() {
            let Some(reading) = self.found.get(at) else {
                break;
            };
            self.looked_at += reading.len();
            let next = step(reading);
            self.add(next)?;
        }
        Ok(())
    }
}

/// The whole text without a query or fragment.
fn without_query(text: &[u8]) -> Vec<u8> {
    before_query(text).to_vec()
}

fn without_streams(text: &[u8]) -> Vec<u8> {
    by_segments(text, before_stream)
}

fn without_parameters(text: &[u8]) -> Vec<u8> {
    by_segments(text, |segment| {
        segment
            .split(|octet| *octet == b';')
            .next()
            .unwrap_or_default()
    })
}

fn without_backslashes(text: &[u8]) -> Vec<u8> {
    text.iter()
        .map(|octet| if *octet == b'\\' { b'/' } else { *octet })
        .collect()
}

#[cfg(test)]
mod tests;
