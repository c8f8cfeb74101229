//! One client on every route and method. Routes stand for many paths, so beside what is sure there is what depends on them.
//! What does not is judged as a request is; the two must agree.

use super::asker::Asker;
use super::preset;
use super::question::{NoAnswer, Question};
use super::reach::{Reach, reach};
use super::route_decision::RouteDecision;
use super::route_row::RouteRow;
use super::scene::{Asked, Scene, listener};
use super::text::Lines;
use super::verdict::Verdict;
use crate::authorize::Denied;
use crate::host::{HostName, HostPattern};
use crate::proxy::Decision;
use crate::route::{Extent, RequirementRule, Route, Segment};
use crate::snapshot::{ListenerPolicy, Snapshot};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What one client may do on each route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllRoutes {
    /// The generation of the running gateway that was asked; `null` if none was.
    pub generation: Option<u64>,
    /// In the order of listeners' names and of the config.
    pub routes: Vec<RouteRow>,
    /// Listeners and routes about which nothing can be said, and why.
    pub unanswered: Vec<String>,
}

/// Asks on each route.
pub(super) fn all_routes(snapshot: &Snapshot, question: &Question) -> Result<AllRoutes, NoAnswer> {
    if !question.method.is_empty() || !question.url.is_empty() {
        return Err(NoAnswer::question(
            "all routes are asked about, so no method and no URL is to be named",
        ));
    }
    let mut listeners: Vec<_> = match &question.listener {
        Some(name) => vec![listener(snapshot, Some(name))?],
        None => snapshot.listeners.values().collect(),
    };
    listeners.sort_by(|one, other| one.name.cmp(&other.name));
    let (mut all, mut failed) = (AllRoutes::default(), None);
    for listener in listeners {
        for route in listener.routes.routes() {
            match on_route(snapshot, question, listener, route) {
                Ok(rows) => all.routes.extend(rows),
                Err(contradiction @ NoAnswer::Contradiction { .. }) => return Err(contradiction),
                Err(error) => {
                    all.unanswered.push(format!(
                        "listener \"{}\", route {}: {error}",
                        listener.name, route.name
                    ));
                    failed = failed.or(Some(error));
                }
            }
        }
    }
    match failed {
        Some(error) if all.routes.is_empty() => Err(error),
        _ => Ok(all),
    }
}

fn on_route(
    snapshot: &Snapshot,
    question: &Question,
    listener: &Arc<ListenerPolicy>,
    route: &Arc<Route>,
) -> Result<Vec<RouteRow>, NoAnswer> {
    let (authority, path) = example(listener, route).ok_or_else(|| {
        NoAnswer::question(
            "other routes take all its paths, or no host of the listener leads to it",
        )
    })?;
    let scene = Scene::at_host(snapshot, question, listener, &authority)?;
    let asker = Asker::named(&scene)?;
    if matches!(route.requirement, RequirementRule::Icinga2) {
        let asked = Asked::new(question, "GET", &authority, path)?;
        return scene.judged(&asker, &asked, |judged| preset::rows(judged, route));
    }
    let mut rows = Vec::new();
    for method in route.requirement.methods() {
        let asked = Asked::new(question, method, &authority, path.clone())?;
        rows.push(row(&scene, &asker, &asked, route)?);
    }
    Ok(rows)
}

/// A host and a path that lead to this route and no other.
fn example(listener: &ListenerPolicy, route: &Arc<Route>) -> Option<(String, String)> {
    const FILLINGS: usize = 40;
    let mut hosts: Vec<String> = Vec::new();
    for host in &route.hosts {
        match host {
            Some(HostPattern::Exact(name)) => hosts.push(name.clone()),
            Some(HostPattern::Wildcard(rest)) => hosts.push(format!("any.{rest}")),
            None => hosts.extend(
                ["localhost".to_owned(), "any.invalid".to_owned()]
                    .into_iter()
                    .chain(listener.hosts.names()),
            ),
        }
    }
    let leads_here = |host: &str, path: &str| {
        let name =
            HostName::parse_authority(host).filter(|name| listener.host(Some(name)).is_some())?;
        let (found, _) = listener.routes.find(Some(&name), path)?;
        Arc::ptr_eq(found, route).then_some(())
    };
    hosts.into_iter().find_map(|host| {
        let fillings = (0..FILLINGS).flat_map(|at| {
            let path = filled(route, &format!("x{at}"));
            // Where the very path is another route's, what is below may be ours.
            let below = (route.pattern.extent == Extent::Prefix)
                .then(|| format!("{}/x{at}", path.trim_end_matches('/')));
            [Some(path), below]
        });
        let path = fillings
            .flatten()
            .find(|path| leads_here(&host, path).is_some())?;
        Some((host, path))
    })
}

fn filled(route: &Route, value: &str) -> String {
    let segments = route.pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => text.as_str(),
        Segment::Capture(_) => value,
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

fn row(
    scene: &Scene<'_>,
    asker: &Asker,
    asked: &Asked,
    route: &Route,
) -> Result<RouteRow, NoAnswer> {
    scene.judged(asker, asked, |judged| {
        if judged.shows_a_secret() {
            return Err(NoAnswer::secret());
        }
        let decided = judged.decided;
        let mut row = RouteRow::of(judged, route, &asked.method);
        let is_sure = match &decided.decision {
            Decision::Permit(_) | Decision::Needs(_) => false,
            Decision::Deny(refusal) => refusal.denied().is_none_or(|denied| {
                matches!(denied, Denied::UserDisabled | Denied::RouteDisabled)
            }),
        };
        if is_sure {
            row.reason = Verdict::of(judged).reason.to_owned();
            return Ok(row);
        }
        let reach = reach(scene, decided.user, route, &asked.method);
        agreement(&reach, &decided.decision)?;
        Ok(row.with(reach))
    })
}

/// What is said of all requests must be true of the one that was judged.
fn agreement(reach: &Reach, decision: &Decision<'_>) -> Result<(), NoAnswer> {
    let agrees = match (reach.decision, decision) {
        (RouteDecision::Permit, Decision::Permit(permit)) => permit.shadowed().is_none(),
        (RouteDecision::Shadow, Decision::Permit(_) | Decision::Needs(_))
        | (RouteDecision::Refuse, Decision::Deny(_))
        | (RouteDecision::Depends, _) => true,
        _ => false,
    };
    let judged = match decision {
        Decision::Permit(permit) => permit.shadowed().map_or("permit", Denied::word),
        Decision::Deny(refusal) => refusal.word(),
        Decision::Needs(need) => need.unmet().word(),
    };
    match agrees {
        true => Ok(()),
        false => Err(NoAnswer::Contradiction {
            found: reach.decision.word().to_owned(),
            judged: judged.to_owned(),
        }),
    }
}

impl fmt::Display for AllRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::default();
        lines.generation(self.generation);
        let rows = self.routes.iter().map(|row| {
            let why = match row.depends_on.is_empty() {
                false => row.depends_on.join("; "),
                true => row
                    .permissions
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let reason = if row.reason.is_empty() {
                "-"
            } else {
                &row.reason
            };
            let named = row.requirement.as_ref().filter(|_| row.method == "*");
            let request =
                named.map_or_else(|| format!("{} {}", row.method, row.path), Clone::clone);
            [
                row.listener.clone(),
                request,
                row.decision.word().to_owned(),
                reason.to_owned(),
                why,
            ]
        });
        lines.table(
            ["LISTENER", "REQUESTS", "DECISION", "REASON", "BY"],
            rows.collect(),
        );
        self.unanswered
            .iter()
            .for_each(|text| lines.line("unanswered", text));
        f.write_str(&lines.into_text())
    }
}
