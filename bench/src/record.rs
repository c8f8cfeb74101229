//! TLS 1.3 records (RFC 8446, section 5) sealed and opened where they lie, with keys from a finished rustls handshake.
//! Makes the load generator and the floor as cheap as they can be; no KeyUpdate, hence for measuring only.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;
use std::io;
use std::ops::Range;

/// Bytes in front of a record's content: type, version, length.
pub const HEADER: usize = 5;
/// Bytes behind it: the inner content type and the AEAD tag.
pub const TRAILER: usize = 1 + 16;
/// The most content that a record can carry.
pub const CONTENT: usize = 16_384;
/// The longest record that we send.
pub const RECORD: usize = HEADER + CONTENT + TRAILER;

const APPLICATION_DATA: u8 = 23;
const HANDSHAKE: u8 = 22;

/// What a record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// Application data, at this place in the buffer.
    Data(Range<usize>),
    /// A session ticket or the like, of no interest here.
    Handshake,
    /// The peer ends the connection.
    Alert,
}

/// One direction of a connection: its key and how many records have passed.
pub struct Direction {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

impl Direction {
    /// Takes what `dangerous_extract_secrets` gave for one direction.
    pub fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> io::Result<Self> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(io::Error::other("a cipher that is not known here")),
        };
        let key = UnboundKey::new(algorithm, key.as_ref())
            .map_err(|_| io::Error::other("a key of the wrong length"))?;
        let iv = iv
            .as_ref()
            .try_into()
            .map_err(|_| io::Error::other("an IV of the wrong length"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv,
            sequence,
        })
    }

    /// Makes a record of `record`, whose content already stands behind `HEADER` free bytes and before `TRAILER` ones.
    pub fn seal(&mut self, record: &mut [u8]) -> io::Result<()> {
        let length = (record.len() - HEADER) as u16;
        let (header, body) = record.split_at_mut(HEADER);
        header.copy_from_slice(&[APPLICATION_DATA, 3, 3, (length >> 8) as u8, length as u8]);
        let (inner, tag) = body.split_at_mut(body.len() - (TRAILER - 1));
        if let Some(kind) = inner.last_mut() {
            *kind = APPLICATION_DATA;
        }
        let nonce = self.next_nonce();
        let computed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), inner)
            .map_err(|_| io::Error::other("cannot seal"))?;
        tag.copy_from_slice(computed.as_ref());
        Ok(())
    }

    /// Opens the record that stands at `place` of `buffer`.
    pub fn open(&mut self, buffer: &mut [u8], place: Range<usize>) -> io::Result<Opened> {
        let (start, record) = (place.start + HEADER, &mut buffer[place]);
        let (header, body) = record.split_at_mut(HEADER);
        if header[0] != APPLICATION_DATA {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a record in the clear",
            ));
        }
        let nonce = self.next_nonce();
        let inner = self
            .key
            .open_in_place(nonce, Aad::from(&*header), body)
            .map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "a record that does not open")
            })?;
        let kind = inner.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        match inner.get(kind) {
            Some(&APPLICATION_DATA) => Ok(Opened::Data(start..start + kind)),
            Some(&HANDSHAKE) => Ok(Opened::Handshake),
            _ => Ok(Opened::Alert),
        }
    }

    /// RFC 8446, section 5.3.
    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, count) in nonce[NONCE_LEN - 8..]
            .iter_mut()
            .zip(self.sequence.to_be_bytes())
        {
            *byte ^= count;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Where the first record of `bytes` ends, if all of it is there.
pub fn end_of_first(bytes: &[u8]) -> Option<usize> {
    let length = HEADER + usize::from(u16::from_be_bytes([*bytes.get(3)?, *bytes.get(4)?]));
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::{Direction, HEADER, Opened, TRAILER, end_of_first};
    use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};

    fn direction() -> Direction {
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap();
        Direction {
            key: LessSafeKey::new(key),
            iv: [9; 12],
            sequence: 5,
        }
    }

    fn sealed(sender: &mut Direction, content: &[u8]) -> Vec<u8> {
        let mut record = [&[0; HEADER], content, &[0; TRAILER]].concat();
        sender.seal(&mut record).unwrap();
        record
    }

    #[test]
    fn what_is_sealed_opens_again_in_order() {
        let (mut sender, mut receiver) = (direction(), direction());
        for content in [&b"one"[..], b"", b"ends with zeros\0\0"] {
            let mut record = sealed(&mut sender, content);
            let length = record.len();
            assert_eq!(end_of_first(&record), Some(length));
            assert_eq!(end_of_first(&record[..length - 1]), None);
            let opened = receiver.open(&mut record, 0..length).unwrap();
            assert_eq!(opened, Opened::Data(HEADER..HEADER + content.len()));
            assert_eq!(&record[HEADER..HEADER + content.len()], content);
        }
    }

    #[test]
    fn a_changed_record_and_one_out_of_order_do_not_open() {
        let (mut sender, mut receiver) = (direction(), direction());
        let mut record = sealed(&mut sender, b"hello");
        record[HEADER] ^= 1;
        let length = record.len();
        assert!(receiver.open(&mut record, 0..length).is_err());
        let (mut second, mut receiver) = (sealed(&mut sender, b"hello"), direction());
        let length = second.len();
        assert!(receiver.open(&mut second, 0..length).is_err());
    }
}
