//! What an external authorizer is told about a request that was permitted, for a route that asks one. Asks nobody, and
//! judges nothing.

use super::client::ConnectedClient;
use super::connection_facts::ConnectionFacts;
use super::credentials::{Checked, JudgingBy};
use super::request::RequestDecision;
use crate::authorizer::{Asking, Authorizer, Question};
use crate::forward::shown_fields;
use crate::head::Fields;
use crate::identity::KnownClient;
use crate::route::Admission;
use std::sync::Arc;

/// Who asks, where, and by which name.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) client: &'a ConnectedClient,
    pub(super) facts: &'a ConnectionFacts,
    pub(super) protocol: &'a str,
    pub(super) request_id: &'a str,
}

/// The question for the external authorizer of the request's route. `None` if the route has none.
pub(super) fn question_for<F: Fields + ?Sized>(
    decided: &RequestDecision<'_, '_>,
    fields: &F,
    judging: &JudgingBy,
    checked: &Checked,
    asker: Asker<'_>,
) -> Option<(Arc<Authorizer>, Asking)> {
    let route = decided.route?;
    let target = decided.target.as_ref()?;
    let host = decided.host.as_ref()?;
    let (snapshot, Asker { client, facts, .. }) = (&judging.in_force.snapshot, asker);
    let authorizer = snapshot.authorizers.get(route.authorizer.as_deref()?)?;
    // What upstreams are not told on this route is not told here either.
    let known = match route.admission {
        Admission::Public => KnownClient::default(),
        Admission::Authorized | Admission::PublicWithIdentity => {
            client.known(&judging.view, checked, snapshot)
        }
    };
    let question = Question {
        id: asker.request_id,
        method: decided.method,
        path: &target.path,
        query: target.query.as_deref(),
        host: host.as_str(),
        protocol: asker.protocol,
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
    Some((authorizer.clone(), authorizer.asking(&question)))
}
