//! Checks expectations of the config against the decisions of a snapshot. Finds no reasons of its own.

use super::explanation::{ExplainedDecision, Explanation};
use super::question::{ConnectionPeer, ExplainError, ExplainQuestion, QuestionClient};
use crate::config::{Claim, Expectation, ExpectedVerdict, Place, Spanned};
use crate::identity::IdentityKind;
use crate::reason::{DecisionReason, Reason};
use crate::snapshot::Snapshot;
use crate::tls::{certificates, pem_of};
use std::net::IpAddr;
use std::path::Path;

/// An expectation that is not met or cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetExpectation {
    /// The place of the failed part.
    pub place: Place,
    /// The expected and the actual result.
    pub message: String,
    /// The reasons, or the remedy.
    pub hint: String,
}

/// Checks an expectation against a snapshot; `folder` contains its file.
///
/// # Errors
/// [`UnmetExpectation`] with the reasons.
pub fn meets(
    snapshot: &Snapshot,
    expected: &Expectation,
    folder: &Path,
) -> Result<(), UnmetExpectation> {
    let question = question(snapshot, expected, folder)?;
    let explanation = explained(snapshot, &question, expected.url.place)?;
    let wrong = |place, what: String| {
        Err(unmet(
            place,
            format!("{}: {what}", in_short(&question)),
            reasoning(&explanation),
        ))
    };
    let came_out = explanation.decision_text();
    match (expected.verdict.value, explanation.decision) {
        (ExpectedVerdict::Permit, ExplainedDecision::Refuse) => {
            return wrong(
                expected.verdict.place,
                format!("expected is permit, but what comes out is {came_out}"),
            );
        }
        (
            ExpectedVerdict::Refuse,
            ExplainedDecision::Permit | ExplainedDecision::Shadow | ExplainedDecision::Depends,
        ) => {
            return wrong(
                expected.verdict.place,
                format!("expected is refuse, but what comes out is {came_out}"),
            );
        }
        // No authorizer is asked: the expectation is about the gateway itself.
        _ => {}
    }
    if let Some(reason) = expected
        .reason
        .as_ref()
        .filter(|reason| !is_reason_of(&explanation, &reason.value))
    {
        let what = format!(
            "expected is the reason {}, but what comes out is {}",
            reason.value, explanation.reason
        );
        return wrong(reason.place, what);
    }
    let decided = explanation
        .permission
        .as_ref()
        .map(|permission| permission.text.as_str());
    match &expected.permission {
        Some(said) if decided != Some(said.value.as_str()) => {
            let decided = decided.map_or("none".to_owned(), |text| format!("\"{text}\""));
            wrong(
                said.place,
                format!(
                    "expected is the permission \"{}\", but what decides is {decided}",
                    said.value
                ),
            )
        }
        _ => Ok(()),
    }
}

fn explained(
    snapshot: &Snapshot,
    question: &ExplainQuestion,
    place: Place,
) -> Result<Explanation, UnmetExpectation> {
    super::explain(snapshot, question).map_err(|error| {
        let hint = match error {
            ExplainError::InvalidQuestion(_) => {
                "an expectation says as much as `portcullis explain` needs to know"
            }
            ExplainError::Contradiction { .. } => "please report it",
        };
        unmet(place, error.to_string(), hint)
    })
}

fn unmet(place: Place, message: impl Into<String>, hint: impl Into<String>) -> UnmetExpectation {
    UnmetExpectation {
        place,
        message: message.into(),
        hint: hint.into(),
    }
}

fn question(
    snapshot: &Snapshot,
    expected: &Expectation,
    folder: &Path,
) -> Result<ExplainQuestion, UnmetExpectation> {
    let text = |said: &Option<Spanned<String>>| said.as_ref().map(|said| said.value.clone());
    let source = |said: &Spanned<String>| {
        said.value.parse::<IpAddr>().map_err(|_| {
            unmet(
                said.place,
                format!("\"{}\" is no address", said.value),
                "write for example \"192.0.2.7\"",
            )
        })
    };
    let behind = expected.front_proxy.as_ref().is_some_and(|said| said.value);
    Ok(ExplainQuestion {
        who: expected
            .who
            .as_ref()
            .map_or(Ok(QuestionClient::NoCertificate), |who| {
                claimed(snapshot, who, folder)
            })?,
        trust_domain: text(&expected.trust_domain),
        connection: if behind {
            ConnectionPeer::FrontProxy
        } else {
            ConnectionPeer::Client
        },
        listener: text(&expected.listener),
        method: expected.method.value.clone(),
        url: expected.url.value.clone(),
        headers: expected
            .headers
            .iter()
            .map(|(name, value)| (name.value.clone(), value.value.clone()))
            .collect(),
        body: text(&expected.body),
        source: expected.source.as_ref().map(source).transpose()?,
        at: text(&expected.at),
        ..ExplainQuestion::default()
    })
}

fn claimed(
    snapshot: &Snapshot,
    (claim, said): &(Claim, Spanned<String>),
    folder: &Path,
) -> Result<QuestionClient, UnmetExpectation> {
    let text = said.value.clone();
    let kind = match claim {
        Claim::User if snapshot.users.named(&text).is_none() => {
            return Err(unmet(
                said.place,
                format!("there is no api_user \"{text}\""),
                nearest(snapshot, &text),
            ));
        }
        Claim::User => return Ok(QuestionClient::User(text)),
        Claim::Certificate => {
            let chain = certificates(&folder.join(&text));
            let wrong = |error: crate::tls::PemError| {
                unmet(
                    said.place,
                    error.to_string(),
                    "name a PEM file, relative to this one",
                )
            };
            return chain
                .map(|chain| QuestionClient::Certificate(pem_of(&chain)))
                .map_err(wrong);
        }
        Claim::CommonName => IdentityKind::CommonName,
        Claim::Dns => IdentityKind::Dns,
        Claim::Uri => IdentityKind::Uri,
        Claim::Email => IdentityKind::Email,
        Claim::Fingerprint => IdentityKind::Fingerprint,
        Claim::Spki => IdentityKind::Spki,
    };
    Ok(QuestionClient::of_kind(kind, text))
}

fn nearest(snapshot: &Snapshot, name: &str) -> String {
    match super::nearest_user(snapshot, name) {
        Some(known) => format!("did you mean \"{known}\"?"),
        None => "name one, or write `cn` of a certificate without a user".to_owned(),
    }
}

/// Client and request in one line.
fn in_short(question: &ExplainQuestion) -> String {
    let who = match &question.who {
        QuestionClient::NoCertificate => "a client without a certificate".to_owned(),
        QuestionClient::Certificate(_) => "the certificate".to_owned(),
        QuestionClient::Cn(text) => format!("cn \"{text}\""),
        QuestionClient::Dns(text) => format!("dns \"{text}\""),
        QuestionClient::Uri(text) => format!("uri \"{text}\""),
        QuestionClient::Email(text) => format!("email \"{text}\""),
        QuestionClient::Fingerprint(text) => format!("fingerprint \"{text}\""),
        QuestionClient::Spki(text) => format!("spki \"{text}\""),
        QuestionClient::User(text) => format!("\"{text}\""),
    };
    format!("{who}, {} {}", question.method, question.url)
}

/// Whether a word of the config is the reason of the decision. A word that is no reason is none of it.
fn is_reason_of(explanation: &Explanation, word: &str) -> bool {
    DecisionReason::from_word(word)
        .is_some_and(|expected| DecisionReason::from_word(&explanation.reason) == Some(expected))
}

/// The reasons in one line.
fn reasoning(explanation: &Explanation) -> String {
    let user = match (&explanation.client.user, &explanation.client.nobody) {
        (Some(user), _) => format!("user {} at {}", user.name, user.place),
        (None, nobody) => format!("nobody: {}", nobody.as_deref().unwrap_or_default()),
    };
    let route = explanation
        .route
        .as_ref()
        .map(|route| format!("route {} at {}", route.name, route.place));
    let requirement = explanation
        .requirement
        .as_ref()
        .map(|required| format!("required is {}", required.text));
    let permission = match &explanation.permission {
        Some(permission) => Some(format!("{} {permission}", permission.effect)),
        None => (Reason::from_word(&explanation.reason) == Some(Reason::NoPermission))
            .then(|| "no permission grants it".to_owned()),
    };
    let conditions = explanation.route.iter().flat_map(|route| &route.conditions);
    let of_permission = explanation
        .tried
        .iter()
        .filter(|it| Some(&it.permission) == explanation.permission.as_ref());
    let conditions = conditions.chain(of_permission.filter_map(|tried| tried.condition.as_ref()));
    let conditions = conditions.map(ToString::to_string);
    let parts = [Some(user), route, requirement, permission]
        .into_iter()
        .flatten()
        .chain(conditions);
    parts.collect::<Vec<_>>().join("; ")
}
