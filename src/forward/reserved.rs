//! Header fields that an external authorizer has to do with, by the names that the config chose: what it is shown of a
//! client's, and what only it may say to upstreams. Asks nobody.

use super::fields::{FieldKind, kind, may_be_reserved};
use crate::identity::{fold, folded_equal};
use http::HeaderName;

/// A name that cannot be one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFieldName {
    /// Not a token (RFC 9110 section 5.1).
    #[error("it is no name of a header field")]
    NoName,
    /// It frames, routes, authenticates or identifies, and the gateway itself looks after it.
    #[error("fields of this name are the gateway's own, or mean something on the way")]
    HasMeaning,
    /// Clients' fields of this name are sent to upstreams on every route.
    #[error("fields of this name are not removed")]
    NotRemoved,
}

/// Names of fields that are folded for comparison, since some readers fold them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldNames(Vec<(HeaderName, Box<str>)>);

impl FieldNames {
    /// Adds the name of a field of clients that somebody else may be shown.
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

    /// Adds the name of a field that upstreams get from nobody but us.
    ///
    /// # Errors
    /// [`BadFieldName`]
    pub fn add_reserved(&mut self, text: &str) -> Result<(), BadFieldName> {
        self.add(text, may_be_reserved)
    }

    /// Adds the name of a field that the gateway reads to judge a request. Any name of a field is one.
    pub fn add_judged(&mut self, name: &str) {
        // A text that is no name is no field's.
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

    /// The name that this is to somebody who folds: any case, any character in place of a dash.
    pub fn find(&self, name: &str) -> Option<&HeaderName> {
        self.0
            .iter()
            .find(|(_, known)| folded_equal(known, name))
            .map(|(name, _)| name)
    }

    /// Whether a client may not say this to an upstream: a field of such a name, or the announcement of a trailer of
    /// such a name.
    pub(super) fn forbid(&self, name: &str, value: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        self.find(name).is_some() || self.is_announced_by(name, value)
    }

    /// Whether a field announces a trailer of such a name. Without its announcement no trailer is sent.
    pub(super) fn is_announced_by(&self, name: &str, value: &[u8]) -> bool {
        let announced = |name: &[u8]| {
            std::str::from_utf8(name.trim_ascii()).is_ok_and(|name| self.find(name).is_some())
        };
        !self.0.is_empty()
            && name.eq_ignore_ascii_case("trailer")
            && value.split(|octet| *octet == b',').any(announced)
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::AuthorizationUp;
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
    fn somebody_is_shown_what_goes_up_and_was_named() {
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
                    judged: &FieldNames::default(),
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
            shown(AuthorizationUp::Removed),
            language,
            "what was proof is nobody else's"
        );
        let all = shown(AuthorizationUp::OfClient);
        assert_eq!(
            all.last().map(|(name, _)| name.as_str()),
            Some("authorization")
        );
        assert_eq!(all.len(), 3);
    }
}
