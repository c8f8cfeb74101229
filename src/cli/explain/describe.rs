//! What `explain` prints of a judgement. Judges nothing.

use crate::authorize::{Denied, Grant, Matched, Permit};
use crate::identity::Principal;
use crate::proxy::{Judgement, Presented, Standing};
use crate::respond::Refusal;
use crate::route::Target;
use crate::snapshot::{Outcome, Snapshot};
use std::fmt::Write;

pub(super) fn describe(
    snapshot: &Snapshot,
    outcome: &Outcome,
    (standing, presented): (&Standing, &Presented),
    judgement: &Judgement<'_, '_>,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<13}{value}", format!("{name}:"));
    };
    let sources = &outcome.sources;
    let permission = |matched: &Matched<'_>| {
        let role = matched.role.map(|role| format!(" of role \"{role}\"")).unwrap_or_default();
        format!("\"{}\"{role} at {}", matched.permission.text(), sources.describe(matched.permission.place))
    };
    match &judgement.outcome {
        Ok(_) => line("decision", "permit".to_owned()),
        // It is never asked from here.
        Err(Refusal::AuthorizerUnasked) => {
            let name = judgement.route.and_then(|route| route.authorizer.as_deref()).unwrap_or_default();
            line("decision", format!("depends on authorizer \"{name}\"; the gateway itself permits this"));
        }
        Err(refusal) => {
            let detail = refusal.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            line("decision", format!("refuse ({} {}{detail})", refusal.status().as_u16(), refusal.word()));
        }
    }
    match presented {
        Presented::Proven(proof) => {
            let user = Standing::Known(proof.principal.clone());
            line("user", format!("{} by {}", describe_user(snapshot, outcome, &user), proof.kind().word()));
        }
        _ => line("user", describe_user(snapshot, outcome, standing)),
    }
    if let Standing::Known(user) = standing {
        if let Some(kind) = user.identified_by {
            line("identified", format!("by {}", kind.word()));
        }
        if !user.extra_roles.is_empty() {
            line("roles", format!("{} by its certificate", brought_roles(snapshot, user)));
        }
    }
    if let Some(target) = &judgement.target {
        line("path", format!("{} {}", judgement.method, target.path));
    }
    if let Some(route) = judgement.route {
        line("route", format!("{} at {}", route.name, sources.describe(route.place)));
        if let Target::Upstream(name) = &route.target {
            line("upstream", name.to_string());
        }
    }
    if let Some(requirement) = &judgement.requirement {
        line("requirement", requirement.to_string());
    }
    if let Some((name, value)) = granted_by(&judgement.outcome, permission) {
        line(name, value);
    }
    text
}

fn describe_user(snapshot: &Snapshot, outcome: &Outcome, standing: &Standing) -> String {
    match standing {
        Standing::Known(user) => {
            let place = snapshot.users.get(user.id).map(|user| outcome.sources.describe(user.place));
            format!("{} at {}", user.name, place.unwrap_or_default())
        }
        Standing::Anonymous => "none: no certificate".to_owned(),
        Standing::UnknownUser => "none: the certificate is no ApiUser's".to_owned(),
        Standing::AmbiguousIdentity(one, other) => format!("none: the certificate is both \"{one}\" and \"{other}\""),
        Standing::ReservedName(name) => format!("none: the name \"{name}\" is reserved in its trust domain"),
        Standing::UnusableName(error) => format!("none: {error}"),
        Standing::Forwarded(refusal) => format!("none: {}", refusal.word()),
        Standing::Refused(reason) => format!("none: the certificate is refused ({})", reason.word()),
    }
}

/// The names of the roles that come with the certificate.
fn brought_roles(snapshot: &Snapshot, user: &Principal) -> String {
    let names: Vec<String> = snapshot.policy.brought_roles(user).map(|name| format!("\"{name}\"")).collect();
    names.join(", ")
}

/// What grants or denies, for people.
fn granted_by(
    outcome: &Result<Permit<'_>, Refusal<'_>>,
    permission: impl Fn(&Matched<'_>) -> String,
) -> Option<(&'static str, String)> {
    match outcome {
        Ok(permit) => match permit.grant() {
            Grant::Permission(matched) => Some(("permission", permission(&matched))),
            Grant::AnyApiUser => Some(("permission", "none needed: the route is for any ApiUser".to_owned())),
            Grant::PublicRoute => Some(("permission", "none needed: the route is public".to_owned())),
            Grant::Shadow => Some(("permission", "none grants this; refusals are only marked".to_owned())),
        },
        Err(refusal) => match refusal.denied() {
            Some(Denied::DeniedBy(matched)) => Some(("denied by", permission(matched))),
            Some(Denied::NoPermission) => Some(("permission", "none grants this".to_owned())),
            _ => None,
        },
    }
}
