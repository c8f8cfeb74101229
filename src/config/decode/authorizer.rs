//! Decodes `[authorizer.NAME]`. Names of header fields are checked by the assembly of the snapshot.

use super::TableReader;
use crate::config::keys::authorizer as keys;
use crate::config::model::AuthorizerTable;
use crate::config::source::Spanned;

pub(super) fn authorizer(name: Spanned<String>, table: &mut TableReader<'_>) -> AuthorizerTable {
    AuthorizerTable {
        name,
        protocol: table.choice(&keys::PROTOCOL),
        endpoint: table.string(&keys::ENDPOINT),
        anchors: table.strings(&keys::ANCHORS),
        server_name: table.string(&keys::SERVER_NAME),
        certificate: table.string(&keys::CERTIFICATE),
        private_key: table.string(&keys::PRIVATE_KEY),
        passphrase_file: table.string(&keys::PASSPHRASE_FILE),
        timeout: table.duration(&keys::TIMEOUT),
        unavailable: table.choice(&keys::UNAVAILABLE),
        cache: table.duration_or_off(&keys::CACHE),
        cache_key: table.optional_strings(&keys::CACHE_KEY),
        request_headers: table.strings(&keys::REQUEST_HEADERS),
        response_headers: table.strings(&keys::RESPONSE_HEADERS),
        concurrency: table.integer(&keys::CONCURRENCY),
    }
}
