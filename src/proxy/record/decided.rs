//! The decision in a record: outcome, reason, and the facts it was made from. Decides nothing.

use super::Record;
use super::audited::AuthorizationWords;
use crate::authorize::{Denied, Grant, Permit};
use crate::proxy::active_snapshot::ActiveSnapshot;
use crate::proxy::request::{Decision, RequestDecision};
use crate::proxy::texts::RecordField;
use crate::reason::EndReason;
use crate::respond::Rejection;
use crate::route::Target;

impl Record {
    /// Takes over a decision, whether permit or denial.
    pub(in crate::proxy) fn decided(
        &mut self,
        decided: &RequestDecision<'_, '_>,
        active: &ActiveSnapshot,
    ) {
        self.version = active.snapshot.version();
        self.texts.set(RecordField::Method, decided.method);
        if let Some(host) = &decided.host {
            self.texts.set(RecordField::Host, host.as_str());
        }
        if let Some(target) = &decided.target {
            self.texts.set(RecordField::Path, &target.path);
        }
        if let Some(requirement) = &decided.requirement {
            self.texts
                .set_display(RecordField::Requirement, requirement);
        }
        if let Some(route) = decided.route {
            self.texts.set(RecordField::Route, &route.name);
            self.route = Some(active.route(&self.connection, route).series.clone());
            if let Target::Upstream(name) = &route.target {
                self.texts.set(RecordField::Upstream, name);
            }
        }
        self.note_for_audit(decided.route, &active.snapshot);
        match &decided.decision {
            Decision::Permit(permit) => self.permitted(permit),
            Decision::Deny(rejection) => self.refused(rejection),
            Decision::Needs(need) => self.refused(&need.unmet()),
        }
        self.authorization = Some(AuthorizationWords {
            decision: self.decision,
            reason: self.reason,
        });
        self.connection.series.decided(self.decision, self.reason);
    }

    /// A request that only shadow mode permits is recorded with its denial.
    fn permitted(&mut self, permit: &Permit<'_>) {
        self.decision = match (permit.shadowed(), permit.grant()) {
            (Some(_), _) | (None, Grant::Shadow) => "shadow",
            (None, _) => "permit",
        };
        self.reason = permit.reason();
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

    fn refused(&mut self, rejection: &Rejection<'_>) {
        self.note_rejection(rejection);
        if let Some(matched) = rejection.denied().and_then(Denied::matched) {
            self.matched(&matched);
        }
    }

    /// The request gets this rejection as its response: the decision denied it, or it failed at a limit or at its upstream.
    pub(in crate::proxy) fn failed(&mut self, rejection: &Rejection<'_>) {
        self.note_rejection(rejection);
        if let Rejection::Limited(_) = rejection {
            self.decision = "refuse";
            self.connection.series.limited(rejection.reason());
        }
    }

    fn note_rejection(&mut self, rejection: &Rejection<'_>) {
        self.reason = rejection.reason().into();
        self.detail = rejection.detail();
        self.note_endpoint(rejection);
    }

    /// The head was no valid request, and was rejected before a decision.
    pub(in crate::proxy) fn rejected_unread(&mut self, rejection: &Rejection<'_>) {
        self.refused(rejection);
        self.status = rejection.status().as_u16();
        self.end = EndReason::Complete;
        self.connection.series.decided(self.decision, self.reason);
    }
}
