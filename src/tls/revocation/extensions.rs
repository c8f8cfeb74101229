//! The extensions of a revocation list and of its entries (RFC 5280 sections 5.2 and 5.3): scope and number. An unknown
//! critical extension makes the list unusable.

use super::crl_error::CrlError;
use crate::tls::der::{
    BOOLEAN, BadDer, DerElement, DerReader, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
    boolean,
};
use std::fmt::Write;

/// Which certificates of its issuer a list covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum CrlScope {
    #[default]
    All,
    Leaves,
    Authorities,
}

/// The evaluated extensions of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) scope: CrlScope,
    /// The CRL number: big-endian, padded, so that it can be compared bytewise.
    pub(super) number: Option<[u8; 20]>,
}

const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const DELTA_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
/// Authority key identifier, issuer alternative name: further names of the issuer, which its signature has already
/// proven.
const IGNORED: [&[u8]; 2] = [&[0x55, 0x1d, 35], &[0x55, 0x1d, 18]];
/// Reason, hold instruction, invalidity date: the certificate is revoked regardless of their values.
const IGNORED_IN_ENTRIES: [&[u8]; 3] = [&[0x55, 0x1d, 21], &[0x55, 0x1d, 23], &[0x55, 0x1d, 24]];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];

struct Extension<'a> {
    id: &'a [u8],
    is_critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    fn read(element: &DerElement<'a>) -> Result<Self, BadDer> {
        let mut parts = element.reader();
        let id = parts.expect(OBJECT_IDENTIFIER)?.content;
        let is_critical = parts
            .optional(BOOLEAN)?
            .map_or(Ok(false), |element| boolean(&element))?;
        let value = parts.expect(OCTET_STRING)?.content;
        parts.finish()?;
        Ok(Self {
            id,
            is_critical,
            value,
        })
    }
}

/// Reads the extensions of a list from the content of its element `[0]`.
pub(super) fn of_list(content: &[u8]) -> Result<Extensions, CrlError> {
    let mut extensions = Extensions::default();
    let mut has_number = false;
    let mut has_scope = false;
    let mut outer = DerReader::new(content);
    let mut all = outer.expect(SEQUENCE)?.reader();
    outer.finish()?;
    while !all.is_empty() {
        let extension = Extension::read(&all.expect(SEQUENCE)?)?;
        match extension.id {
            CRL_NUMBER if !std::mem::replace(&mut has_number, true) => {
                extensions.number = Some(number(extension.value)?)
            }
            ISSUING_DISTRIBUTION_POINT if !std::mem::replace(&mut has_scope, true) => {
                extensions.scope = scope(extension.value)?;
            }
            CRL_NUMBER | ISSUING_DISTRIBUTION_POINT => return Err(CrlError::NotACrl),
            DELTA_INDICATOR => return Err(CrlError::Delta),
            id if extension.is_critical && !IGNORED.contains(&id) => {
                return Err(CrlError::UnknownCriticalExtension(dotted(id)));
            }
            _ => {}
        }
    }
    Ok(extensions)
}

/// Checks the extensions of one entry.
pub(super) fn of_entry(element: &DerElement<'_>) -> Result<(), CrlError> {
    let mut all = element.reader();
    while !all.is_empty() {
        let extension = Extension::read(&all.expect(SEQUENCE)?)?;
        match extension.id {
            CERTIFICATE_ISSUER => return Err(CrlError::Indirect),
            id if extension.is_critical && !IGNORED_IN_ENTRIES.contains(&id) => {
                return Err(CrlError::UnknownCriticalExtension(dotted(id)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn number(value: &[u8]) -> Result<[u8; 20], CrlError> {
    let mut outer = DerReader::new(value);
    let digits = super::serials::significant(outer.expect(INTEGER)?.content);
    outer.finish()?;
    let mut number = [0; 20];
    let start = number
        .len()
        .checked_sub(digits.len())
        .ok_or(CrlError::NotACrl)?;
    number
        .iter_mut()
        .skip(start)
        .zip(digits)
        .for_each(|(to, from)| *to = *from);
    Ok(number)
}

/// The scope, if it can be matched against a certificate alone. A list for one distribution point or for some reasons
/// must not be used for all certificates: those that it leaves out would be treated as not revoked.
fn scope(value: &[u8]) -> Result<CrlScope, CrlError> {
    let mut outer = DerReader::new(value);
    let mut parts = outer.expect(SEQUENCE)?.reader();
    outer.finish()?;
    let mut leaves = false;
    let mut authorities = false;
    while !parts.is_empty() {
        let part = parts.any()?;
        let is_set = match part.content {
            [0xff] => true,
            [0x00] => false,
            _ if matches!(part.tag, 0xa0 | 0x83) => true,
            _ => return Err(CrlError::NotACrl),
        };
        match part.tag {
            0xa0 => return Err(CrlError::Partial("one distribution point")),
            0x81 => leaves = is_set,
            0x82 => authorities = is_set,
            0x83 => return Err(CrlError::Partial("some reasons")),
            0x84 if is_set => return Err(CrlError::Indirect),
            0x85 if is_set => return Err(CrlError::Partial("attribute certificates")),
            0x84 | 0x85 => {}
            _ => return Err(CrlError::NotACrl),
        }
    }
    match (leaves, authorities) {
        (false, false) => Ok(CrlScope::All),
        (true, false) => Ok(CrlScope::Leaves),
        (false, true) => Ok(CrlScope::Authorities),
        (true, true) => Err(CrlError::NotACrl),
    }
}

/// An object identifier in dotted decimal form.
fn dotted(id: &[u8]) -> String {
    let mut text = String::new();
    let mut arc = 0_u64;
    let mut is_first = true;
    for byte in id {
        arc = (arc << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing to a String cannot fail. The first encoded number contains the first two arcs.
        let _ = match is_first {
            true => write!(
                text,
                "{}.{}",
                (arc / 40).min(2),
                arc - (arc / 40).min(2) * 40
            ),
            false => write!(text, ".{arc}"),
        };
        arc = 0;
        is_first = false;
    }
    text
}
