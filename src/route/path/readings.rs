//! Lists how upstreams may read a path, for comparison with `deny`. No reading is forwarded.

use super::escape::{decoded, decoded_repeatedly};
use super::fold::{before_query, before_stream, folded_letters, has_one_reading};
use super::plain_reading;
use super::segments::{by_segments, without_empty_segments, without_ends};

/// The other readings of a path or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherReadings {
    /// All of them.
    All(Vec<Vec<u8>>),
    /// They exceed the limit. The caller must treat this as a match.
    TooMany,
}

/// Maximum bytes of all readings of one text, or four times the text if that is more. Suffices for
/// each short path and for long paths with few oddities. Each step reads the previous readings
/// once, so the work is linear in the text: at most nine times this limit, for nine steps.
const READING_BYTES: usize = 16 << 10;

/// Maximum number of readings of one text. Each step could double their number.
const MOST_READINGS: usize = 128;

/// The readings of a canonical path or a name: decoded once and repeatedly; without parameters and
/// empty segments; and folded, in each combination of these steps: remove parameters, query, dots,
/// blanks and streams; replace backslashes by slashes; remove empty segments. Excludes the text
/// itself, its case and a trailing slash; the caller compares these. Empty if the text has one
/// reading.
pub fn other_readings(text: &str) -> OtherReadings {
    let mut readings = ReadingsBuilder {
        found: Vec::new(),
        room: room_for(text),
        bytes_read: 0,
    };
    match readings.find(text) {
        Ok(()) => OtherReadings::All(readings.found),
        Err(ReadingsLimit) => OtherReadings::TooMany,
    }
}

fn room_for(text: &str) -> usize {
    READING_BYTES.max(4 * text.len())
}

/// The limit of the readings is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReadingsLimit;

struct ReadingsBuilder {
    found: Vec<Vec<u8>>,
    /// Bytes that may still be added.
    room: usize,
    /// Bytes that the steps have read. Tests compare it with the bound.
    bytes_read: usize,
}

impl ReadingsBuilder {
    fn find(&mut self, text: &str) -> Result<(), ReadingsLimit> {
        if has_one_reading(text) {
            return Ok(());
        }
        // Servers remove parameters before or after decoding.
        let plain = plain_reading(text);
        let cut = String::from_utf8(without_parameters(text.as_bytes())).unwrap_or_default();
        for text in [text, &cut] {
            self.add(decoded(text))?;
            self.add(decoded_repeatedly(text))?;
        }
        self.add_each(without_parameters)?;
        if self.found.iter().all(|reading| reading.is_ascii()) {
            // The caller compares without case, so folding ASCII adds nothing.
            self.replace_each(folded_letters);
        } else {
            self.add_each(folded_letters)?;
        }
        // Folding reveals further escapes and parameters.
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
        // The readings of a server that decodes nothing. The caller compares the text itself, also
        // without its trailing slash.
        let is_new = |reading: &[u8]| {
            reading != text.as_bytes() && Some(reading) != text.as_bytes().strip_suffix(b"/")
        };
        for original in [text.as_bytes(), plain.as_bytes(), cut.as_bytes()] {
            let ends = without_ends(original);
            for reading in [
                without_empty_segments(original),
                without_empty_segments(&ends),
                ends,
                original.to_vec(),
            ] {
                if is_new(&reading) {
                    self.add(reading)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, reading: Vec<u8>) -> Result<(), ReadingsLimit> {
        if !self.found.contains(&reading) {
            if self.found.len() == MOST_READINGS {
                return Err(ReadingsLimit);
            }
            self.room = self.room.checked_sub(reading.len()).ok_or(ReadingsLimit)?;
            self.found.push(reading);
        }
        Ok(())
    }

    fn replace_each(&mut self, step: impl Fn(&[u8]) -> Vec<u8>) {
        for reading in &mut self.found {
            self.bytes_read += reading.len();
            *reading = step(reading);
        }
    }

    /// Applies a step to each reading and adds the changed ones.
    fn add_each(&mut self, step: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), ReadingsLimit> {
        for at in 0..self.found.len() {
            let Some(reading) = self.found.get(at) else {
                break;
            };
            self.bytes_read += reading.len();
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
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
    })
}

fn without_backslashes(text: &[u8]) -> Vec<u8> {
    text.iter()
        .map(|byte| if *byte == b'\\' { b'/' } else { *byte })
        .collect()
}

#[cfg(test)]
mod tests;
