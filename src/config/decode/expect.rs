//! Decodes `[[expect]]`.

use super::TableReader;
use crate::config::Spanned;
use crate::config::keys::expect as keys;
use crate::config::model::Expectation;

/// Decodes an entry. `None` for an incomplete entry, which was reported.
pub(in crate::config) fn expectation(table: &mut TableReader<'_>) -> Option<Expectation> {
    let claims = keys::CLAIMS
        .iter()
        .filter_map(|claim| Some((claim, table.string(claim.key)?)));
    let mut claims: Vec<_> = claims.collect();
    if let [(first, _), .., (_, last)] = claims.as_slice() {
        let message = format!("it is said twice who asks, also by `{}`", first.key.name());
        table.problems().error(last.place, message, "keep one");
    }
    let (method, url) = request(table);
    let verdict = table.choice(&keys::VERDICT);
    let expectation = Expectation {
        place: table.place(),
        who: claims.pop().map(|(claim, text)| (claim.claim, text)),
        trust_domain: table.string(&keys::TRUST_DOMAIN),
        front_proxy: table.boolean(&keys::FRONT_PROXY),
        listener: table.string(&keys::LISTENER),
        headers: table.string_pairs(&keys::HEADERS),
        body: table.string(&keys::BODY),
        source: table.string(&keys::SOURCE),
        at: table.string(&keys::AT),
        reason: table.string(&keys::REASON),
        permission: table.string(&keys::PERMISSION),
        method: method?,
        url: url?,
        verdict: verdict?,
    };
    Some(expectation)
}

/// Method and URL, from `request = "GET /path"` or from `method` and `url`.
fn request(table: &mut TableReader<'_>) -> (Option<Spanned<String>>, Option<Spanned<String>>) {
    let method = table.string(&keys::METHOD);
    let url = table.string(&keys::URL);
    match (table.string(&keys::REQUEST), &method, &url) {
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
        (None, None, None) if !table.has(&keys::REQUEST) => {
            table.missing(
                &keys::REQUEST,
                "write for example `request = \"GET /api/x\"`",
            );
        }
        (None, None, Some(_)) if !table.has(&keys::METHOD) => {
            table.missing(&keys::METHOD, "write `method = \"GET\"`")
        }
        (None, Some(_), None) if !table.has(&keys::URL) => {
            table.missing(&keys::URL, "write a URL, or a path")
        }
        (None, ..) => {}
    }
    (method, url)
}
