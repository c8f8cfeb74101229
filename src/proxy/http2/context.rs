//! State that all requests of an HTTP/2 connection share.

use super::content::Content;
use crate::clock;
use crate::drain::Drain;
use crate::forward::ClientAddress;
use crate::head::RequestHead;
use crate::listener::ConnectionPlace;
use crate::proxy::activity::Activity;
use crate::proxy::client::ConnectedClient;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::decision_context::DecisionContext;
use crate::proxy::evidence::{EvidenceCache, EvidenceSource};
use crate::proxy::question::RequestOrigin;
use crate::proxy::recheck::OpenExchanges;
use crate::proxy::record::{Record, RequestEnd, RequestLine};
use crate::proxy::whole_body::BodyFault;
use crate::proxy::{Shared, request_id};
use crate::route::icinga2::EventTypes;
use crate::snapshot::Snapshot;
use http::HeaderMap;
use http::request::Parts;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The protocol in records, and in questions to authorizers.
const PROTOCOL: &str = "HTTP/2.0";

/// State that all requests of a connection share.
pub(in crate::proxy) struct ConnectionContext {
    pub(in crate::proxy) shared: Arc<Shared>,
    pub(in crate::proxy) facts: Rc<ConnectionFacts>,
    /// The client's address in the form that upstreams get.
    pub(in crate::proxy) address: ClientAddress,
    pub(in crate::proxy) client: ConnectedClient,
    /// Counts the connection as open.
    pub(in crate::proxy) _place: ConnectionPlace,
    pub(in crate::proxy) drain: Drain,
    /// Timeout for a client that takes no byte of a gateway response.
    pub(in crate::proxy) idle_timeout: Option<Duration>,
    /// Closes the connection after the responses that are being sent.
    pub(in crate::proxy) close: CancellationToken,
    /// Open requests, and responses that a client may stall.
    pub(in crate::proxy) activity: Rc<Activity>,
    /// Exchanges with permits to recheck.
    pub(in crate::proxy) open: OpenExchanges,
}

impl ConnectionContext {
    /// The active snapshot with the client's identity in it, for a decision about this request.
    pub(super) fn decision_context(&self, head: &RequestHead<'_, HeaderMap>) -> DecisionContext {
        DecisionContext::at(&self.shared, &self.client, head.fields, clock::now())
    }

    /// Facts about the request for an external authorizer.
    pub(super) fn asker<'a>(&'a self, request_id: &'a str) -> RequestOrigin<'a> {
        RequestOrigin {
            client: &self.client,
            facts: &self.facts,
            protocol: PROTOCOL,
            request_id,
        }
    }

    /// Gathers the evidence that a decision needs.
    ///
    /// # Errors
    /// Why the content that is needed is incomplete.
    pub(super) async fn gather_evidence(
        &self,
        evidence: &mut EvidenceCache,
        source: EvidenceSource,
        decision_context: &DecisionContext,
        content: &mut Content,
    ) -> Result<(), BodyFault> {
        match source {
            EvidenceSource::Body(source) => {
                evidence.set_body(EventTypes::from_body(&content.read(&source).await?))
            }
            other => {
                evidence
                    .gather(
                        other,
                        &self.shared,
                        decision_context,
                        self.facts.client.ip(),
                    )
                    .await
            }
        }
        Ok(())
    }

    pub(super) fn new_record(self: &Rc<Self>, snapshot: &Snapshot, parts: &Parts) -> Record {
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        let mut record = Record::new(
            self.facts.clone(),
            PROTOCOL,
            snapshot.version(),
            request_id(),
            RequestLine {
                method: parts.method.as_str(),
                target,
            },
        );
        self.activity.request_begins();
        record.on_end(self.clone());
        record
    }
}

impl RequestEnd for ConnectionContext {
    fn request_ended(&self) {
        self.activity.request_ends();
    }
}
