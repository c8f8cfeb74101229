//! Records of heads that are rejected in front of hyper, before there is a request. Rejects none.

use super::RequestId;
use super::connection::ProxyHandler;
use super::connection_facts::ConnectionFacts;
use super::exchange::ConnectionContext;
use super::guard::OnRefusal;
use super::in_force::in_force;
use super::record::Record;
use crate::respond::Refusal;
use std::rc::Rc;

impl ProxyHandler {
    /// Records heads that were refused before there was a request.
    pub(super) fn refusal_recorder(&self, context: &ConnectionContext) -> OnRefusal {
        // A stream that hyper may give away must be free to go to another thread, although none of ours ever does.
        let (shared, listener, client) = (
            self.shared.clone(),
            self.listener.clone(),
            context.facts.client,
        );
        let local = context.facts.local;
        let (server_name, tls) = (context.facts.server_name.clone(), context.facts.tls);
        Box::new(move |refusal: &Refusal<'_>, request_id: RequestId| {
            let version = in_force(&shared).snapshot.version();
            let (telemetry, series) = (
                shared.telemetry.clone(),
                shared.telemetry.listener(&listener),
            );
            let (listener, server_name) = (listener.clone(), server_name.clone());
            let facts = Rc::new(ConnectionFacts {
                telemetry,
                listener,
                client,
                local,
                server_name,
                tls,
                series,
            });
            let mut record = Record::new(facts, "HTTP/1.1", version, request_id, ("-", "-"));
            record.refused_unread(refusal);
        })
    }
}
