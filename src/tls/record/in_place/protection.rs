//! What records mean after the handshake: content, alerts, key updates; and how often each may come. Reads and writes no
//! socket.

use super::error::RecordError;
use super::extract::Keys;
use super::keys::{ALERT, APPLICATION_DATA, HANDSHAKE};
use crate::tls::record::{RECORD_HEADER, RECORD_TRAILER};
use std::ops::Range;

/// The keys of a connection and what they are used for.
pub(super) struct Protection {
    keys: Keys,
    /// Records without content since the last that had some.
    empty: u32,
    /// How many key updates the client may still send before content.
    updates_left: u32,
    /// It wants a new key of us before the next content (RFC 8446 section 4.6.3).
    owes_update: bool,
}

/// What was in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It lies there in the record.
    Application(Range<usize>),
    /// Nothing for anybody else.
    Nothing,
    /// `close_notify`.
    Close,
}

const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;
const KEY_UPDATE: u8 = 24;
const FATAL: u8 = 2;

impl Protection {
    /// AES-GCM is safe for 2^24.5 records with one key (section 5.5); well before that there is a new one.
    const RECORDS_WITH_ONE_KEY: u64 = 1 << 23;
    /// As in rustls.
    const MOST_EMPTY: u32 = 32;
    /// Without content between them. As in rustls.
    const MOST_UPDATES: u32 = 32;

    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            empty: 0,
            updates_left: Self::MOST_UPDATES,
            owes_update: false,
        }
    }

    /// Opens a whole record of the client.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<Content, RecordError> {
        let (kind, range) = self.keys.opener.open(record)?;
        let content = record.get(range.clone()).unwrap_or_default();
        match kind {
            APPLICATION_DATA if content.is_empty() => self.nothing(),
            APPLICATION_DATA => {
                (self.empty, self.updates_left) = (0, Self::MOST_UPDATES);
                Ok(Content::Application(range))
            }
            ALERT => match *content {
                [_, CLOSE_NOTIFY] => Ok(Content::Close),
                // Says nothing about the connection (section 6.1).
                [_, USER_CANCELED] => self.nothing(),
                [_, other] => Err(RecordError::Alert(other)),
                _ => Err(RecordError::Malformed),
            },
            // On a record boundary, because the key changes behind it (section 5.1).
            HANDSHAKE => match *content {
                [KEY_UPDATE, 0, 0, 1, asks] => self.updated(asks),
                [KEY_UPDATE, 0, 0, 1, _, ..] => Err(RecordError::Unexpected),
                [KEY_UPDATE, ..] => Err(RecordError::Malformed),
                _ => Err(RecordError::Unexpected),
            },
            _ => Err(RecordError::Unexpected),
        }
    }

    fn nothing(&mut self) -> Result<Content, RecordError> {
        self.empty += 1;
        if self.empty > Self::MOST_EMPTY {
            Err(RecordError::TooManyEmpty)
        } else {
            Ok(Content::Nothing)
        }
    }

    fn updated(&mut self, asks: u8) -> Result<Content, RecordError> {
        if asks > 1 {
            return Err(RecordError::BadUpdate);
        }
        self.updates_left = self
            .updates_left
            .checked_sub(1)
            .ok_or(RecordError::TooManyUpdates)?;
        self.keys.renew_opener()?;
        self.owes_update |= asks == 1;
        Ok(Content::Nothing)
    }

    /// If so many records of content need a new key first: the record that says so, sealed with the old one.
    pub(super) fn update_before(&mut self, records: usize) -> Result<Option<Vec<u8>>, RecordError> {
        let used = self.keys.sealer.sequence().saturating_add(records as u64);
        if used <= Self::RECORDS_WITH_ONE_KEY && !self.owes_update {
            return Ok(None);
        }
        let record = self.seal_message(&[KEY_UPDATE, 0, 0, 1, 0], HANDSHAKE)?;
        self.keys.renew_sealer()?;
        self.owes_update = false;
        Ok(Some(record))
    }

    /// Seals content where it lies. Where the record lies.
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
    pub(super) fn keys(&mut self) -> &mut Keys {
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
