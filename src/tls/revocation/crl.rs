//! One revocation list: checks its signature, then reads its DER in one pass and keeps only the serial numbers. Knows no
//! files and no policy.

use super::crl_error::CrlError;
use super::extensions::{self, CrlScope, Extensions};
use super::serials::Serials;
use crate::clock::rfc3339;
use crate::tls::authority::{AuthorityFacts, AuthorityKey};
use crate::tls::der::{DerElement, DerReader, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, time};
use crate::tls::name::rfc4514;
use crate::tls::signed::SignedDer;
use std::cmp::Ordering;
use std::sync::atomic::AtomicU8;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// A list with a valid signature by a CA of the domain.
#[derive(Debug)]
pub(super) struct Crl {
    pub(super) issuer: AuthorityKey,
    /// RFC 4514.
    pub(super) issuer_name: String,
    pub(super) scope: CrlScope,
    number: Option<[u8; 20]>,
    /// Seconds since 1970.
    pub(super) this_update: i64,
    /// Seconds since 1970.
    pub(super) next_update: Option<i64>,
    pub(super) serials: Serials,
    /// The age that was logged: 0 none, 1 past the next update, 2 too old.
    pub(super) logged_age: AtomicU8,
}

/// The fields of a list, with its entries unread.
pub(super) struct CrlHead<'a> {
    issuer: &'a [u8],
    this_update: i64,
    next_update: Option<i64>,
    pub(super) entries: Option<DerElement<'a>>,
    extensions: Extensions,
}

impl Crl {
    /// Reads a list issued by one of these CAs. `now` in seconds since 1970.
    pub(super) fn read<'c>(
        der: &[u8],
        authorities: impl Iterator<Item = &'c AuthorityFacts>,
        now: i64,
    ) -> Result<Self, CrlError> {
        let signed = SignedDer::read(der)?;
        let head = CrlHead::read(&signed)?;
        let issuer = signer(&signed, head.issuer, authorities)?;
        /// Tolerated clock difference in seconds.
        const SKEW: i64 = 300;
        if head.this_update > now.saturating_add(SKEW) {
            return Err(CrlError::Future(rfc3339(head.this_update)));
        }
        let serials = head.entries.map_or_else(
            || Ok(Serials::default()),
            |entries| serials(entries.reader()),
        )?;
        Ok(Self {
            issuer: issuer.key,
            issuer_name: issuer.name.clone(),
            scope: head.extensions.scope,
            number: head.extensions.number,
            this_update: head.this_update,
            next_update: head.next_update,
            serials,
            logged_age: AtomicU8::new(0),
        })
    }

    /// Its number in hexadecimal, without leading zeros.
    pub(super) fn number_text(&self) -> Option<String> {
        let digits = crate::tls::hexadecimal(&self.number?);
        let significant = digits.trim_start_matches('0');
        Some(if significant.is_empty() {
            "0".to_owned()
        } else {
            significant.to_owned()
        })
    }

    /// Whether this list supersedes the other: by number if both have one, and by date. If number and date contradict
    /// each other, as after a CA was restored from a backup, neither does, since entries of only one list must not be
    /// lost.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        let numbers = match (self.number, other.number) {
            (Some(ours), Some(theirs)) => ours.cmp(&theirs),
            _ => Ordering::Equal,
        };
        match (numbers, self.this_update.cmp(&other.this_update)) {
            (Ordering::Less, _) | (_, Ordering::Less) => false,
            (Ordering::Equal, Ordering::Equal) => self.serials == other.serials,
            _ => true,
        }
    }
}

/// The age of a list from a file, relative to the active list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrlAge {
    /// Newer than the active list, or equally new.
    Current,
    /// Older than the active list.
    Older,
    /// Number and date contradict each other.
    Contradictory,
}

impl Crl {
    /// Compares date, and number if both have one, with an active list of the same issuer and scope.
    pub(super) fn age_beside(&self, active: &Self) -> CrlAge {
        let numbers = match (self.number, active.number) {
            (Some(ours), Some(theirs)) => ours.cmp(&theirs),
            _ => Ordering::Equal,
        };
        match (numbers, self.this_update.cmp(&active.this_update)) {
            (Ordering::Less, Ordering::Greater) | (Ordering::Greater, Ordering::Less) => {
                CrlAge::Contradictory
            }
            (Ordering::Less, _) | (_, Ordering::Less) => CrlAge::Older,
            _ => CrlAge::Current,
        }
    }
}

impl<'a> CrlHead<'a> {
    /// `TBSCertList`, RFC 5280 section 5.1.2.
    pub(super) fn read(signed: &SignedDer<'a>) -> Result<Self, CrlError> {
        let mut outer = DerReader::new(signed.message);
        let mut parts = outer.expect(SEQUENCE)?.reader();
        outer.finish()?;
        let version = parts.optional(INTEGER)?;
        if version.is_some_and(|version| version.content != [1]) {
            return Err(CrlError::NotACrl);
        }
        if parts.expect(SEQUENCE)?.content != signed.algorithm {
            return Err(CrlError::NotACrl);
        }
        let issuer = parts.expect(SEQUENCE)?.whole;
        let this_update = time(&parts.any()?)?;
        let next_update = match parts.peek() {
            Some(UTC_TIME | GENERALIZED_TIME) => Some(time(&parts.any()?)?),
            _ => None,
        };
        let entries = parts.optional(SEQUENCE)?;
        let extensions = match parts.optional(0xa0)? {
            Some(extensions) if version.is_some() => extensions::of_list(extensions.content)?,
            // Version 1 has no extensions.
            Some(_) => return Err(CrlError::NotACrl),
            None => Extensions::default(),
        };
        parts.finish()?;
        Ok(Self {
            issuer,
            this_update,
            next_update,
            entries,
            extensions,
        })
    }
}

/// The CA that signed the list: name and key must match.
fn signer<'c>(
    signed: &SignedDer<'_>,
    issuer: &[u8],
    authorities: impl Iterator<Item = &'c AuthorityFacts>,
) -> Result<&'c AuthorityFacts, CrlError> {
    let mut error = None;
    for authority in authorities.filter(|authority| *authority.subject == *issuer) {
        match (signed.is_by(&authority.public_key), authority.may_sign_crls) {
            (true, true) => return Ok(authority),
            // A CA may have several certificates for its key; one that may sign lists suffices.
            (true, false) => error = Some(CrlError::MayNotSign(authority.name.clone())),
            (false, _) => {
                error = error.or_else(|| Some(CrlError::WrongSignature(authority.name.clone())))
            }
        }
    }
    Err(error.unwrap_or_else(|| {
        CrlError::AnotherIssuer(
            X509Name::from_der(issuer).map_or_else(|_| "?".to_owned(), |(_, name)| rfc4514(&name)),
        )
    }))
}

/// The serial numbers of `revokedCertificates`.
pub(super) fn serials(mut entries: DerReader<'_>) -> Result<Serials, CrlError> {
    let mut serials = Serials::default();
    while !entries.is_empty() {
        let mut entry = entries.expect(SEQUENCE)?.reader();
        let serial = entry.expect(INTEGER)?;
        if !matches!(entry.any()?.tag, UTC_TIME | GENERALIZED_TIME) {
            return Err(CrlError::NotACrl);
        }
        if let Some(extensions) = entry.optional(SEQUENCE)? {
            extensions::of_entry(&extensions)?;
        }
        entry.finish()?;
        serials
            .push(serial.content)
            .map_err(|_| CrlError::SerialTooLong)?;
    }
    serials.finish();
    Ok(serials)
}
