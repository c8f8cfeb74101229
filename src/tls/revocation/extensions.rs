//! What the extensions of a revocation list, and of its entries, say about its scope (RFC 5280 sections 5.2 and 5.3).
//! What is critical and not known makes the list unusable.

use super::crl_error::CrlError;
use crate::tls::der::{
    BOOLEAN, BadDer, Element, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, boolean,
};
use std::fmt::Write;

/// Which certificates of its issuer a list speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    #[default]
    All,
    Leaves,
    Authorities,
}

/// What a list says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub(super) scope: Scope,
    /// Big-endian, padded, so that octets compare as numbers do.
    pub(super) number: Option<[u8; 20]>,
}

const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const DELTA_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
/// Authority key identifier, issuer alternative name: more about who the issuer is, which its key has proven.
const HARMLESS: [&[u8]; 2] = [&[0x55, 0x1d, 35], &[0x55, 0x1d, 18]];
/// Reason, hold instruction, invalidity date: revoked is revoked.
const HARMLESS_IN_ENTRIES: [&[u8]; 3] = [&[0x55, 0x1d, 21], &[0x55, 0x1d, 23], &[0x55, 0x1d, 24]];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];

struct Extension<'a> {
    id: &'a [u8],
    is_critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    fn read(element: &Element<'a>) -> Result<Self, BadDer> {
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

/// Reads the extensions of a list: the content of its `[0]`.
pub(super) fn of_list(content: &[u8]) -> Result<Extensions, CrlError> {
    let mut found = Extensions::default();
    let (mut seen_number, mut seen_scope) = (false, false);
    let mut outer = Reader::new(content);
    let mut all = outer.expect(SEQUENCE)?.reader();
    outer.finish()?;
    while !all.is_empty() {
        let extension = Extension::read(&all.expect(SEQUENCE)?)?;
        match extension.id {
            CRL_NUMBER if !std::mem::replace(&mut seen_number, true) => {
                found.number = Some(number(extension.value)?)
            }
            ISSUING_DISTRIBUTION_POINT if !std::mem::replace(&mut seen_scope, true) => {
                found.scope = scope(extension.value)?;
            }
            CRL_NUMBER | ISSUING_DISTRIBUTION_POINT => return Err(CrlError::NotACrl),
            DELTA_INDICATOR => return Err(CrlError::Delta),
            id if extension.is_critical && !HARMLESS.contains(&id) => {
                return Err(CrlError::UnknownCriticalExtension(dotted(id)));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Looks at the extensions of one entry.
pub(super) fn of_entry(element: &Element<'_>) -> Result<(), CrlError> {
    let mut all = element.reader();
    while !all.is_empty() {
        let extension = Extension::read(&all.expect(SEQUENCE)?)?;
        match extension.id {
            CERTIFICATE_ISSUER => return Err(CrlError::Indirect),
            id if extension.is_critical && !HARMLESS_IN_ENTRIES.contains(&id) => {
                return Err(CrlError::UnknownCriticalExtension(dotted(id)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn number(value: &[u8]) -> Result<[u8; 20], CrlError> {
    let mut outer = Reader::new(value);
    let digits = super::serials::significant(outer.expect(INTEGER)?.content);
    outer.finish()?;
    let mut octets = [0; 20];
    let start = octets
        .len()
        .checked_sub(digits.len())
        .ok_or(CrlError::NotACrl)?;
    octets
        .iter_mut()
        .skip(start)
        .zip(digits)
        .for_each(|(to, from)| *to = *from);
    Ok(octets)
}

/// The scope, if it is one of those that can be told from a certificate alone. One for a distribution point or for some
/// reasons only must not be taken for all, or what it leaves out would count as not revoked.
fn scope(value: &[u8]) -> Result<Scope, CrlError> {
    let mut outer = Reader::new(value);
    let mut parts = outer.expect(SEQUENCE)?.reader();
    outer.finish()?;
    let (mut leaves, mut authorities) = (false, false);
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
        (false, false) => Ok(Scope::All),
        (true, false) => Ok(Scope::Leaves),
        (false, true) => Ok(Scope::Authorities),
        (true, true) => Err(CrlError::NotACrl),
    }
}

/// An object identifier as people write it.
fn dotted(id: &[u8]) -> String {
    let mut text = String::new();
    let (mut arc, mut is_first) = (0_u64, true);
    for octet in id {
        arc = (arc << 7) | u64::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        // Writing to a String cannot fail. The first two numbers share one.
        let _ = match is_first {
            true => write!(
                text,
                "{}.{}",
                (arc / 40).min(2),
                arc - (arc / 40).min(2) * 40
            ),
            false => write!(text, ".{arc}"),
        };
        (arc, is_first) = (0, false);
    }
    text
}
