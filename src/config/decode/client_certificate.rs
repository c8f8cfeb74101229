//! Decodes `[client_certificate."PATTERN"]`.

use super::TableReader;
use crate::config::keys::client_certificate as keys;
use crate::config::model::ClientCertificateTable;
use crate::config::source::Spanned;

pub(super) fn client_certificate(
    pattern: Spanned<String>,
    table: &mut TableReader<'_>,
) -> ClientCertificateTable {
    ClientCertificateTable {
        pattern,
        certificate: table.string(&keys::CERTIFICATE),
        private_key: table.string(&keys::PRIVATE_KEY),
        passphrase_file: table.string(&keys::PASSPHRASE_FILE),
        anchors: table.strings(&keys::ANCHORS),
    }
}
