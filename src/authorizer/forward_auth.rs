//! Forward auth, as in Traefik, Caddy and nginx (`auth_request`): a `GET` request with the original request in its fields,
//! and a response with the verdict as its status. Independent of connections.

use super::question::Question;
use super::verdict::{AuthorizerError, Denial, VerdictFields, VerdictResult};
use crate::fetch::FetchUrl;
use crate::forward::FieldNames;
use crate::identity::{IdentityBlock, IdentitySelection, IdentitySet};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::HOST};
use http_body_util::Empty;
use std::sync::Arc;

/// Encodes the question as a request.
///
/// # Errors
/// [`UNENCODABLE`] if a value is not a valid field value, which is a defect of the gateway.
pub(super) fn request(
    url: &FetchUrl,
    question: &Question<'_>,
) -> Result<Request<Empty<Bytes>>, AuthorizerError> {
    let mut fields = HeaderMap::new();
    let host = url.usual_host().unwrap_or_else(|| url.authority());
    fields.insert(HOST, value(host.as_bytes())?);
    for (name, text) in [
        ("x-forwarded-method", question.method),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", question.host),
        ("x-forwarded-uri", &question.target()),
        ("x-forwarded-for", &question.client.ip().to_string()),
        ("x-request-id", question.id),
        ("x-portcullis-listener", question.listener),
        ("x-portcullis-route", question.route),
    ] {
        fields.insert(HeaderName::from_static(name), value(text.as_bytes())?);
    }
    let sets = vec![IdentitySet::XClient, IdentitySet::Rfc9440];
    let selection = IdentitySelection {
        sets,
        audience: Arc::default(),
    };
    for (name, text) in IdentityBlock::new(&selection, &question.known, None, 0).fields() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| UNENCODABLE)?;
        fields.insert(name, value(text.as_bytes())?);
    }
    for (name, bytes) in &question.fields {
        fields.append((*name).clone(), value(bytes)?);
    }
    let mut request = Request::get(url.target())
        .body(Empty::new())
        .map_err(|_| UNENCODABLE)?;
    *request.headers_mut() = fields;
    Ok(request)
}

const UNENCODABLE: AuthorizerError = AuthorizerError::Unaskable("the question cannot be written");

fn value(bytes: &[u8]) -> Result<HeaderValue, AuthorizerError> {
    HeaderValue::from_bytes(bytes).map_err(|_| UNENCODABLE)
}

/// Reads the verdict of a response head. Only success permits. Redirects and client errors deny, such as a redirect to a
/// login and 404. Other statuses are no verdict.
pub(super) fn answer(head: &http::response::Parts, accepted: &FieldNames) -> VerdictResult {
    match head.status {
        status if status.is_success() => Ok(Ok(fields(&head.headers, accepted))),
        status if status.is_redirection() || status.is_client_error() => {
            Ok(Err(Denial::Status(status)))
        }
        StatusCode::SWITCHING_PROTOCOLS => Err(AuthorizerError::Malformed("it leaves HTTP")),
        status => Err(AuthorizerError::Failed(status)),
    }
}

fn fields(headers: &HeaderMap, accepted: &FieldNames) -> VerdictFields {
    let values = |name: &HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    accepted
        .iter()
        .flat_map(|name| {
            values(name)
                .into_iter()
                .map(move |value| (name.clone(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::tests::question;

    #[test]
    fn the_question_has_the_request_and_its_client() {
        let url = FetchUrl::parse("http://127.0.0.1:9000/check?tenant=a").unwrap();
        let language = HeaderName::from_static("accept-language");
        let mut question = question();
        question.fields = vec![(&language, b"en"), (&language, b"de")];
        let request = request(&url, &question).unwrap();
        assert_eq!(
            (
                request.method().as_str(),
                request.uri().to_string().as_str()
            ),
            ("GET", "/check?tenant=a")
        );
        let mut sent: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        sent.sort_unstable();
        assert_eq!(
            sent,
            [
                ("accept-language", "de"),
                ("accept-language", "en"),
                ("host", "127.0.0.1:9000"),
                ("x-client-verify", "NONE"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-host", "api.example.org"),
                ("x-forwarded-method", "POST"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-uri", "/a?b=c"),
                ("x-portcullis-listener", "main"),
                ("x-portcullis-route", "/"),
                ("x-request-id", "id-1"),
            ]
        );
    }

    #[test]
    fn only_success_permits_and_only_failure_is_no_verdict() {
        let mut accepted = FieldNames::default();
        accepted.add_reserved("x-org").unwrap();
        for code in 100..=599 {
            let (mut head, ()) = http::Response::builder()
                .status(code)
                .body(())
                .unwrap()
                .into_parts();
            head.headers.append("x-org", HeaderValue::from_static("a"));
            head.headers.append("x-org", HeaderValue::from_static("b"));
            head.headers
                .append("x-other", HeaderValue::from_static("c"));
            match (code, answer(&head, &accepted)) {
                (200..300, Ok(Ok(fields))) => {
                    let fields: Vec<_> = fields
                        .iter()
                        .map(|(name, value)| (name.as_str(), value.as_bytes()))
                        .collect();
                    assert_eq!(fields, [("x-org", &b"a"[..]), ("x-org", b"b")]);
                }
                (300..500, Ok(Err(Denial::Status(status)))) => assert_eq!(status.as_u16(), code),
                (100..200 | 500..600, Err(_)) => {}
                (code, other) => panic!("{code}: {other:?}"),
            }
        }
    }
}
