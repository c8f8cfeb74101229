//! Decodes `[[expect]]`.

use super::TableReader;
use crate::config::Spanned;
use crate::config::model::{Claim, Expectation, ExpectedVerdict};

/// The keys that identify the client.
const CLAIMS: [(&str, Claim); 8] = [
    ("user", Claim::User),
    ("cn", Claim::CommonName),
    ("dns", Claim::Dns),
    ("uri", Claim::Uri),
    ("email", Claim::Email),
    ("fingerprint", Claim::Fingerprint),
    ("spki", Claim::Spki),
    ("certificate", Claim::Certificate),
];

/// Decodes an entry. `None` for an incomplete entry, which was reported.
pub(in crate::config) fn expectation(table: &mut TableReader<'_>) -> Option<Expectation> {
    let claims = CLAIMS
        .iter()
        .filter_map(|(key, claim)| Some((*key, *claim, table.string(key)?)));
    let mut claims: Vec<_> = claims.collect();
    if let [(first, ..), .., (_, _, last)] = claims.as_slice() {
        let message = format!("it is said twice who asks, also by `{first}`");
        table.problems().error(last.place, message, "keep one");
    }
    let (method, url) = request(table);
    let verdicts = [
        ("permit", ExpectedVerdict::Permit),
        ("refuse", ExpectedVerdict::Refuse),
    ];
    let has_verdict = table.has("verdict");
    let verdict = table.choice("verdict", &verdicts);
    if !has_verdict {
        table.missing(
            "verdict",
            "write what is expected: \"permit\" or \"refuse\"",
        );
    }
    let expectation = Expectation {
        place: table.place(),
        who: claims.pop().map(|(_, claim, text)| (claim, text)),
        trust_domain: table.string("trust_domain"),
        front_proxy: table.boolean("front_proxy"),
        listener: table.string("listener"),
        headers: table.string_pairs("headers"),
        body: table.string("body"),
        source: table.string("source"),
        at: table.string("at"),
        reason: table.string("reason"),
        permission: table.string("permission"),
        method: method?,
        url: url?,
        verdict: verdict?,
    };
    Some(expectation)
}

/// Method and URL, from `request = "GET /path"` or from `method` and `url`.
fn request(table: &mut TableReader<'_>) -> (Option<Spanned<String>>, Option<Spanned<String>>) {
    let method = table.string("method");
    let url = table.string("url");
    match (table.string("request"), &method, &url) {
        (Some(request), None, None) => {
            if let Some((method, url)) = request.value.split_once(' ') {
                let part = |text: &str| {
                    Some(Spanned {
                        value: text.trim().to_owned(),
                        place: request.place,
                    })
                };
                return (part(method), part(url));
            }
            let message = format!("\"{}\" is no request", request.value);
            table.problems().error(
                request.place,
                message,
                "write the method, a space, and a URL or path: \"GET /x\"",
            );
        }
        (Some(request), ..) => {
            let message = "the request is said twice, by `request` and by `method` or `url`";
            table.problems().error(request.place, message, "keep one");
        }
        (None, None, None) if !table.has("request") => {
            table.missing("request", "write for example `request = \"GET /api/x\"`");
        }
        (None, None, Some(_)) if !table.has("method") => {
            table.missing("method", "write `method = \"GET\"`")
        }
        (None, Some(_), None) if !table.has("url") => {
            table.missing("url", "write a URL, or a path")
        }
        (None, ..) => {}
    }
    (method, url)
}
