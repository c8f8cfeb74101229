//! Decodes `client_auth` of listeners, hosts and routes.

use crate::config::model::ClientAuth;
use crate::config::source::Spanned;
use crate::config::table::TableReader;

pub(super) fn client_auth(table: &mut TableReader<'_>) -> Option<Spanned<ClientAuth>> {
    let words = [
        ("required", ClientAuth::Required),
        ("optional", ClientAuth::Optional),
        ("off", ClientAuth::Off),
    ];
    table.choice("client_auth", &words)
}
