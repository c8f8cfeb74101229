//! Decodes `[authorizer.NAME]`. Names of header fields are checked by the assembly of the snapshot.

use super::TableReader;
use crate::config::model::{AuthorizerProtocol, AuthorizerTable, WhenUnavailable};
use crate::config::source::Spanned;

pub(super) fn authorizer(name: Spanned<String>, table: &mut TableReader<'_>) -> AuthorizerTable {
    let protocols = [
        ("forward-auth", AuthorizerProtocol::ForwardAuth),
        ("ext-authz", AuthorizerProtocol::ExtAuthz),
    ];
    let choices = [
        ("refuse", WhenUnavailable::Refuse),
        ("permit", WhenUnavailable::Permit),
    ];
    if !table.has("protocol") {
        table.missing(
            "protocol",
            "write how it is asked: \"forward-auth\" (HTTP) or \"ext-authz\" (gRPC)",
        );
    }
    AuthorizerTable {
        name,
        protocol: table.choice("protocol", &protocols),
        endpoint: table.required_string(
            "endpoint",
            "write for example `endpoint = \"http://127.0.0.1:9000/check\"`",
        ),
        anchors: table.strings("anchors"),
        server_name: table.string("server_name"),
        certificate: table.string("certificate"),
        private_key: table.string("private_key"),
        timeout: table.duration("timeout"),
        unavailable: table.choice("unavailable", &choices),
        cache: table.duration_or_off("cache"),
        cache_key: table.strings_if_said("cache_key"),
        request_headers: table.strings("request_headers"),
        response_headers: table.strings("response_headers"),
        concurrency: table.integer("concurrency", 1..=100_000),
    }
}
