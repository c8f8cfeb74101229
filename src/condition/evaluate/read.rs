//! Parts of a request as values. What is absent, stands twice or is no text has no value.

use super::super::calendar::time_of_seconds;
use super::super::error::EvaluationError;
use super::super::facts::Spelling;
use super::super::query::{self, Found};
use super::super::tree::{CertificateField, Named, Read};
use super::super::value::{List, Value};
use super::{Evaluation, Outcome};
use crate::tls::PeerCertificate;
use std::borrow::Cow;

/// What the field of a certificate is, or `None` if it is not there.
fn field_of(field: CertificateField, certificate: &PeerCertificate) -> Outcome<Option<Value<'_>>> {
    let names = |names| Value::List(List::Names(names));
    Ok(Some(match field {
        // It stands beside the certificate.
        CertificateField::Domain => return Ok(None),
        CertificateField::CommonName => {
            return Ok(certificate
                .common_name
                .as_ref()
                .ok()
                .map(|name| Value::text(name.as_str())));
        }
        CertificateField::DnsNames => names(&certificate.dns_names),
        CertificateField::Uris => names(&certificate.uris),
        CertificateField::Emails => names(&certificate.emails),
        CertificateField::Organizations => names(&certificate.organizations),
        CertificateField::OrganizationalUnits => names(&certificate.organizational_units),
        CertificateField::Subject => Value::text(&certificate.subject),
        CertificateField::Issuer => Value::text(&certificate.issuer),
        CertificateField::Serial => Value::text(&certificate.serial),
        CertificateField::Fingerprint => Value::text(&certificate.fingerprint),
        CertificateField::Spki => Value::text(&certificate.spki),
        CertificateField::NotBefore => Value::Time(time_of_seconds(certificate.not_before)?),
        CertificateField::NotAfter => Value::Time(time_of_seconds(certificate.not_after)?),
    }))
}

impl<'v> Evaluation<'v> {
    pub(super) fn read(&self, read: &'v Read) -> Outcome<Value<'v>> {
        Ok(match read {
            Read::Method => Value::text(self.facts.method),
            Read::Path => Value::text(self.facts.path),
            Read::Host => Value::text(self.facts.host),
            Read::User => Value::text(self.facts.user),
            // An IPv4 address is one, however it came.
            Read::Source => Value::Address(self.facts.source.to_canonical()),
            Read::Now => Value::Time(time_of_seconds(self.facts.now)?),
            Read::Query(named) => Value::Text(self.query(named)?),
            Read::Header(named) => Value::Text(Cow::Owned(self.header(named)?)),
            Read::Capture(named) => self.capture(named).ok_or_else(|| absent(read))?,
            Read::Certificate(field) => self.certificate(*field)?.ok_or_else(|| absent(read))?,
        })
    }

    /// Whether it is there; of lists, whether anything is in them.
    pub(super) fn has(&self, read: &'v Read) -> Outcome<bool> {
        Ok(match read {
            Read::Query(named) => self.found(named)? != Found::Nothing,
            Read::Header(named) => {
                let mut any = false;
                self.visit(named, &mut |_| any = true)?;
                any
            }
            Read::Capture(named) => self.capture(named).is_some(),
            Read::Certificate(field) => match self.certificate(*field)? {
                Some(Value::List(list)) => list.len() > 0,
                other => other.is_some(),
            },
            Read::Method | Read::Path | Read::Host | Read::User | Read::Source | Read::Now => true,
        })
    }

    fn certificate(&self, field: CertificateField) -> Outcome<Option<Value<'v>>> {
        match self.facts.certificate {
            None => Ok(None),
            Some(_) if field == CertificateField::Domain => {
                Ok(self.facts.trust_domain.map(Value::text))
            }
            Some(certificate) => field_of(field, certificate),
        }
    }

    fn capture(&self, named: &Named) -> Option<Value<'v>> {
        let mut captures = self.facts.captures.iter();
        captures
            .find(|(name, _)| *name == &*named.name)
            .map(|(_, segment)| Value::text(segment))
    }

    fn found(&self, named: &Named) -> Outcome<Found<'v>> {
        let Some(query) = self.facts.query else {
            return Ok(Found::Nothing);
        };
        self.spend_octets(query.len())?;
        query::find(query, &named.name).map_err(|_| EvaluationError::UnclearQuery)
    }

    fn query(&self, named: &Named) -> Outcome<Cow<'v, str>> {
        match self.found(named)? {
            Found::One(Some(text)) => Ok(text),
            Found::One(None) => Err(EvaluationError::NotText(named.written.clone())),
            Found::Several => Err(EvaluationError::Several(named.written.clone())),
            Found::Nothing => Err(EvaluationError::Absent(named.written.clone())),
        }
    }

    fn visit(&self, named: &Named, visit: &mut dyn FnMut(&[u8])) -> Outcome<()> {
        let mut octets = 0_usize;
        let mut other_spelling = false;
        self.facts
            .headers
            .each_value(&named.name, &mut |spelling, value| {
                octets = octets.saturating_add(value.len());
                match spelling {
                    Spelling::AsNamed => visit(value),
                    Spelling::Otherwise => other_spelling = true,
                }
            });
        // All names are looked at, whatever they are.
        self.spend(LOOKING_AT_NAMES)?;
        self.spend_octets(octets)?;
        if other_spelling {
            Err(EvaluationError::OtherSpelling(named.written.clone()))
        } else {
            Ok(())
        }
    }

    fn header(&self, named: &Named) -> Outcome<String> {
        let mut first: Option<Option<String>> = None;
        let mut several = false;
        self.visit(named, &mut |value| {
            several = first.is_some();
            first = Some(std::str::from_utf8(value).ok().map(ToOwned::to_owned));
        })?;
        match first {
            _ if several => Err(EvaluationError::Several(named.written.clone())),
            Some(Some(text)) => Ok(text),
            Some(None) => Err(EvaluationError::NotText(named.written.clone())),
            None => Err(EvaluationError::Absent(named.written.clone())),
        }
    }
}

/// The work of looking for a field among a head's, in nodes.
const LOOKING_AT_NAMES: u32 = 32;

fn absent(read: &Read) -> EvaluationError {
    EvaluationError::Absent(read.written())
}
