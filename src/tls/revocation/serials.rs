//! A compact set of serial numbers of revoked certificates: sorted tables of fixed width, with little memory beyond the
//! numbers. Knows no lists.

/// A set of serial numbers. Each number is in the narrowest table that can contain it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Serials {
    upto8: Vec<[u8; 8]>,
    upto16: Vec<[u8; 16]>,
    upto20: Vec<[u8; 20]>,
    upto32: Vec<[u8; 32]>,
}

/// A serial number of more than 32 bytes (RFC 5280 section 4.1.2.2 allows 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SerialTooLong;

impl Serials {
    /// Adds a number, big-endian as in DER. Call [`Self::finish`] before a lookup.
    pub(super) fn push(&mut self, serial: &[u8]) -> Result<(), SerialTooLong> {
        let digits = significant(serial);
        match digits.len() {
            0..=8 => self.upto8.push(padded(digits)),
            9..=16 => self.upto16.push(padded(digits)),
            17..=20 => self.upto20.push(padded(digits)),
            21..=32 => self.upto32.push(padded(digits)),
            _ => return Err(SerialTooLong),
        }
        Ok(())
    }

    /// Sorts the tables and frees unused memory.
    pub(super) fn finish(&mut self) {
        finish(&mut self.upto8);
        finish(&mut self.upto16);
        finish(&mut self.upto20);
        finish(&mut self.upto32);
    }

    pub(super) fn contains(&self, serial: &[u8]) -> bool {
        let digits = significant(serial);
        match digits.len() {
            0..=8 => self.upto8.binary_search(&padded(digits)).is_ok(),
            9..=16 => self.upto16.binary_search(&padded(digits)).is_ok(),
            17..=20 => self.upto20.binary_search(&padded(digits)).is_ok(),
            21..=32 => self.upto32.binary_search(&padded(digits)).is_ok(),
            // `push` rejects longer numbers.
            _ => false,
        }
    }

    /// Adds the numbers of `added` that are not in `except`.
    pub(super) fn add_all(&mut self, added: &Self, except: &Self) {
        let Self {
            upto8,
            upto16,
            upto20,
            upto32,
        } = self;
        add_all(upto8, &added.upto8, &except.upto8);
        add_all(upto16, &added.upto16, &except.upto16);
        add_all(upto20, &added.upto20, &except.upto20);
        add_all(upto32, &added.upto32, &except.upto32);
        self.finish();
    }

    /// SHA-256 over all numbers, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        let all = [
            self.upto8.concat(),
            self.upto16.concat(),
            self.upto20.concat(),
            self.upto32.concat(),
        ];
        let lengths = all.iter().map(Vec::len);
        crate::tls::sha256_text(
            &[
                format!("{:?}", lengths.collect::<Vec<_>>()).into_bytes(),
                all.concat(),
            ]
            .concat(),
        )
    }

    pub(super) fn len(&self) -> usize {
        self.upto8.len() + self.upto16.len() + self.upto20.len() + self.upto32.len()
    }

    /// Heap memory of the tables, in bytes.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.upto8.capacity() * 8
            + self.upto16.capacity() * 16
            + self.upto20.capacity() * 20
            + self.upto32.capacity() * 32
    }
}

fn add_all<const N: usize>(table: &mut Vec<[u8; N]>, added: &[[u8; N]], except: &[[u8; N]]) {
    table.extend(
        added
            .iter()
            .filter(|serial| except.binary_search(serial).is_err()),
    );
}

fn finish<const N: usize>(table: &mut Vec<[u8; N]>) {
    table.sort_unstable();
    table.dedup();
    table.shrink_to_fit();
}

/// A number without leading zeros. DER has one if the first bit is set, and other encoders write more.
pub(super) fn significant(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

fn padded<const N: usize>(digits: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    padded
        .iter_mut()
        .rev()
        .zip(digits.iter().rev())
        .for_each(|(to, from)| *to = *from);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let serial = || proptest::collection::vec(any::<u8>(), 0..34);
        proptest!(|(all in proptest::collection::vec(serial(), 0..50), others in proptest::collection::vec(serial(), 0..50))| {
            let mut serials = Serials::default();
            let mut oracle = HashSet::new();
            for one in &all {
                match serials.push(one) {
                    Ok(()) => { oracle.insert(significant(one).to_vec()); }
                    Err(SerialTooLong) => prop_assert!(significant(one).len() > 32),
                }
            }
            serials.finish();
            prop_assert_eq!(serials.len(), oracle.len());
            for one in all.iter().chain(&others) {
                prop_assert_eq!(serials.contains(one), oracle.contains(significant(one)));
            }
        });
    }

    #[test]
    fn leading_zeros_do_not_count_and_length_does() {
        let mut serials = Serials::default();
        serials.push(&[0, 0x80, 1]).unwrap();
        serials.finish();
        assert!(serials.contains(&[0x80, 1]) && serials.contains(&[0, 0, 0x80, 1]));
        assert!(!serials.contains(&[0x80, 1, 0]) && !serials.contains(&[1]));
    }
}
