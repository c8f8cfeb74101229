//! Envoy's external authorization: encodes a request and its client as `AttributeContext`, and reads the verdict of a
//! `CheckResponse`. Independent of connections.

use super::messages::{
    Address, AttributeContext, CheckRequest, CheckResponse, HttpRequest, HttpResponse,
    OkHttpResponse, Peer, Request, SocketAddress, Timestamp, TlsSession,
};
use super::question::Question;
use super::verdict::{AuthorizerError, Denial, VerdictFields, VerdictResult};
use crate::forward::FieldNames;
use crate::identity::{KnownClient, ascii_name, url_encoded_pem};
use crate::tls::PeerCertificate;
use http::HeaderValue;
use prost::Message;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Path of the gRPC method.
pub(super) const METHOD: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Encodes the question as a `CheckRequest`.
pub(super) fn request(question: &Question<'_>, now: SystemTime) -> Vec<u8> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp {
        seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(now.subsec_nanos()).unwrap_or_default(),
    };
    let attributes = AttributeContext {
        source: Some(source(question.client, &question.known)),
        destination: Some(Peer {
            address: Some(address(question.local)),
            principal: question.known.own_uri.unwrap_or_default().to_owned(),
            certificate: String::new(),
        }),
        request: Some(Request {
            time: Some(time),
            http: Some(http_request(question)),
        }),
        context_extensions: context(question),
        tls_session: question.server_name.map(|name| TlsSession {
            sni: name.to_owned(),
        }),
    };
    CheckRequest {
        attributes: Some(attributes),
    }
    .encode_to_vec()
}

fn source(client: SocketAddr, known: &KnownClient<'_>) -> Peer {
    let certificate = known.certificate.as_ref();
    Peer {
        address: Some(address(client)),
        principal: certificate
            .map(|certificate| principal(certificate.peer))
            .unwrap_or_default(),
        certificate: certificate
            .and_then(|certificate| certificate.chain.first())
            .map(url_encoded_pem)
            .unwrap_or_default(),
    }
}

/// The principal as Envoy chooses it: the first URI of the certificate, else the first DNS name, else the subject.
fn principal(peer: &PeerCertificate) -> String {
    let name = peer.uris.first().or(peer.dns_names.first());
    name.map_or_else(|| ascii_name(&peer.subject), |name| name.to_string())
}

fn address(socket: SocketAddr) -> Address {
    Address {
        socket_address: Some(SocketAddress {
            address: socket.ip().to_string(),
            port_value: u32::from(socket.port()),
        }),
    }
}

fn http_request(question: &Question<'_>) -> HttpRequest {
    HttpRequest {
        id: question.id.to_owned(),
        method: question.method.to_owned(),
        headers: headers(question),
        path: question.target(),
        host: question.host.to_owned(),
        scheme: "https".to_owned(),
        // Unknown: the body is not sent to authorizers.
        size: -1,
        protocol: match question.protocol {
            "HTTP/2.0" => "HTTP/2".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// The header fields. Fields of one name are joined as Envoy does. Bytes that are not UTF-8 become U+FFFD, since these
/// messages carry only text.
fn headers(question: &Question<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &question.fields {
        let value = String::from_utf8_lossy(value);
        let separator = if *name == http::header::COOKIE {
            "; "
        } else {
            ","
        };
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| all.extend([separator, &value]))
            .or_insert_with(|| value.to_string());
    }
    headers
}

/// Facts that Envoy does not send, as context extensions.
fn context(question: &Question<'_>) -> BTreeMap<String, String> {
    let known = &question.known;
    let all = [
        ("listener", Some(question.listener)),
        ("route", Some(question.route)),
        ("api_user", known.user.map(|user| &*user.name)),
        (
            "trust_domain",
            known
                .certificate
                .as_ref()
                .map(|certificate| certificate.domain),
        ),
        ("forwarded_by", known.forwarded_by),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}

/// Reads the verdict of a `CheckResponse`. Without a status there is no verdict. A `denied_response` denies even if the
/// status permits.
pub(super) fn answer(message: &[u8], accepted: &FieldNames) -> VerdictResult {
    let response = CheckResponse::decode(message)
        .map_err(|_| AuthorizerError::Malformed("not a CheckResponse"))?;
    let status = response.status.ok_or(AuthorizerError::Malformed(
        "a CheckResponse without a status",
    ))?;
    match (status.code, response.http_response) {
        (0, Some(HttpResponse::Denied(_))) => Ok(Err(Denial::Response)),
        (0, None) => Ok(Ok(Vec::new())),
        (0, Some(HttpResponse::Ok(ok))) => fields(ok, accepted).map(Ok),
        (code, _) => Ok(Err(Denial::Code(code))),
    }
}

fn fields(
    response: OkHttpResponse,
    accepted: &FieldNames,
) -> Result<VerdictFields, AuthorizerError> {
    let mut fields = Vec::new();
    for header in response
        .headers
        .into_iter()
        .filter_map(|option| option.header)
    {
        let Some(name) = accepted
            .iter()
            .find(|name| header.key.eq_ignore_ascii_case(name.as_str()))
        else {
            continue;
        };
        let bytes = if header.raw_value.is_empty() {
            header.value.into_bytes()
        } else {
            header.raw_value
        };
        let value = HeaderValue::from_bytes(&bytes);
        fields.push((
            name.clone(),
            value.map_err(|_| AuthorizerError::Malformed("an invalid header value"))?,
        ));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
