//! Processing of records after the handshake: content, alerts, key updates, and limits for each. Reads and writes no
//! socket.

use super::error::RecordError;
use super::extract::TrafficKeys;
use super::keys::{ALERT, APPLICATION_DATA, HANDSHAKE};
use crate::tls::record::{RECORD_HEADER, RECORD_TRAILER};
use std::ops::Range;

/// The keys of a connection and the state of its record protection.
pub(super) struct Protection {
    keys: TrafficKeys,
    /// Consecutive records without content.
    empty: u32,
    /// Number of key updates that the client may still send before content.
    updates_left: u32,
    /// The client requested a key update, which must precede the next content (RFC 8446 section 4.6.3).
    is_update_requested: bool,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecordContent {
    /// Application data, at this range of the record.
    Application(Range<usize>),
    /// Nothing for the caller.
    Nothing,
    /// `close_notify`.
    Close,
}

const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;
const KEY_UPDATE: u8 = 24;
const FATAL: u8 = 2;

impl Protection {
    /// Maximum number of records with one key. AES-GCM is safe for 2^24.5 records (section 5.5).
    const MAX_RECORDS_PER_KEY: u64 = 1 << 23;
    /// Maximum number of consecutive records without content. As in rustls.
    const MAX_EMPTY: u32 = 32;
    /// Maximum number of key updates without content between them. As in rustls.
    const MAX_UPDATES: u32 = 32;

    pub(super) fn new(keys: TrafficKeys) -> Self {
        Self {
            keys,
            empty: 0,
            updates_left: Self::MAX_UPDATES,
            is_update_requested: false,
        }
    }

    /// Decrypts and processes a complete record of the client.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<RecordContent, RecordError> {
        let (kind, range) = self.keys.opener.open(record)?;
        let content = record.get(range.clone()).unwrap_or_default();
        match kind {
            APPLICATION_DATA if content.is_empty() => self.count_empty(),
            APPLICATION_DATA => {
                self.empty = 0;
                self.updates_left = Self::MAX_UPDATES;
                Ok(RecordContent::Application(range))
            }
            ALERT => match *content {
                [_, CLOSE_NOTIFY] => Ok(RecordContent::Close),
                // Not an error of the connection (section 6.1).
                [_, USER_CANCELED] => self.count_empty(),
                [_, other] => Err(RecordError::Alert(other)),
                _ => Err(RecordError::Malformed),
            },
            // A key update must end at a record boundary, because the key changes after it (section 5.1).
            HANDSHAKE => match *content {
                [KEY_UPDATE, 0, 0, 1, request] => self.update_key(request),
                [KEY_UPDATE, 0, 0, 1, _, ..] => Err(RecordError::Unexpected),
                [KEY_UPDATE, ..] => Err(RecordError::Malformed),
                _ => Err(RecordError::Unexpected),
            },
            _ => Err(RecordError::Unexpected),
        }
    }

    fn count_empty(&mut self) -> Result<RecordContent, RecordError> {
        self.empty += 1;
        if self.empty > Self::MAX_EMPTY {
            Err(RecordError::TooManyEmpty)
        } else {
            Ok(RecordContent::Nothing)
        }
    }

    fn update_key(&mut self, request: u8) -> Result<RecordContent, RecordError> {
        if request > 1 {
            return Err(RecordError::BadUpdate);
        }
        self.updates_left = self
            .updates_left
            .checked_sub(1)
            .ok_or(RecordError::TooManyUpdates)?;
        self.keys.renew_opener()?;
        self.is_update_requested |= request == 1;
        Ok(RecordContent::Nothing)
    }

    /// If `records` more records need a new key: switches to it and returns the key update record, encrypted with the old
    /// key.
    pub(super) fn update_before(&mut self, records: usize) -> Result<Option<Vec<u8>>, RecordError> {
        let used = self.keys.sealer.sequence().saturating_add(records as u64);
        if used <= Self::MAX_RECORDS_PER_KEY && !self.is_update_requested {
            return Ok(None);
        }
        let record = self.seal_message(&[KEY_UPDATE, 0, 0, 1, 0], HANDSHAKE)?;
        self.keys.renew_sealer()?;
        self.is_update_requested = false;
        Ok(Some(record))
    }

    /// Encrypts content in place. Returns the range of the record.
    pub(super) fn seal(
        &mut self,
        buffer: &mut [u8],
        content: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        self.keys.sealer.seal(buffer, content, APPLICATION_DATA)
    }

    pub(super) fn seal_close(&mut self) -> Result<Vec<u8>, RecordError> {
        self.seal_message(&[1, CLOSE_NOTIFY], ALERT)
    }

    pub(super) fn seal_alert(&mut self, alert: u8) -> Result<Vec<u8>, RecordError> {
        self.seal_message(&[FATAL, alert], ALERT)
    }

    #[cfg(test)]
    pub(super) fn keys(&mut self) -> &mut TrafficKeys {
        &mut self.keys
    }

    fn seal_message(&mut self, message: &[u8], kind: u8) -> Result<Vec<u8>, RecordError> {
        let mut record = vec![0; RECORD_HEADER];
        record.extend_from_slice(message);
        let content = RECORD_HEADER..record.len();
        record.resize(record.len() + RECORD_TRAILER, 0);
        self.keys.sealer.seal(&mut record, content, kind)?;
        Ok(record)
    }
}
