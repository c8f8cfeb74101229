//! Sets of configured field names for external authorizers: fields of clients that are sent to an
//! authorizer, and fields that only an authorizer sets in upstream requests. Sends no request.

use super::fields::{FieldKind, kind, may_be_reserved};
use crate::identity::{fold, folded_equal};
use http::HeaderName;

/// Errors of a configured field name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFieldName {
    /// Not a token (RFC 9110 section 5.1).
    #[error("it is no name of a header field")]
    NoName,
    /// The field frames, routes, authenticates or identifies. The gateway handles it.
    #[error("fields of this name are the gateway's own, or mean something on the way")]
    HasMeaning,
    /// Clients' fields of this name are sent to upstreams on every route.
    #[error("fields of this name are not removed")]
    NotRemoved,
}

/// Field names, compared folded since some recipients fold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames(Vec<(HeaderName, Box<str>)>);

impl FieldNames {
    /// Adds the name of a client's field that may be sent to an external service.
    ///
    /// # Errors
    /// [`BadFieldName`]
    pub fn add_shown(&mut self, text: &str) -> Result<(), BadFieldName> {
        let is_ordinary = |name: &str| {
            matches!(
                kind(name),
                FieldKind::EndToEnd | FieldKind::Cookie | FieldKind::Authorization
            )
        };
        self.add(text, is_ordinary)
    }

    /// Adds the name of a field that clients cannot send to upstreams.
    ///
    /// # Errors
    /// [`BadFieldName`]
    pub fn add_reserved(&mut self, text: &str) -> Result<(), BadFieldName> {
        self.add(text, may_be_reserved)
    }

    /// Adds the name of a field that the gateway evaluates. Accepts every field name.
    pub fn add_decision_field(&mut self, name: &str) {
        // An invalid name matches no field.
        let _ = self.add(name, |_| true);
    }

    fn add(&mut self, text: &str, may_be: impl Fn(&str) -> bool) -> Result<(), BadFieldName> {
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| BadFieldName::NoName)?;
        if !may_be(name.as_str()) {
            return Err(BadFieldName::HasMeaning);
        }
        if self.find(name.as_str()).is_none() {
            let folded = name
                .as_str()
                .bytes()
                .map(fold)
                .map(char::from)
                .collect::<String>();
            self.0.push((name, folded.into()));
        }
        Ok(())
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// The listed name that equals `name` after folding: any case, any character in place of a
    /// dash.
    pub fn find(&self, name: &str) -> Option<&HeaderName> {
        self.0
            .iter()
            .find(|(_, known)| folded_equal(known, name))
            .map(|(name, _)| name)
    }

    /// Whether a client may not send this field: it has a listed name, or announces a trailer of a
    /// listed name.
    pub(super) fn forbid(&self, name: &str, value: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        self.find(name).is_some() || self.is_announced_by(name, value)
    }

    /// Whether a field announces a trailer of a listed name. A trailer is sent only if it is
    /// announced.
    pub(super) fn is_announced_by(&self, name: &str, value: &[u8]) -> bool {
        let announced = |name: &[u8]| {
            std::str::from_utf8(name.trim_ascii()).is_ok_and(|name| self.find(name).is_some())
        };
        !self.0.is_empty()
            && name.eq_ignore_ascii_case("trailer")
            && value.split(|byte| *byte == b',').any(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::UpstreamAuthorization;
    use super::super::policy::FieldPolicy;
    use super::super::shown_fields::shown_fields;
    use super::*;

    fn names(
        add: impl Fn(&mut FieldNames, &str) -> Result<(), BadFieldName>,
        all: &[&str],
    ) -> FieldNames {
        let mut names = FieldNames::default();
        all.iter().for_each(|name| add(&mut names, name).unwrap());
        names
    }

    #[test]
    fn what_has_a_meaning_of_its_own_cannot_be_reserved_or_shown() {
        let mut names = FieldNames::default();
        for name in [
            "x-client-user",
            "X_Client_CN",
            "remote-user",
            "host",
            "x-forwarded-for",
            "content-length",
            "te",
        ] {
            assert_eq!(
                names.add_reserved(name),
                Err(BadFieldName::HasMeaning),
                "{name}"
            );
            assert_eq!(
                names.add_shown(name),
                Err(BadFieldName::HasMeaning),
                "{name}"
            );
        }
        for name in ["cookie", "authorization", "trailer", "content-type"] {
            assert_eq!(
                names.add_reserved(name),
                Err(BadFieldName::HasMeaning),
                "{name}"
            );
        }
        for name in ["cookie", "authorization", "content-type"] {
            assert_eq!(names.add_shown(name), Ok(()), "{name}");
        }
        for name in ["", "x org", "x:org"] {
            assert_eq!(names.add_shown(name), Err(BadFieldName::NoName), "{name}");
            assert_eq!(
                names.add_reserved(name),
                Err(BadFieldName::NoName),
                "{name}"
            );
        }
        assert_eq!(names.add_reserved("X-Org"), Ok(()));
    }

    #[test]
    fn what_is_reserved_is_forbidden_in_every_disguise_and_as_a_trailer() {
        let reserved = names(FieldNames::add_reserved, &["x-org", "x_team"]);
        for name in ["x-org", "X_ORG", "x.org", "X-Team", "x_team"] {
            assert!(reserved.forbid(name, b""), "{name}");
        }
        assert!(
            reserved.forbid("Trailer", b"x-sum, X_Org")
                && !reserved.forbid("trailer", b"x-sum, x-orga")
        );
        assert!(
            !reserved.forbid("x-orga", b"x-org") && !FieldNames::default().forbid("x-org", b"")
        );
    }

    #[test]
    fn shown_fields_are_listed_and_sent_to_the_upstream() {
        let fields: &[(&str, &[u8])] = &[
            ("Accept-Language", b"en"),
            ("accept_language", b"de"),
            ("X-Tenant", b"a"),
            ("Connection", b"X-Hop"),
            ("X-Hop", b"1"),
            ("Cookie", b"c"),
            ("Authorization", b"Bearer t"),
            ("X-Org", b"forged"),
        ];
        let shown = ["accept-language", "x-hop", "authorization", "x-org"];
        let names = (
            names(FieldNames::add_shown, &shown),
            names(FieldNames::add_reserved, &["x-org"]),
        );
        let shown = |authorization| -> Vec<(String, Vec<u8>)> {
            let shown = shown_fields(
                fields,
                &names.0,
                FieldPolicy {
                    reserved: &names.1,
                    decision_fields: &FieldNames::default(),
                    kept: &[],
                },
                authorization,
            )
            .into_iter();
            shown
                .map(|(name, value)| (name.to_string(), value.to_vec()))
                .collect()
        };
        let language = [
            ("accept-language".to_owned(), b"en".to_vec()),
            ("accept-language".to_owned(), b"de".to_vec()),
        ];
        assert_eq!(
            shown(UpstreamAuthorization::Removed),
            language,
            "credentials for the gateway are not shown"
        );
        let all = shown(UpstreamAuthorization::OfClient);
        assert_eq!(
            all.last().map(|(name, _)| name.as_str()),
            Some("authorization")
        );
        assert_eq!(all.len(), 3);
    }
}
