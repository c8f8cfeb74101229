//! What all requests of a connection on hyper share, and what it hears of each.

use super::content::Content;
use crate::clock;
use crate::drain::Drain;
use crate::forward::ClientAddress;
use crate::head::RequestHead;
use crate::limit::BodyEnd;
use crate::listener::ConnectionPlace;
use crate::proxy::activity::Activity;
use crate::proxy::asking::Asker;
use crate::proxy::client::ConnectedClient;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::credentials::{JudgingBy, Looked, Wanted};
use crate::proxy::guard::GuardControl;
use crate::proxy::present::OpenExchanges;
use crate::proxy::record::{Record, RequestEnd};
use crate::proxy::{Shared, request_id};
use crate::route::icinga2::EventTypes;
use crate::snapshot::Snapshot;
use http::request::Parts;
use http::{HeaderMap, Version};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What all requests of a connection share.
pub(in crate::proxy) struct ConnectionContext {
    pub(in crate::proxy) shared: Arc<Shared>,
    pub(in crate::proxy) facts: Rc<ConnectionFacts>,
    /// The client's address, as upstreams are told of it.
    pub(in crate::proxy) address: ClientAddress,
    pub(in crate::proxy) client: ConnectedClient,
    /// Counts as an open connection; a tunnel holds it with the rest of this when HTTP is over.
    pub(in crate::proxy) _place: ConnectionPlace,
    pub(in crate::proxy) drain: Drain,
    /// HTTP/1.1 only.
    pub(in crate::proxy) guard: Option<Arc<GuardControl>>,
    /// A client that takes no byte of an answer of our own.
    pub(in crate::proxy) idle_timeout: Option<Duration>,
    /// Ends the connection after the answers that are on their way.
    pub(in crate::proxy) close: CancellationToken,
    /// Whether requests are under way, and answers are taken.
    pub(in crate::proxy) activity: Rc<Activity>,
    /// Whose rights are looked after.
    pub(in crate::proxy) open: OpenExchanges,
}

impl ConnectionContext {
    /// The active snapshot, and who sends this request in it.
    pub(super) fn judging_by(&self, head: &RequestHead<'_, HeaderMap>) -> JudgingBy {
        JudgingBy::at(&self.shared, &self.client, head.fields, clock::now())
    }

    /// Who asks an external authorizer.
    pub(super) fn asker<'a>(&'a self, version: Version, request_id: &'a str) -> Asker<'a> {
        Asker {
            client: &self.client,
            facts: &self.facts,
            protocol: protocol(version),
            request_id,
        }
    }

    /// Gathers the evidence that a decision needs.
    pub(super) async fn find_out(
        &self,
        looked: &mut Looked,
        wanted: Wanted,
        judging: &JudgingBy,
        content: &mut Content,
    ) -> Result<(), BodyEnd> {
        match wanted {
            Wanted::Body(limit) => looked.read(EventTypes::from_body(&content.read(limit).await?)),
            other => {
                looked
                    .find_out(other, &self.shared, judging, self.facts.client.ip())
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
        let said = (parts.method.as_str(), target);
        let mut record = Record::new(
            self.facts.clone(),
            protocol(parts.version),
            snapshot.version(),
            request_id(),
            said,
        );
        self.activity.request_begins();
        record.on_end(self.clone());
        record
    }
}

impl RequestEnd for ConnectionContext {
    fn request_ended(&self) {
        self.activity.request_ends();
        if let Some(guard) = &self.guard {
            guard.request_is_over();
        }
    }
}

pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
