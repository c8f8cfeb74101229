//! Forward auth, as Traefik, Caddy and nginx (`auth_request`) do it: a `GET` that tells in its fields what was asked, and
//! an answer whose status is the verdict. Knows no connection.

use super::question::Question;
use super::verdict::{AnswerFields, Answered, Denial, Silence};
use crate::fetch::FetchUrl;
use crate::forward::FieldNames;
use crate::identity::{IdentityBlock, IdentitySelection, IdentitySet};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::HOST};
use http_body_util::Empty;
use std::sync::Arc;

/// The question as it is sent. What cannot be written as a field is a mistake of ours, and then nothing is asked.
pub(super) fn request(
    url: &FetchUrl,
    question: &Question<'_>,
) -> Result<Request<Empty<Bytes>>, Silence> {
    let mut fields = HeaderMap::new();
    let host = url.usual_host().unwrap_or_else(|| url.authority());
    fields.insert(HOST, value(host.as_bytes())?);
    for (name, said) in [
        ("x-forwarded-method", question.method),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", question.host),
        ("x-forwarded-uri", &question.target()),
        ("x-forwarded-for", &question.client.ip().to_string()),
        ("x-request-id", question.id),
        ("x-portcullis-listener", question.listener),
        ("x-portcullis-route", question.route),
    ] {
        fields.insert(HeaderName::from_static(name), value(said.as_bytes())?);
    }
    let sets = vec![IdentitySet::XClient, IdentitySet::Rfc9440];
    let selection = IdentitySelection {
        sets,
        audience: Arc::default(),
    };
    for (name, said) in IdentityBlock::new(&selection, &question.known, None, 0).fields() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| UNSAYABLE)?;
        fields.insert(name, value(said.as_bytes())?);
    }
    for (name, said) in &question.fields {
        fields.append((*name).clone(), value(said)?);
    }
    let mut request = Request::get(url.target())
        .body(Empty::new())
        .map_err(|_| UNSAYABLE)?;
    *request.headers_mut() = fields;
    Ok(request)
}

const UNSAYABLE: Silence = Silence::Unaskable("the question cannot be written");

fn value(octets: &[u8]) -> Result<HeaderValue, Silence> {
    HeaderValue::from_bytes(octets).map_err(|_| UNSAYABLE)
}

/// The verdict of an answer's head. Only success permits, and only what fails on the other side is no verdict: a redirect
/// to a login, and a 404, are refusals.
pub(super) fn answer(head: &http::response::Parts, taken: &FieldNames) -> Answered {
    match head.status {
        status if status.is_success() => Ok(Ok(fields(&head.headers, taken))),
        status if status.is_redirection() || status.is_client_error() => {
            Ok(Err(Denial::Status(status)))
        }
        StatusCode::SWITCHING_PROTOCOLS => Err(Silence::Malformed("it leaves HTTP")),
        status => Err(Silence::Failed(status)),
    }
}

fn fields(headers: &HeaderMap, taken: &FieldNames) -> AnswerFields {
    let said = |name: &HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    taken
        .iter()
        .flat_map(|name| {
            said(name)
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
    fn the_question_says_what_was_asked_and_by_whom() {
        let url = FetchUrl::parse("http://127.0.0.1:9000/check?tenant=a").unwrap();
        let language = HeaderName::from_static("accept-language");
        let mut asked = question();
        asked.fields = vec![(&language, b"en"), (&language, b"de")];
        let request = request(&url, &asked).unwrap();
        assert_eq!(
            (
                request.method().as_str(),
                request.uri().to_string().as_str()
            ),
            ("GET", "/check?tenant=a")
        );
        let mut said: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        said.sort_unstable();
        assert_eq!(
            said,
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
        let mut taken = FieldNames::default();
        taken.add_reserved("x-org").unwrap();
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
            match (code, answer(&head, &taken)) {
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
