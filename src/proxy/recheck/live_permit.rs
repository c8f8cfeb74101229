//! The permit of one open request. It keeps the request head, so that the request can be decided again by the same code.
//! Cuts nothing itself.

use super::super::Shared;
use super::super::active_snapshot::active_snapshot;
use super::super::checked_evidence::CheckedEvidence;
use super::super::client::ConnectedClient;
use super::super::client_view::ClientView;
use super::super::evidence::still_presented;
use super::super::request::{
    Client, ClientIdentity, Decision, Evidence, PresentedCredentials, decide_with,
};
use super::RecheckWatch;
use crate::authorizer::Verdict;
use crate::buffer_pool::PooledBuffer;
use crate::credentials::{CredentialProof, CredentialRule};
use crate::forward::{field_space, parse_head};
use crate::head::RequestHead;
use crate::identity::{ForwardedRejection, Principal};
use crate::respond::{Rejection, SlowPeer, Withdrawal};
use crate::route::icinga2::BodyEventTypes;
use crate::snapshot::Snapshot;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// The permit of an open request.
pub(in crate::proxy) struct LivePermit {
    head: RecheckedHead,
    /// The client at the last recheck.
    view: Rc<ClientView>,
    /// The proof by a password or a token, if the request has one.
    proof: Option<CredentialProof>,
    /// The content of the body, if the decision depends on it.
    body: Option<BodyEventTypes>,
    /// The verdict of an external authorizer when the request began. It is not requested again.
    verdict: Option<Verdict>,
    /// When the recheck first found the listener removed.
    leaving: Option<Instant>,
    /// The deadline of the request.
    until: Option<Instant>,
}

/// The head of a request, as each engine has it.
pub(in crate::proxy) enum HeadSource<'a> {
    Bytes(&'a [u8]),
    Parts(&'a Rc<http::request::Parts>),
}

/// A request head that is kept for rechecks.
enum RecheckedHead {
    Bytes(PooledBuffer),
    Parts(Rc<http::request::Parts>),
}

impl LivePermit {
    /// Of a request with this head.
    pub(in crate::proxy) fn of(
        head: &HeadSource<'_>,
        view: Rc<ClientView>,
        checked: &CheckedEvidence,
    ) -> Self {
        let Evidence { body, verdict, .. } = checked.evidence.clone();
        Self {
            head: RecheckedHead::of(head),
            view,
            proof: checked.proof().cloned(),
            body,
            verdict,
            leaving: None,
            until: None,
        }
    }

    /// Sets the deadline. The first recheck after it withdraws the permit.
    pub(in crate::proxy) fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// Removes the deadline, after the response and before a tunnel.
    pub(in crate::proxy) fn clear_deadline(&mut self) {
        self.until = None;
    }

    /// Decides about the request again, by the active snapshot at this moment.
    ///
    /// # Errors
    /// Why the permit is withdrawn.
    pub(in crate::proxy) fn recheck(
        &mut self,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        now: Instant,
    ) -> Result<(), Withdrawal> {
        if self.until.is_some_and(|until| now >= until) {
            return Err(Withdrawal::of(&Rejection::RequestTime(SlowPeer::Upstream)));
        }
        let active = active_snapshot(shared);
        let snapshot = &active.snapshot;
        let view = self.head.view(client, snapshot, now);
        // The same view means the same snapshot and the same client, so the decision would be the same.
        if Rc::ptr_eq(&view, &self.view) && self.proof.is_none() && !snapshot.changes_with_time {
            return Ok(());
        }
        // A request of a forwarded client must not continue in the name of the front proxy.
        let is_own =
            view.forwarded_by().is_none() && !matches!(view.identity, ClientIdentity::Refused(_));
        if is_own && self.view.forwarded_by().is_some() && view.client().is_some() {
            return Err(Withdrawal::of(&Rejection::Forwarded(
                ForwardedRejection::NotAFrontProxy,
            )));
        }
        let presented = self
            .proof
            .as_ref()
            .map_or(PresentedCredentials::Nothing, |proof| {
                still_presented(snapshot, proof)
            });
        match view.client() {
            Some(client) => {
                let evidence = Evidence {
                    presented,
                    body: self.body.clone(),
                    verdict: self.verdict.clone(),
                };
                self.head.decide(snapshot, client, &evidence)?;
            }
            None => return self.without_listener(snapshot, client, now),
        }
        self.view = view;
        Ok(())
    }

    fn user(&self) -> Option<&Principal> {
        self.proof
            .as_ref()
            .map(|proof| &proof.principal)
            .or_else(|| self.view.principal())
    }

    /// Rechecks a request after its listener was removed. It may finish within the drain deadline, unless the user was
    /// removed or its certificate or proof is not valid any more.
    fn without_listener(
        &mut self,
        snapshot: &Snapshot,
        client: &ConnectedClient,
        now: Instant,
    ) -> Result<(), Withdrawal> {
        if snapshot.listeners.contains_key(&client.listener) {
            return Err(Withdrawal::of(&Rejection::ListenerGone));
        }
        if self
            .user()
            .is_some_and(|user| snapshot.users.named(&user.name).is_none())
        {
            return Err(Withdrawal::of(&Rejection::UnknownUser));
        }
        if let Some(reason) = client.rejected_without_listener(snapshot, &self.view) {
            return Err(Withdrawal::of(&Rejection::CertificateRefused(reason)));
        }
        if let Some(PresentedCredentials::Failed(why)) = self
            .proof
            .as_ref()
            .map(|proof| still_presented(snapshot, proof))
        {
            return Err(Withdrawal::of(&Rejection::Credential(
                why,
                CredentialRule::default(),
            )));
        }
        let since = *self.leaving.get_or_insert(now);
        if now.saturating_duration_since(since) > snapshot.process.drain_deadline {
            return Err(Withdrawal::of(&Rejection::ListenerGone));
        }
        Ok(())
    }

    /// Ready when a recheck withdraws the permit.
    pub(in crate::proxy) fn poll_withdrawn(
        &mut self,
        context: &mut Context<'_>,
        rounds: &mut RecheckWatch,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
    ) -> Poll<Withdrawal> {
        if !rounds.poll_round(context) {
            return Poll::Pending;
        }
        match self.recheck(shared, client, Instant::now()) {
            Ok(()) => Poll::Pending,
            Err(withdrawal) => Poll::Ready(withdrawal),
        }
    }
}

impl RecheckedHead {
    fn of(source: &HeadSource<'_>) -> Self {
        match *source {
            HeadSource::Bytes(head) => {
                let mut bytes = PooledBuffer::take();
                bytes.extend_from_slice(head);
                Self::Bytes(bytes)
            }
            HeadSource::Parts(parts) => Self::Parts(parts.clone()),
        }
    }

    /// The client of the request, as this snapshot identifies it.
    fn view(
        &self,
        client: &ConnectedClient,
        snapshot: &Arc<Snapshot>,
        now: Instant,
    ) -> Rc<ClientView> {
        let view = client.view(snapshot, now);
        if !view.role.is_for_others() {
            return view;
        }
        match self {
            Self::Bytes(bytes) => match parse_head(bytes, &mut field_space()) {
                Ok(Some(head)) => client.client_of_request(view, head.fields, snapshot, now),
                // `decide` then withdraws the permit.
                _ => view,
            },
            Self::Parts(head) => client.client_of_request(view, &head.headers, snapshot, now),
        }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        evidence: &Evidence,
    ) -> Result<(), Withdrawal> {
        match self {
            Self::Bytes(bytes) => {
                let mut space = field_space();
                let Ok(Some(head)) = parse_head(bytes, &mut space) else {
                    return Err(Withdrawal::of(&Rejection::Internal(
                        "a head that could be read cannot be read again",
                    )));
                };
                let request = RequestHead {
                    method: head.method,
                    target: head.target,
                    authority: head.authority,
                    fields: head.fields,
                };
                still_permitted(decide_with(snapshot, client, evidence, &request).decision)
            }
            Self::Parts(head) => {
                let request = RequestHead {
                    method: head.method.as_str(),
                    target: head
                        .uri
                        .path_and_query()
                        .map_or("", |target| target.as_str()),
                    authority: head.uri.authority().map(|authority| authority.as_str()),
                    fields: &head.headers,
                };
                still_permitted(decide_with(snapshot, client, evidence, &request).decision)
            }
        }
    }
}

/// Evidence is not gathered again for an open request: what a new config needs beyond it withdraws the permit.
fn still_permitted(decision: Decision<'_>) -> Result<(), Withdrawal> {
    match decision.into_result() {
        Ok(_) => Ok(()),
        Err(rejection) => Err(Withdrawal::of(&rejection)),
    }
}

/// Ends when the permit is withdrawn.
pub(in crate::proxy) async fn withdrawn(
    permit: &mut LivePermit,
    rounds: &mut RecheckWatch,
    shared: &Arc<Shared>,
    client: &ConnectedClient,
) -> Withdrawal {
    poll_fn(|context| permit.poll_withdrawn(context, rounds, shared, client)).await
}
