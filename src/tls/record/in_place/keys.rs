//! One direction of TLS 1.3 record protection (RFC 8446 section 5): decrypts or encrypts records in place. Does not
//! interpret their content.

use super::error::RecordError;
use crate::tls::record::{RECORD_HEADER, RECORD_PLAINTEXT, RECORD_TRAILER};
use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::ops::Range;

/// The key of one direction, and the number of records that it has protected.
pub(super) struct Direction {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

/// Content types (section 5.1).
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// Bytes of the AEAD tag, for all suites of TLS 1.3.
const TAG: usize = 16;
/// Maximum bytes by which a protected record may exceed its plaintext (section 5.2).
const EXPANSION: usize = 256;

impl Direction {
    /// A direction with this sequence number for the next record.
    pub(super) fn new(
        algorithm: &'static Algorithm,
        key: &[u8],
        iv: &[u8],
        sequence: u64,
    ) -> Result<Self, RecordError> {
        let key = UnboundKey::new(algorithm, key).map_err(|_| RecordError::NoKey)?;
        let iv = iv.try_into().map_err(|_| RecordError::NoKey)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv,
            sequence,
        })
    }

    /// The sequence number of the next record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    #[cfg(test)]
    pub(super) fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// The nonce of the next record (section 5.3). Increments the sequence number.
    fn nonce(&mut self) -> Result<Nonce, RecordError> {
        let next = self.sequence.checked_add(1).ok_or(RecordError::NoKey)?;
        let mut nonce = self.iv;
        for (byte, number) in nonce
            .iter_mut()
            .rev()
            .zip(self.sequence.to_be_bytes().iter().rev())
        {
            *byte ^= number;
        }
        self.sequence = next;
        Ok(Nonce::assume_unique_for_key(nonce))
    }

    /// Decrypts a complete record. Returns its content type and the range of its content.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<(u8, Range<usize>), RecordError> {
        let (header, body) = record
            .split_at_mut_checked(RECORD_HEADER)
            .ok_or(RecordError::Malformed)?;
        let nonce = self.nonce()?;
        let inner = self
            .key
            .open_in_place(nonce, Aad::from(&*header), body)
            .map_err(|_| RecordError::BadMac)?;
        if inner.len() > RECORD_PLAINTEXT + 1 {
            return Err(RecordError::TooLong);
        }
        // Zero padding follows the content type (section 5.4); a record of only zeros has no type.
        let length = inner
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(RecordError::Unexpected)?;
        let kind = inner.get(length).copied().ok_or(RecordError::Unexpected)?;
        Ok((kind, RECORD_HEADER..RECORD_HEADER + length))
    }

    /// Encrypts the range `content` of `buffer`, with the header before and the trailer after it. Returns the range of
    /// the record.
    pub(super) fn seal(
        &mut self,
        buffer: &mut [u8],
        content: Range<usize>,
        kind: u8,
    ) -> Result<Range<usize>, RecordError> {
        let length = content.len();
        let start = content
            .start
            .checked_sub(RECORD_HEADER)
            .ok_or(RecordError::Malformed)?;
        let record = buffer
            .get_mut(start..content.end + RECORD_TRAILER)
            .ok_or(RecordError::Malformed)?;
        if length > RECORD_PLAINTEXT {
            return Err(RecordError::TooLong);
        }
        let (header, body) = record
            .split_at_mut_checked(RECORD_HEADER)
            .ok_or(RecordError::Malformed)?;
        let [high, low] = u16::try_from(length + RECORD_TRAILER)
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        header.copy_from_slice(&[APPLICATION_DATA, 3, 3, high, low]);
        let (inner, tag) = body
            .split_at_mut_checked(length + 1)
            .ok_or(RecordError::Malformed)?;
        if let Some(last) = inner.last_mut() {
            *last = kind;
        }
        let nonce = self.nonce()?;
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), inner);
        let sealed = sealed.map_err(|_| RecordError::NoKey)?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(start..content.end + RECORD_TRAILER)
    }
}

/// How much of the first record was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// All of it; its length in bytes.
    Whole(usize),
    /// The number of missing bytes.
    Missing(usize),
    /// Its header is not complete.
    Unknown,
}

/// Checks the header of the first record as soon as it is received.
pub(super) fn frame(received: &[u8]) -> Result<Frame, RecordError> {
    let &[kind, _, _, high, low, ref body @ ..] = received else {
        return match received.first() {
            Some(&kind) if kind != APPLICATION_DATA => Err(RecordError::Unexpected),
            _ => Ok(Frame::Unknown),
        };
    };
    // The version must be ignored (section 5.1).
    if kind != APPLICATION_DATA {
        return Err(RecordError::Unexpected);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > RECORD_PLAINTEXT + EXPANSION {
        return Err(RecordError::TooLong);
    }
    if length < TAG {
        return Err(RecordError::BadMac);
    }
    match length.checked_sub(body.len()) {
        None | Some(0) => Ok(Frame::Whole(RECORD_HEADER + length)),
        Some(missing) => Ok(Frame::Missing(missing)),
    }
}

#[cfg(test)]
#[path = "rfc8448.rs"]
mod tests;
