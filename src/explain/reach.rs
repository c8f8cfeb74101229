//! The access of a user to all requests of one route and method: what is certain, and what depends on captures, on the
//! continuation of the path, or on conditions.

use super::context::QuestionContext;
use super::explanation::PermissionFacts;
use super::recorder::permission_facts;
use super::route_decision::RouteDecision;
use crate::authorize::{
    Coverage, DenyCoverage, Effect, Matched, Part, Permission, PermissionSet, RequirementForm,
    granted_by_any,
};
use crate::config::Enforcement;
use crate::identity::Principal;
use crate::reason::{DecisionReason, GrantReason, Reason};
use crate::route::{Admission, Extent, RequirementRule, Route, Segment, TemplatePart};

/// A certain decision, or the conditions that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteAccess {
    pub(super) decision: RouteDecision,
    /// `None` if the decision depends.
    pub(super) reason: Option<DecisionReason>,
    pub(super) depends_on: Vec<String>,
    pub(super) permissions: Vec<PermissionFacts>,
    /// The requirement, as in the config.
    pub(super) requirement: Option<String>,
}

/// The requirements of all requests of a route and method, and their variable parts.
struct RequestClass {
    form: RequirementForm,
    /// Captures, and the continuation of the path.
    variables: Vec<String>,
    text: String,
}

/// A permission with its set, and the share of the requests that it matches.
struct RelevantPermission<'a> {
    set: &'a PermissionSet,
    permission: &'a Permission,
    coverage: DenyCoverage,
}

impl RelevantPermission<'_> {
    fn is_enforced(&self) -> bool {
        self.permission.enforcement() == Enforcement::Enforce
    }

    fn is_unconditional(&self) -> bool {
        self.permission.condition().is_none()
    }

    fn matches_all(&self) -> bool {
        self.coverage == DenyCoverage::All
    }
}

/// The access to a route by a method.
pub(super) fn reach(
    context: &QuestionContext<'_>,
    user: Option<&Principal>,
    route: &Route,
    method: &str,
) -> RouteAccess {
    reach_of(context, user, route, method, kind(route, method))
}

/// The access to a route that requires this name. A `*` in it stands for any value from the request.
pub(super) fn reach_of_name(
    context: &QuestionContext<'_>,
    user: &Principal,
    route: &Route,
    name: &str,
) -> RouteAccess {
    let parts: Vec<Part> = match name.strip_suffix('*') {
        Some(begin) => vec![Part::text(begin), Part::Anything],
        None => vec![Part::text(name)],
    };
    let variables = name
        .ends_with('*')
        .then(|| "what the request lists".to_owned());
    let kind = RequestClass {
        form: RequirementForm::Named(parts),
        variables: variables.into_iter().collect(),
        text: name.to_owned(),
    };
    reach_of(context, Some(user), route, "", kind)
}

fn reach_of(
    context: &QuestionContext<'_>,
    user: Option<&Principal>,
    route: &Route,
    method: &str,
    kind: RequestClass,
) -> RouteAccess {
    let mut reach = match user {
        None => certain(
            RouteDecision::Permit,
            Some(GrantReason::PublicRoute.into()),
            Vec::new(),
        ),
        Some(user) => {
            let sets: Vec<&PermissionSet> = context.snapshot.policy.sets(user).collect();
            let needs_none = if route.admission.is_public() {
                Some(GrantReason::PublicRoute)
            } else {
                matches!(kind.form, RequirementForm::AnyApiUser).then_some(GrantReason::AnyApiUser)
            };
            by_permissions(context, &sets, &kind, needs_none)
        }
    };
    reach.requirement = (!route.admission.is_public()).then_some(kind.text);
    let conditions = [
        route.condition.as_ref(),
        route.requirement.condition(method),
    ]
    .into_iter()
    .flatten();
    let conditions =
        conditions.map(|condition| format!("the route's condition `{}`", condition.text()));
    let authorizer = route
        .authorizer
        .iter()
        .map(|name| format!("authorizer \"{name}\""));
    let conditions: Vec<String> = conditions.chain(authorizer).collect();
    if !conditions.is_empty() && reach.decision != RouteDecision::Refuse {
        reach.decision = RouteDecision::Depends;
        reach.reason = None;
        reach.depends_on.splice(0..0, conditions);
    }
    let refuses_some = matches!(
        reach.decision,
        RouteDecision::Depends | RouteDecision::Refuse
    );
    if refuses_some && is_shadowed(context, user, route) {
        reach.decision = RouteDecision::Shadow;
    }
    reach
}

fn certain(
    decision: RouteDecision,
    reason: Option<DecisionReason>,
    permissions: Vec<PermissionFacts>,
) -> RouteAccess {
    RouteAccess {
        decision,
        reason,
        depends_on: Vec::new(),
        permissions,
        requirement: None,
    }
}

fn by_permissions(
    context: &QuestionContext<'_>,
    sets: &[&PermissionSet],
    kind: &RequestClass,
    needs_none: Option<GrantReason>,
) -> RouteAccess {
    let denies = relevant_permissions(
        sets,
        |set| &set.denied,
        |permission| permission.deny_coverage(&kind.form),
    );
    let grants = relevant_permissions(
        sets,
        |set| &set.granted,
        |permission| permission.grant_coverage(&kind.form).into(),
    );
    let grants = if needs_none.is_some() {
        Vec::new()
    } else {
        grants
    };
    if let Some(deny) = denies
        .iter()
        .find(|it| it.is_enforced() && it.is_unconditional() && it.matches_all())
    {
        return certain(
            RouteDecision::Refuse,
            Some(Reason::Denied.into()),
            vec![facts(context, deny, Effect::Deny)],
        );
    }
    if grants.is_empty() && needs_none.is_none() {
        return certain(
            RouteDecision::Refuse,
            Some(Reason::NoPermission.into()),
            Vec::new(),
        );
    }
    let all_by = |which: fn(&RelevantPermission<'_>) -> bool| {
        let chosen = grants.iter().filter(|it| which(it)).map(|it| it.permission);
        needs_none.is_some() || granted_by_any(chosen, &kind.form) == Coverage::All
    };
    let is_granted = all_by(|it| it.is_unconditional());
    if is_granted && !denies.iter().any(RelevantPermission::is_enforced) {
        let is_enforced_for_all =
            all_by(|it| it.is_unconditional() && it.is_enforced()) && denies.is_empty();
        let decision = if is_enforced_for_all {
            RouteDecision::Permit
        } else {
            RouteDecision::Shadow
        };
        // The first that covers all decides, as it does for a request.
        let decides = grants
            .iter()
            .find(|it| it.is_enforced() && it.is_unconditional() && it.matches_all());
        let deciding: Vec<_> = decides.map_or_else(|| grants.iter().collect(), |one| vec![one]);
        let permissions = deciding
            .into_iter()
            .map(|it| facts(context, it, Effect::Grant));
        let permissions = permissions
            .chain(denies.iter().map(|it| facts(context, it, Effect::Deny)))
            .collect();
        let reason = needs_none.unwrap_or(GrantReason::Permission);
        return certain(decision, Some(reason.into()), permissions);
    }
    let grants = if is_granted { Vec::new() } else { grants };
    depending(context, &grants, &denies, kind)
}

/// The access that depends on which of these permissions match.
fn depending(
    context: &QuestionContext<'_>,
    grants: &[RelevantPermission<'_>],
    denies: &[RelevantPermission<'_>],
    kind: &RequestClass,
) -> RouteAccess {
    let mut reach = certain(RouteDecision::Depends, None, Vec::new());
    for (permissions, effect, verb) in [
        (grants, Effect::Grant, "granted"),
        (denies, Effect::Deny, "denied"),
    ] {
        for it in permissions {
            let permission = facts(context, it, effect);
            reach
                .depends_on
                .push(format!("{verb} by {permission}{}", when(it, kind)));
            reach.permissions.push(permission);
        }
    }
    reach
}

fn facts(
    context: &QuestionContext<'_>,
    it: &RelevantPermission<'_>,
    effect: Effect,
) -> PermissionFacts {
    let matched = Matched {
        permission: it.permission,
        role: it.set.role.as_deref(),
    };
    permission_facts(&matched, effect, &context.snapshot.places)
}

fn relevant_permissions<'a>(
    sets: &[&'a PermissionSet],
    which: impl Fn(&'a PermissionSet) -> &'a Vec<Permission>,
    covers: impl Fn(&Permission) -> DenyCoverage,
) -> Vec<RelevantPermission<'a>> {
    let all = sets
        .iter()
        .flat_map(|set| which(set).iter().map(|permission| (*set, permission)));
    let covered = all.map(|(set, permission)| RelevantPermission {
        set,
        permission,
        coverage: covers(permission),
    });
    covered
        .filter(|it| it.coverage != DenyCoverage::None)
        .collect()
}

/// The condition for a permission to match.
fn when(it: &RelevantPermission<'_>, kind: &RequestClass) -> String {
    let permission = it.permission;
    let mut text = String::new();
    match it.coverage {
        DenyCoverage::Some if !kind.variables.is_empty() => {
            text.push_str(&format!(", depending on {}", kind.variables.join(" and ")));
        }
        DenyCoverage::TooManyReadings => {
            text.push_str(", if there are more readings than are compared")
        }
        _ => {}
    }
    if let Some(condition) = permission.condition() {
        text.push_str(&format!(", when `{}`", condition.text()));
    }
    if permission.enforcement() == Enforcement::Shadow {
        text.push_str(", on trial");
    }
    text
}

fn kind(route: &Route, method: &str) -> RequestClass {
    let is_named = route.admission == Admission::Authorized;
    match (route.requirement.demand(method), &route.requirement) {
        (Some(demand), _) if is_named => {
            let capture =
                |at: usize| format!("{{{}}}", route.captures.get(at).map_or("", AsRef::as_ref));
            let mut name = Vec::new();
            let mut variables = Vec::new();
            let mut text = String::new();
            for part in demand.name.parts() {
                match part {
                    TemplatePart::Text(piece) => {
                        name.push(Part::text(piece));
                        text.push_str(piece);
                    }
                    TemplatePart::Capture(at) => {
                        name.push(Part::Segment);
                        text.push_str(&capture(at));
                        variables.push(capture(at));
                    }
                }
            }
            RequestClass {
                form: RequirementForm::Named(name),
                variables,
                text,
            }
        }
        (_, RequirementRule::AnyApiUser) if is_named => RequestClass {
            form: RequirementForm::AnyApiUser,
            variables: Vec::new(),
            text: "(any ApiUser)".to_owned(),
        },
        _ => of_path(route, method),
    }
}

fn of_path(route: &Route, method: &str) -> RequestClass {
    let mut path = Vec::new();
    let mut variables = Vec::new();
    let mut text = String::new();
    for segment in &route.pattern.segments {
        match segment {
            Segment::Literal(literal) => {
                path.push(Part::text(format!("/{literal}")));
                text.push_str(&format!("/{literal}"));
            }
            Segment::Capture(name) => {
                path.extend([Part::text("/"), Part::Segment]);
                text.push_str(&format!("/{{{name}}}"));
                variables.push(format!("{{{name}}}"));
            }
        }
    }
    if route.pattern.extent == Extent::Prefix {
        match path.is_empty() {
            true => path.extend([Part::text("/"), Part::Anything]),
            false => path.push(Part::Below),
        }
        variables.push("what is below".to_owned());
        text.push_str("/...");
    }
    RequestClass {
        form: RequirementForm::MethodAndPath {
            method: method.to_owned(),
            path,
        },
        variables,
        text: format!("{method} {text}"),
    }
}

/// Whether denials of this user on this route are only recorded.
fn is_shadowed(context: &QuestionContext<'_>, user: Option<&Principal>, route: &Route) -> bool {
    let policy = &context.snapshot.policy;
    policy.enforcement(user, route.enforcement).mode == Enforcement::Shadow
}
