//! Envoy's external authorization: a request and its client as `AttributeContext`, and the verdict of a `CheckResponse`.
//! Knows no connection.

use super::messages::{
    Address, AttributeContext, CheckRequest, CheckResponse, HttpRequest, HttpResponse,
    OkHttpResponse, Peer, Request, SocketAddress, Timestamp, TlsSession,
};
use super::question::Question;
use super::verdict::{AnswerFields, Answered, Denial, Silence};
use crate::forward::FieldNames;
use crate::identity::{KnownClient, ascii_name, url_encoded_pem};
use crate::tls::PeerCertificate;
use http::HeaderValue;
use prost::Message;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Path of the method.
pub(super) const METHOD: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The question as a `CheckRequest`.
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
            .and_then(|it| it.chain.first())
            .map(url_encoded_pem)
            .unwrap_or_default(),
    }
}

/// As Envoy chooses it: the first URI of a certificate, or the first DNS name, or the subject.
fn principal(peer: &PeerCertificate) -> String {
    let name = peer.uris.first().or(peer.dns_names.first());
    name.map_or_else(|| ascii_name(&peer.subject), |name| name.to_string())
}

fn address(of: SocketAddr) -> Address {
    let (address, port_value) = (of.ip().to_string(), u32::from(of.port()));
    Address {
        socket_address: Some(SocketAddress {
            address,
            port_value,
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
        // Unknown, since the body is none of its business.
        size: -1,
        protocol: match question.protocol {
            "HTTP/2.0" => "HTTP/2".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// Fields of one name are one, as Envoy joins them; what is no UTF-8 cannot be said in these messages, and becomes U+FFFD.
fn headers(question: &Question<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &question.fields {
        let value = String::from_utf8_lossy(value);
        let between = if *name == http::header::COOKIE {
            "; "
        } else {
            ","
        };
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all| all.extend([between, &value]))
            .or_insert_with(|| value.to_string());
    }
    headers
}

/// What we know beside what Envoy would.
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

/// The verdict of a `CheckResponse`. One without a status says nothing; one that also has a `denied_response` refuses.
pub(super) fn answer(message: &[u8], taken: &FieldNames) -> Answered {
    let response =
        CheckResponse::decode(message).map_err(|_| Silence::Malformed("no CheckResponse"))?;
    let status = response
        .status
        .ok_or(Silence::Malformed("a CheckResponse without a status"))?;
    match (status.code, response.http_response) {
        (0, Some(HttpResponse::Refusal(_))) => Ok(Err(Denial::Response)),
        (0, None) => Ok(Ok(Vec::new())),
        (0, Some(HttpResponse::Consent(ok))) => fields(ok, taken).map(Ok),
        (code, _) => Ok(Err(Denial::Code(code))),
    }
}

fn fields(said: OkHttpResponse, taken: &FieldNames) -> Result<AnswerFields, Silence> {
    let mut fields = Vec::new();
    for header in said.headers.into_iter().filter_map(|option| option.header) {
        let Some(name) = taken
            .iter()
            .find(|name| header.key.eq_ignore_ascii_case(name.as_str()))
        else {
            continue;
        };
        let octets = if header.raw_value.is_empty() {
            header.value.into_bytes()
        } else {
            header.raw_value
        };
        let value = HeaderValue::from_bytes(&octets);
        fields.push((
            name.clone(),
            value.map_err(|_| Silence::Malformed("a header value that is none"))?,
        ));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests;
