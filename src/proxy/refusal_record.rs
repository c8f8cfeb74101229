//! Records of heads that the guard in front of hyper rejects before there is a request. Rejects none.

use super::RequestId;
use super::active_snapshot::in_force;
use super::connection::ProxyHandler;
use super::connection_facts::ConnectionFacts;
use super::exchange::ConnectionContext;
use super::guard::RefusalHandler;
use super::record::{Record, RequestLine};
use crate::respond::Refusal;
use std::rc::Rc;

impl ProxyHandler {
    /// Returns what records a rejected head.
    pub(super) fn refusal_recorder(&self, context: &ConnectionContext) -> RefusalHandler {
        // hyper requires the stream of an upgrade to be `Send`, although none of ours changes its thread. So the closure
        // cannot hold the `Rc` of the facts.
        let shared = self.shared.clone();
        let listener = self.listener.clone();
        let client = context.facts.client;
        let local = context.facts.local;
        let server_name = context.facts.server_name.clone();
        let tls = context.facts.tls;
        Box::new(move |refusal: &Refusal<'_>, request_id: RequestId| {
            let version = in_force(&shared).snapshot.version();
            let facts = Rc::new(ConnectionFacts {
                telemetry: shared.telemetry.clone(),
                listener: listener.clone(),
                client,
                local,
                server_name: server_name.clone(),
                tls,
                series: shared.telemetry.listener(&listener),
            });
            let unread = RequestLine {
                method: "-",
                target: "-",
            };
            let mut record = Record::new(facts, "HTTP/1.1", version, request_id, unread);
            record.refused_unread(refusal);
        })
    }
}
