//! Builds the response to a refused request, as JSON, HTML or for gRPC. Status and texts come from the parent module.

use super::{Rejection, credential, grpc, limited};
use crate::endpoint::ConnectError;
use crate::forward::{BadUpgrade, is_grpc};
use crate::head::Fields;
use crate::reason::title;
use crate::upstream::UpstreamError;
use http::StatusCode;

/// A response of the gateway itself.
#[derive(Debug)]
pub struct GatewayResponse {
    /// The status, as logs and metrics have it.
    pub status: StatusCode,
    /// `Content-Type`
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Further fields, such as `WWW-Authenticate`.
    pub fields: Vec<(&'static str, String)>,
}

impl GatewayResponse {
    /// The HTTP status that the client gets. Responses for gRPC have their status in `grpc-status`.
    pub fn sent_status(&self) -> StatusCode {
        if self.content_type == grpc::CONTENT_TYPE {
            StatusCode::OK
        } else {
            self.status
        }
    }
}

/// The format of a response body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// For programs; also the default.
    Json,
    /// For browsers.
    Html,
    /// For gRPC: no body, but a status in the head.
    Grpc,
}

impl ResponseFormat {
    /// The format for a request over HTTP/2, which gRPC needs.
    pub fn of_http2<F: Fields + ?Sized>(fields: &F) -> Self {
        if is_grpc(fields) {
            Self::Grpc
        } else {
            Self::of_accept(fields)
        }
    }

    /// The format by `Accept`: HTML if it lists HTML and not JSON.
    pub fn of_accept<F: Fields + ?Sized>(fields: &F) -> Self {
        let names = |kind: &[u8]| {
            let mut found = fields
                .values("accept")
                .flat_map(|value| value.windows(kind.len()));
            found.any(|run| run.eq_ignore_ascii_case(kind))
        };
        if names(b"text/html") && !names(b"application/json") {
            Self::Html
        } else {
            Self::Json
        }
    }
}

/// The response to a refused request.
pub fn refuse(
    rejection: &Rejection<'_>,
    form: ResponseFormat,
    request_id: &str,
) -> GatewayResponse {
    let status = rejection.status();
    if let Rejection::Absent { path, .. } = rejection
        && form != ResponseFormat::Grpc
    {
        return absent(path);
    }
    let title = title(status);
    let (content_type, body) = match form {
        ResponseFormat::Grpc => (grpc::CONTENT_TYPE, String::new()),
        ResponseFormat::Json => (
            "application/problem+json",
            serde_json::json!({
                "type": "about:blank",
                "title": title,
                "status": status.as_u16(),
                "detail": rejection.sentence(),
                "reason": rejection.reason().word(),
                "id": request_id,
            })
            .to_string()
                + "\n",
        ),
        ResponseFormat::Html => (
            "text/html; charset=utf-8",
            page(
                &format!("{} {title}", status.as_u16()),
                &format!(
                    "<p>{}</p>\n<p><small>{} &middot; {request_id}</small></p>",
                    rejection.sentence(),
                    rejection.reason().word()
                ),
            ),
        ),
    };
    let mut fields = fields(rejection);
    if form == ResponseFormat::Grpc {
        fields.extend(grpc::fields(rejection));
    }
    GatewayResponse {
        status,
        content_type,
        body,
        fields,
    }
}

/// Further fields of the response.
fn fields(rejection: &Rejection<'_>) -> Vec<(&'static str, String)> {
    match rejection {
        Rejection::Credential(failure, rule) => credential::fields(failure, *rule),
        Rejection::Limited(limited) => limited.fields(),
        Rejection::Upstream(UpstreamError::Connect {
            source: ConnectError::NoDescriptors,
            ..
        }) => {
            vec![limited::retry_after(limited::SOON)]
        }
        // RFC 6455 section 4.4 and RFC 9110 section 15.5.22.
        Rejection::Upgrade(BadUpgrade::OtherVersion) => [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into(),
        _ => Vec::new(),
    }
}

/// The response of Icinga 2 to an unknown path or method, and to most forbidden ones. Clients compare it.
fn absent(path: &str) -> GatewayResponse {
    let status = StatusCode::NOT_FOUND;
    let message = format!(
        "The requested path '{path}' could not be found or the request method is not valid for this path."
    );
    let body = serde_json::json!({ "error": status.as_u16(), "status": message }).to_string();
    GatewayResponse {
        status,
        content_type: "application/json",
        body,
        fields: Vec::new(),
    }
}

/// An HTML page. `content` is markup; `title` is text.
pub fn page(title: &str, content: &str) -> String {
    let title = escape_html(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{content}\n</body>\n</html>\n"
    )
}

/// Escapes text for HTML.
pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::Denied;
    use proptest::prelude::*;

    #[test]
    fn browsers_get_html_and_programs_json() {
        let form = |accept: &[&str]| {
            let fields: Vec<_> = accept
                .iter()
                .map(|value| ("Accept", value.as_bytes()))
                .collect();
            ResponseFormat::of_accept(fields.as_slice())
        };
        assert_eq!(
            form(&["text/html,application/xhtml+xml,*/*"]),
            ResponseFormat::Html
        );
        assert_eq!(form(&["*/*", "Text/HTML"]), ResponseFormat::Html);
        assert_eq!(
            form(&["text/html", "application/JSON"]),
            ResponseFormat::Json
        );
        assert_eq!(form(&["application/json"]), ResponseFormat::Json);
        assert_eq!(form(&["*/*"]), ResponseFormat::Json);
        assert_eq!(form(&[]), ResponseFormat::Json);
    }

    proptest! {
        #[test]
        fn the_format_is_found_in_any_bytes(
            values in proptest::collection::vec(
                "(text/|html|TEXT/HTML|application/|json|Application/Json|[ ,;*]|\\PC){0,5}".prop_map(String::into_bytes), 0..3
            ),
            broken in any::<u8>(), at in any::<proptest::sample::Index>(),
        ) {
            let mut values = values;
            if let Some(value) = values.first_mut() {
                value.insert(at.index(value.len() + 1), broken);
            }
            let texts: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value).to_ascii_lowercase()).collect();
            let names = |kind: &str| texts.iter().any(|text| text.contains(kind));
            let expected = if names("text/html") && !names("application/json") { ResponseFormat::Html } else { ResponseFormat::Json };
            let fields: Vec<_> = values.iter().map(|value| ("accept", value.as_slice())).collect();
            prop_assert_eq!(ResponseFormat::of_accept(fields.as_slice()), expected);
        }
    }

    #[test]
    fn a_denial_contains_only_its_reason() {
        let answer = refuse(&Rejection::UnknownUser, ResponseFormat::Json, "id-1");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status.as_u16(), &body["reason"], &body["id"]),
            (403, &"unknown_user".into(), &"id-1".into())
        );
        let absent = Rejection::Absent {
            denied: Some(Denied::NoPermission),
            path: "v1/objects/a\"b".into(),
        };
        let answer = refuse(&absent, ResponseFormat::Html, "id-1");
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.content_type,
                absent.reason().word()
            ),
            (404, "application/json", "no_permission")
        );
        assert_eq!(
            answer.body,
            r#"{"error":404,"status":"The requested path 'v1/objects/a\"b' could not be found or the request method is not valid for this path."}"#
        );
        assert_eq!(escape_html("<b>\"&'"), "&lt;b&gt;&quot;&amp;&#39;");
    }
}
