//! Reads attributes of a request as values. An attribute that is absent, repeated or not UTF-8 is an error.

use super::super::calendar::time_of_seconds;
use super::super::error::EvaluationError;
use super::super::facts::Spelling;
use super::super::query::{self, QueryParameter};
use super::super::tree::{Attribute, AttributeName, CertificateField};
use super::super::value::{CelList, CelValue};
use super::{Evaluation, EvaluationResult};
use crate::tls::PeerCertificate;
use std::borrow::Cow;

/// The value of a certificate field, or `None` if it is absent.
fn field_of(
    field: CertificateField,
    certificate: &PeerCertificate,
) -> EvaluationResult<Option<CelValue<'_>>> {
    let names = |names| CelValue::List(CelList::Names(names));
    Ok(Some(match field {
        // The domain is not part of the certificate.
        CertificateField::Domain => return Ok(None),
        CertificateField::CommonName => {
            return Ok(certificate
                .common_name
                .as_ref()
                .ok()
                .map(|name| CelValue::text(name.as_str())));
        }
        CertificateField::DnsNames => names(&certificate.dns_names),
        CertificateField::Uris => names(&certificate.uris),
        CertificateField::Emails => names(&certificate.emails),
        CertificateField::Organizations => names(&certificate.organizations),
        CertificateField::OrganizationalUnits => names(&certificate.organizational_units),
        CertificateField::Subject => CelValue::text(&certificate.subject),
        CertificateField::Issuer => CelValue::text(&certificate.issuer),
        CertificateField::Serial => CelValue::text(&certificate.serial),
        CertificateField::Fingerprint => CelValue::text(&certificate.fingerprint),
        CertificateField::Spki => CelValue::text(&certificate.spki),
        CertificateField::NotBefore => CelValue::Time(time_of_seconds(certificate.not_before)?),
        CertificateField::NotAfter => CelValue::Time(time_of_seconds(certificate.not_after)?),
    }))
}

impl<'v> Evaluation<'v> {
    pub(super) fn read(&self, read: &'v Attribute) -> EvaluationResult<CelValue<'v>> {
        Ok(match read {
            Attribute::Method => CelValue::text(self.facts.method),
            Attribute::Path => CelValue::text(self.facts.path),
            Attribute::Host => CelValue::text(self.facts.host),
            Attribute::User => CelValue::text(self.facts.user),
            // An IPv4-mapped IPv6 address is an IPv4 address.
            Attribute::Source => CelValue::Address(self.facts.source.to_canonical()),
            Attribute::Now => CelValue::Time(time_of_seconds(self.facts.now)?),
            Attribute::Query(named) => CelValue::Text(self.query(named)?),
            Attribute::Header(named) => CelValue::Text(Cow::Owned(self.header(named)?)),
            Attribute::Capture(named) => self.capture(named).ok_or_else(|| absent(read))?,
            Attribute::Certificate(field) => {
                self.certificate(*field)?.ok_or_else(|| absent(read))?
            }
        })
    }

    /// Whether an attribute is present. An empty list is absent.
    pub(super) fn has(&self, read: &'v Attribute) -> EvaluationResult<bool> {
        Ok(match read {
            Attribute::Query(named) => self.query_parameter(named)? != QueryParameter::Absent,
            Attribute::Header(named) => {
                let mut any = false;
                self.visit(named, &mut |_| any = true)?;
                any
            }
            Attribute::Capture(named) => self.capture(named).is_some(),
            Attribute::Certificate(field) => match self.certificate(*field)? {
                Some(CelValue::List(list)) => list.len() > 0,
                other => other.is_some(),
            },
            Attribute::Method
            | Attribute::Path
            | Attribute::Host
            | Attribute::User
            | Attribute::Source
            | Attribute::Now => true,
        })
    }

    fn certificate(&self, field: CertificateField) -> EvaluationResult<Option<CelValue<'v>>> {
        match self.facts.certificate {
            None => Ok(None),
            Some(_) if field == CertificateField::Domain => {
                Ok(self.facts.trust_domain.map(CelValue::text))
            }
            Some(certificate) => field_of(field, certificate),
        }
    }

    fn capture(&self, named: &AttributeName) -> Option<CelValue<'v>> {
        let mut captures = self.facts.captures.iter();
        captures
            .find(|(name, _)| *name == &*named.name)
            .map(|(_, segment)| CelValue::text(segment))
    }

    fn query_parameter(&self, named: &AttributeName) -> EvaluationResult<QueryParameter<'v>> {
        let Some(query) = self.facts.query else {
            return Ok(QueryParameter::Absent);
        };
        self.spend_bytes(query.len())?;
        query::find(query, &named.name).map_err(|_| EvaluationError::UnclearQuery)
    }

    fn query(&self, named: &AttributeName) -> EvaluationResult<Cow<'v, str>> {
        match self.query_parameter(named)? {
            QueryParameter::One(Some(text)) => Ok(text),
            QueryParameter::One(None) => Err(EvaluationError::NotText(named.expression.clone())),
            QueryParameter::Several => Err(EvaluationError::Several(named.expression.clone())),
            QueryParameter::Absent => Err(EvaluationError::Absent(named.expression.clone())),
        }
    }

    /// Calls `visit` with the value of each field of this name.
    fn visit(&self, named: &AttributeName, visit: &mut dyn FnMut(&[u8])) -> EvaluationResult<()> {
        let mut bytes = 0_usize;
        let mut other_spelling = false;
        self.facts
            .headers
            .each_value(&named.name, &mut |spelling, value| {
                bytes = bytes.saturating_add(value.len());
                match spelling {
                    Spelling::AsNamed => visit(value),
                    Spelling::Otherwise => other_spelling = true,
                }
            });
        // The search reads all field names.
        self.spend(HEADER_SEARCH_STEPS)?;
        self.spend_bytes(bytes)?;
        if other_spelling {
            Err(EvaluationError::OtherSpelling(named.expression.clone()))
        } else {
            Ok(())
        }
    }

    fn header(&self, named: &AttributeName) -> EvaluationResult<String> {
        let mut first: Option<Option<String>> = None;
        let mut several = false;
        self.visit(named, &mut |value| {
            several = first.is_some();
            first = Some(std::str::from_utf8(value).ok().map(ToOwned::to_owned));
        })?;
        match first {
            _ if several => Err(EvaluationError::Several(named.expression.clone())),
            Some(Some(text)) => Ok(text),
            Some(None) => Err(EvaluationError::NotText(named.expression.clone())),
            None => Err(EvaluationError::Absent(named.expression.clone())),
        }
    }
}

/// Steps that the search for a header field counts.
const HEADER_SEARCH_STEPS: u32 = 32;

fn absent(read: &Attribute) -> EvaluationError {
    EvaluationError::Absent(read.expression())
}
