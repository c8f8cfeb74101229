//! Lint of certificate and key files: validity that has not begun, server chains, modes of key files, and CAs without a
//! revocation list.

use super::super::Assembly;
use crate::clock::{self, rfc3339};
use crate::config::{Spanned, TrustDomainTable, UnknownRevocationSetting};
use crate::tls::{
    Authorities, CertificateFacts, Revocation, ServerChainFault, owner_of_key, server_chain_faults,
};
use rustls::pki_types::CertificateDer;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Permission bits of users that are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

impl Assembly<'_> {
    /// Warns about each certificate of a file that is not valid yet.
    pub(in super::super) fn lint_not_yet_valid(
        &self,
        file: &Spanned<String>,
        certificates: &[CertificateDer<'_>],
    ) {
        let now = clock::signed_seconds();
        let facts = certificates.iter().filter_map(CertificateFacts::read);
        for facts in facts.filter(|facts| facts.not_before > now) {
            let begins = rfc3339(facts.not_before);
            let message = format!(
                "\"{}\" in {} is not valid yet: it begins at {begins}",
                facts.subject, file.value
            );
            let hint = "check the clocks of this machine and of the CA that signed it; until then it is rejected";
            self.problems.warning(file.place, message, hint);
        }
    }

    /// Warns about a private key that every user of the machine can read.
    pub(in super::super) fn lint_key_mode(&self, file: &Spanned<String>, path: &Path) {
        let Ok(metadata) = crate::file_read::metadata(path) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            let message = format!(
                "every user of this machine can read the private key {} (mode {mode:04o})",
                file.value
            );
            let hint = format!(
                "`chmod 0600 {}`; in Kubernetes, `defaultMode: 0400` of the volume",
                path.display()
            );
            self.problems.warning(file.place, message, hint);
        }
    }

    /// Warns about a server chain that clients may reject.
    pub(in super::super) fn lint_server_chain(
        &self,
        file: &Spanned<String>,
        chain: &[CertificateDer<'_>],
    ) {
        for fault in server_chain_faults(chain) {
            let (message, hint) = text_of(&fault, &file.value);
            self.problems.warning(file.place, message, hint);
        }
    }

    /// Hint for a private key that does not match the first certificate of a file.
    pub(in super::super) fn hint_of_mismatch(
        &self,
        file: &Spanned<String>,
        key: &Spanned<String>,
    ) -> String {
        let full_path =
            |text: &Spanned<String>| self.sources.folder(text.place.file).join(&text.value);
        let chain = crate::tls::certificates(&full_path(file)).ok();
        let key = crate::tls::private_key(&full_path(key)).ok();
        let at = chain
            .as_ref()
            .zip(key)
            .and_then(|(chain, key)| owner_of_key(chain, &key));
        let owner = chain
            .iter()
            .flatten()
            .nth(at.unwrap_or_default())
            .and_then(CertificateFacts::read);
        match (at, owner) {
            (Some(at), Some(owner)) => format!(
                "the key belongs to certificate {} in {} (\"{}\"): put that one first, then its issuer",
                at + 1,
                file.value,
                owner.subject
            ),
            _ => "give the key that the certificate was made for".to_owned(),
        }
    }

    /// Warns about CAs without a revocation list in a domain where others have one.
    pub(in super::super) fn lint_unlisted(
        &self,
        table: &TrustDomainTable,
        authorities: &Authorities,
        revocation: &Revocation,
    ) {
        let place = table
            .crls
            .first()
            .map_or(table.name.place, |first| first.place);
        let unknown = table
            .unknown_revocation
            .as_ref()
            .map(|setting| setting.value);
        let (consequence, hint) = match unknown {
            Some(UnknownRevocationSetting::Allow) => (
                "so none of its certificates can be revoked by a list (`unknown_revocation = \"allow\"`)",
                "add its list to `crls`",
            ),
            Some(UnknownRevocationSetting::Refuse) | None => (
                "while others have one, so every certificate that it issued is rejected",
                "add its list to `crls`, or say `unknown_revocation = \"allow\"`",
            ),
        };
        for name in revocation.unlisted(authorities) {
            let message = format!("the CA \"{name}\" has no revocation list, {consequence}");
            self.problems.warning(place, message, hint);
        }
    }
}

/// Message and hint for a fault.
fn text_of(fault: &ServerChainFault, file: &str) -> (String, String) {
    match fault {
        ServerChainFault::NotForServers { subject } => (
            format!(
                "\"{subject}\" in {file} is not for servers (its extended key usage lacks serverAuth)"
            ),
            "clients reject it; sign one for servers, such as `portcullis pki sign-csr --server`"
                .to_owned(),
        ),
        ServerChainFault::OutOfOrder { right_order } => (
            format!(
                "the certificates in {file} are in the wrong order, and some clients reject that"
            ),
            format!(
                "write them in this order: \"{}\"",
                right_order.join("\", \"")
            ),
        ),
        ServerChainFault::Broken {
            subject,
            issuer,
            next,
        } => (
            format!("the chain in {file} breaks: \"{subject}\" was not issued by \"{next}\""),
            format!(
                "put the certificate of its issuer \"{issuer}\" behind it, and remove what does not belong there"
            ),
        ),
        ServerChainFault::Alone { subject, issuer } => (
            format!(
                "{file} holds \"{subject}\" alone, and clients may not know its issuer \"{issuer}\""
            ),
            "put the certificate of the issuer behind it; many CAs call such a file fullchain.pem"
                .to_owned(),
        ),
    }
}
