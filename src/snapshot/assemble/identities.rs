//! Assembly of the identifiers of ApiUsers and roles, and of reserved names. Two users cannot have the same identifier.

use super::trust::TrustDomains;
use super::{Assembly, Depth};
use crate::config::{ApiUserTable, Role, Spanned};
use crate::identity::{
    ApiUsers, Identifier, IdentifierError, IdentityKind, ReservedNames, RoleId, RoleSource,
    UserConflict, UserId,
};
use crate::tls::{NameError, TrustDomain, TrustDomainId, organization};

/// The identifiers of a user as written in the config.
pub(super) fn written_identifiers(
    user: &ApiUserTable,
) -> impl Iterator<Item = (IdentityKind, &Spanned<String>)> {
    let lists = [
        (IdentityKind::CommonName, &user.client_cn),
        (IdentityKind::Dns, &user.client_dns),
        (IdentityKind::Uri, &user.client_uri),
        (IdentityKind::Email, &user.client_email),
        (IdentityKind::Fingerprint, &user.client_fingerprint),
        (IdentityKind::Spki, &user.client_spki),
    ];
    lists
        .into_iter()
        .flat_map(|(kind, texts)| texts.iter().map(move |text| (kind, text)))
}

impl Assembly<'_> {
    pub(super) fn reserve_names(&self, users: &mut ApiUsers, trust: &TrustDomains) {
        for table in &self.config.trust_domains {
            for text in table
                .reserved_names
                .iter()
                .filter(|text| text.value.is_empty())
            {
                let hint = "write a name, or a pattern with `*` and `?`";
                self.problems
                    .error(text.place, "a reserved name is empty", hint);
            }
            let domain = trust
                .in_order
                .iter()
                .find(|domain| *domain.name == *table.name.value);
            if let (Some(domain), false) = (domain, table.reserved_names.is_empty()) {
                let texts = table.reserved_names.iter().map(|text| text.value.as_str());
                users.reserve(domain.id, ReservedNames::new(texts));
            }
        }
    }

    pub(super) fn bind_user(
        &self,
        users: &mut ApiUsers,
        user: &ApiUserTable,
        id: UserId,
        trust: &TrustDomains,
    ) {
        let owner = format!("api_user \"{}\"", user.name.value);
        if written_identifiers(user).next().is_none() && user.trust_domain.is_none() {
            return;
        }
        let domain =
            self.resolve_domain(trust, user.trust_domain.as_ref(), user.name.place, &owner);
        for (kind, text) in written_identifiers(user) {
            let identifier = match Identifier::parse(kind, &text.value) {
                Ok(identifier) => identifier,
                Err(error) => {
                    self.problems.error(
                        text.place,
                        format!("{} cannot be used: {error}", kind.key()),
                        hint(kind, error),
                    );
                    continue;
                }
            };
            self.lint_wildcard(kind.key(), text, "list the names, one by one");
            self.lint_distinguished_name(kind.key(), text);
            if let Some(domain) = &domain {
                self.check_identifier(users, domain, &identifier, text);
                self.bind_identifier(users, domain.id, identifier, text, id);
            }
        }
    }

    /// Reports a reserved name, and a common name that looks like another name.
    fn check_identifier(
        &self,
        users: &ApiUsers,
        domain: &TrustDomain,
        identifier: &Identifier,
        text: &Spanned<String>,
    ) {
        let kind = identifier.kind();
        if users.is_reserved(domain.id, identifier) {
            let message = format!(
                "{} \"{}\" is a reserved name of trust domain \"{}\"",
                kind.key(),
                text.value,
                domain.name
            );
            self.problems.error(
                text.place,
                message,
                "a reserved name is no ApiUser's; choose another, or change `reserved_names`",
            );
        }
        if kind == IdentityKind::CommonName
            && self.depth == Depth::Warnings
            && looks_like_another(&text.value)
        {
            let message = format!("client_cn \"{}\" looks like another name", text.value);
            let hint =
                "names are compared byte by byte: write the letters that the certificate has";
            self.problems.warning(text.place, message, hint);
        }
    }

    fn bind_identifier(
        &self,
        users: &mut ApiUsers,
        domain: TrustDomainId,
        identifier: Identifier,
        text: &Spanned<String>,
        id: UserId,
    ) {
        let kind = identifier.kind();
        if let Err(UserConflict(other)) = users.bind(domain, identifier, id) {
            let place = self.sources.describe(other.place);
            let message = format!(
                "{} \"{}\" already is api_user \"{}\"",
                kind.key(),
                text.value,
                other.name
            );
            let hint = format!("the other stands at {place}; one certificate is one user");
            self.problems.error(text.place, message, hint);
        }
    }

    pub(super) fn bind_role(
        &self,
        users: &mut ApiUsers,
        role: &Role,
        ids: &[RoleId],
        trust: &TrustDomains,
    ) {
        let lists = [
            (RoleSource::Organization, "client_o", &role.client_o),
            (RoleSource::OrganizationalUnit, "client_ou", &role.client_ou),
        ];
        if role.trust_domain.is_none() && lists.iter().all(|(_, _, texts)| texts.is_empty()) {
            return;
        }
        self.lint_wildcards_of_role(role);
        let owner = format!("role \"{}\"", role.name.value);
        let domain =
            self.resolve_domain(trust, role.trust_domain.as_ref(), role.name.place, &owner);
        for (source, key, text) in lists
            .into_iter()
            .flat_map(|(source, key, texts)| texts.iter().map(move |text| (source, key, text)))
        {
            match organization(&text.value) {
                Err(error) => {
                    let hint =
                        "write it exactly as the certificates have it; `*` has no meaning here";
                    self.problems
                        .error(text.place, format!("{key} cannot be used: {error}"), hint);
                }
                Ok(value) => {
                    if let Some(domain) = &domain {
                        ids.iter()
                            .for_each(|id| users.bind_role(domain.id, source, value.clone(), *id));
                    }
                }
            }
        }
    }
}

fn hint(kind: IdentityKind, error: IdentifierError) -> &'static str {
    match (kind, error) {
        (IdentityKind::CommonName, _) => {
            "write the common name exactly as the certificate has it; `*` has no meaning here"
        }
        (_, IdentifierError::Name(NameError::Wildcard)) => {
            "write the whole name; a certificate for many hosts identifies no user"
        }
        (IdentityKind::Dns, _) => {
            "write a DNS name such as \"web1.example.org\", without a dot at its end"
        }
        (IdentityKind::Uri, _) => "write a URI such as \"spiffe://example.org/agent\"",
        (IdentityKind::Email, _) => "write an address such as \"alice@example.org\"",
        (IdentityKind::Fingerprint, _) => {
            "`openssl x509 -in FILE -noout -fingerprint -sha256` shows it"
        }
        (IdentityKind::Spki, _) => {
            "`openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform der | sha256sum` shows it"
        }
    }
}

/// Whether a name mixes Latin letters with similar letters of other scripts, or contains invisible or combining
/// characters.
fn looks_like_another(name: &str) -> bool {
    let is_latin =
        |letter: char| letter.is_ascii_alphabetic() || ('\u{c0}'..='\u{24f}').contains(&letter);
    // Greek, Cyrillic, Armenian; Cherokee; full-width and mathematical letters.
    let has_twins = |letter: char| matches!(letter, '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{ff01}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}');
    let is_hidden = |letter: char| matches!(letter, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    name.chars().any(is_hidden) || (name.chars().any(is_latin) && name.chars().any(has_twins))
}
