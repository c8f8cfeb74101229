//! What a record takes over of a decision: the outcome, its reason, and what it was found by. Decides nothing.

use super::Record;
use super::audited::AuthorizationWords;
use crate::authorize::{Denied, Grant, Permit};
use crate::proxy::in_force::InForce;
use crate::proxy::request::{Decision, RequestDecision};
use crate::proxy::texts::Text;
use crate::respond::Refusal;
use crate::route::Target;

impl Record {
    /// Takes over what was decided, whatever the outcome.
    pub(in crate::proxy) fn decided(
        &mut self,
        decided: &RequestDecision<'_, '_>,
        in_force: &InForce,
    ) {
        self.version = in_force.snapshot.version();
        self.texts.set(Text::Method, decided.method);
        if let Some(host) = &decided.host {
            self.texts.set(Text::Host, host.as_str());
        }
        if let Some(target) = &decided.target {
            self.texts.set(Text::Path, &target.path);
        }
        if let Some(requirement) = &decided.requirement {
            self.texts.set_display(Text::Requirement, requirement);
        }
        if let Some(route) = decided.route {
            self.texts.set(Text::Route, &route.name);
            self.route = Some(in_force.route(&self.connection, route).series.clone());
            if let Target::Upstream(name) = &route.target {
                self.texts.set(Text::Upstream, name);
            }
        }
        self.note_for_audit(decided.route, &in_force.snapshot);
        match &decided.decision {
            Decision::Permit(permit) => self.permitted(permit),
            Decision::Deny(refusal) => self.refused(refusal),
            Decision::Needs(need) => self.refused(&need.unmet()),
        }
        self.authorization = Some(AuthorizationWords {
            decision: self.decision,
            reason: self.reason,
        });
        self.connection.series.decided(self.decision, self.reason);
    }

    /// What is only let through on trial is told as what it would have been.
    fn permitted(&mut self, permit: &Permit<'_>) {
        let (decision, reason) = match (permit.shadowed(), permit.grant()) {
            (Some(denied), _) => ("shadow", denied.word()),
            (None, Grant::Permission(_)) => ("permit", "permission"),
            (None, Grant::AnyApiUser) => ("permit", "any_api_user"),
            (None, Grant::PublicRoute) => ("permit", "public_route"),
            // Never without what is shadowed.
            (None, Grant::Shadow) => ("shadow", "internal"),
        };
        (self.decision, self.reason) = (decision, reason);
        self.detail = permit.shadowed().and_then(Denied::detail);
        let granted = if let Grant::Permission(matched) = permit.grant() {
            Some(matched)
        } else {
            None
        };
        if let Some(matched) = permit.shadowed().and_then(Denied::matched).or(granted) {
            self.matched(&matched);
        }
    }

    fn refused(&mut self, refusal: &Refusal<'_>) {
        self.failed(refusal);
        if let Some(matched) = refusal.denied().and_then(Denied::matched) {
            self.matched(&matched);
        }
    }

    /// The request was permitted, but could not be answered by its upstream.
    pub(in crate::proxy) fn failed(&mut self, refusal: &Refusal<'_>) {
        self.reason = refusal.word();
        self.detail = refusal.detail();
        self.note_endpoint(refusal);
        if let Refusal::Limited(_) = refusal {
            self.decision = "refuse";
            self.connection.series.limited(self.reason);
        }
    }

    /// What came was no request, and was refused before any decision.
    pub(in crate::proxy) fn refused_unread(&mut self, refusal: &Refusal<'_>) {
        self.refused(refusal);
        self.status = refusal.status().as_u16();
        self.end = "complete";
        self.connection.series.decided(self.decision, self.reason);
    }
}
