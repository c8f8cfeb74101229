//! The question for the external authorizer of a route, about a request that the gateway permits. Sends nothing.

use super::checked_evidence::CheckedEvidence;
use super::client::ConnectedClient;
use super::connection_facts::ConnectionFacts;
use super::decision_context::DecisionContext;
use super::request::RequestDecision;
use crate::authorizer::{Authorizer, EncodedQuestion, Question};
use crate::forward::shown_fields;
use crate::head::Fields;
use crate::identity::KnownClient;
use crate::route::Admission;
use std::sync::Arc;

/// The connection, the protocol and the ID of a request.
#[derive(Clone, Copy)]
pub(super) struct RequestOrigin<'a> {
    pub(super) client: &'a ConnectedClient,
    pub(super) facts: &'a ConnectionFacts,
    pub(super) protocol: &'a str,
    pub(super) request_id: &'a str,
}

/// The question for the external authorizer of the request's route. `None` if the route has none.
pub(super) fn question_for<F: Fields + ?Sized>(
    decided: &RequestDecision<'_, '_>,
    fields: &F,
    context: &DecisionContext,
    checked: &CheckedEvidence,
    origin: RequestOrigin<'_>,
) -> Option<(Arc<Authorizer>, EncodedQuestion)> {
    let route = decided.route?;
    let target = decided.target.as_ref()?;
    let host = decided.host.as_ref()?;
    let snapshot = &context.active.snapshot;
    let facts = origin.facts;
    let authorizer = snapshot.authorizers.get(route.authorizer.as_deref()?)?;
    // The authorizer gets no identity where the upstream gets none.
    let known = match route.admission {
        Admission::Public => KnownClient::default(),
        Admission::Authorized | Admission::PublicWithIdentity => {
            origin.client.known(&context.view, checked, snapshot)
        }
    };
    let question = Question {
        id: origin.request_id,
        method: decided.method,
        path: &target.path,
        query: target.query.as_deref(),
        host: host.as_str(),
        protocol: origin.protocol,
        listener: &facts.listener,
        route: &route.name,
        client: facts.client,
        local: facts.local,
        server_name: facts.server_name.as_deref(),
        known,
        fields: shown_fields(
            fields,
            &authorizer.shown,
            snapshot.field_policy(route),
            checked.authorization(None),
        ),
    };
    Some((authorizer.clone(), authorizer.encode(&question)))
}
