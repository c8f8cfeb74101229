//! The answer to a refused request, as JSON or as a small page. Which status and words it has is not for this file to say.

use super::{Refusal, credential, limited};
use crate::endpoint::ConnectError;
use crate::forward::BadUpgrade;
use crate::head::Fields;
use crate::upstream::UpstreamError;
use http::StatusCode;

/// Status, type and body of an answer that the gateway gives itself.
#[derive(Debug)]
pub struct OwnAnswer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Further fields, such as `WWW-Authenticate`.
    pub fields: Vec<(&'static str, String)>,
}

/// What form of answer a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For programs; also what is given when nothing is asked.
    Json,
    /// For browsers.
    Html,
}

impl Form {
    /// From `Accept`: HTML only for who names it and does not name JSON.
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

/// The answer to a refused request.
pub fn refuse(refusal: &Refusal<'_>, form: Form, request_id: &str) -> OwnAnswer {
    let status = refusal.status();
    if let Refusal::Absent { path, .. } = refusal {
        return absent(path);
    }
    let title = status.canonical_reason().unwrap_or("Error");
    let (content_type, body) = match form {
        Form::Json => (
            "application/problem+json",
            serde_json::json!({
                "type": "about:blank",
                "title": title,
                "status": status.as_u16(),
                "detail": refusal.sentence(),
                "reason": refusal.word(),
                "id": request_id,
            })
            .to_string()
                + "\n",
        ),
        Form::Html => (
            "text/html; charset=utf-8",
            page(
                &format!("{} {title}", status.as_u16()),
                &format!(
                    "<p>{}</p>\n<p><small>{} &middot; {request_id}</small></p>",
                    refusal.sentence(),
                    refusal.word()
                ),
            ),
        ),
    };
    let fields = match refusal {
        Refusal::Credential(failure, rule) => credential::fields(failure, *rule),
        Refusal::Limited(limited) => limited.fields(),
        Refusal::Upstream(UpstreamError::Connect {
            source: ConnectError::NoDescriptors,
            ..
        }) => {
            vec![limited::retry_after(limited::SOON)]
        }
        // RFC 6455 section 4.4 and RFC 9110 section 15.5.22.
        Refusal::Upgrade(BadUpgrade::OtherVersion) => [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into(),
        _ => Vec::new(),
    };
    OwnAnswer {
        status,
        content_type,
        body,
        fields,
    }
}

/// What Icinga 2 says of a path or method that is not there, and of most that are forbidden. Clients test for it.
fn absent(path: &str) -> OwnAnswer {
    let status = StatusCode::NOT_FOUND;
    let said = format!(
        "The requested path '{path}' could not be found or the request method is not valid for this path."
    );
    let body = serde_json::json!({ "error": status.as_u16(), "status": said }).to_string();
    OwnAnswer {
        status,
        content_type: "application/json",
        body,
        fields: Vec::new(),
    }
}

/// A small page. `content` is markup; the title is text.
pub fn page(title: &str, content: &str) -> String {
    let title = escape_html(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>\n<h1>{title}</h1>\n{content}\n</body>\n</html>\n"
    )
}

/// Text as it may stand in HTML.
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
            Form::of_accept(fields.as_slice())
        };
        assert_eq!(form(&["text/html,application/xhtml+xml,*/*"]), Form::Html);
        assert_eq!(form(&["*/*", "Text/HTML"]), Form::Html);
        assert_eq!(form(&["text/html", "application/JSON"]), Form::Json);
        assert_eq!(form(&["application/json"]), Form::Json);
        assert_eq!(form(&["*/*"]), Form::Json);
        assert_eq!(form(&[]), Form::Json);
    }

    proptest! {
        #[test]
        fn the_form_is_found_in_any_octets(
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
            let expected = if names("text/html") && !names("application/json") { Form::Html } else { Form::Json };
            let fields: Vec<_> = values.iter().map(|value| ("accept", value.as_slice())).collect();
            prop_assert_eq!(Form::of_accept(fields.as_slice()), expected);
        }
    }

    #[test]
    fn a_refusal_says_its_reason_and_no_more() {
        let answer = refuse(&Refusal::UnknownUser, Form::Json, "id-1");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (answer.status.as_u16(), &body["reason"], &body["id"]),
            (403, &"unknown_user".into(), &"id-1".into())
        );
        let absent = Refusal::Absent {
            denied: Some(Denied::NoPermission),
            path: "v1/objects/a\"b".into(),
        };
        let answer = refuse(&absent, Form::Html, "id-1");
        assert_eq!(
            (answer.status.as_u16(), answer.content_type, absent.word()),
            (404, "application/json", "no_permission")
        );
        assert_eq!(
            answer.body,
            r#"{"error":404,"status":"The requested path 'v1/objects/a\"b' could not be found or the request method is not valid for this path."}"#
        );
        assert_eq!(escape_html("<b>\"&'"), "&lt;b&gt;&quot;&amp;&#39;");
    }
}
