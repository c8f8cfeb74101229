//! The right of one request that is under way: what was asked, kept so that it can be judged again by the one judgement.
//! Cuts nothing itself.

use super::super::Shared;
use super::super::client::{ClientView, ConnectedClient};
use super::super::credentials::{Checked, still_presented};
use super::super::in_force::in_force;
use super::super::request::{Client, Decision, Evidence, Presented, Standing, decide_with};
use super::RoundWatch;
use crate::authorizer::Verdict;
use crate::credentials::{CredentialRule, Proof};
use crate::forward::{field_space, parse_head};
use crate::head::RequestHead;
use crate::identity::{ForwardedRefusal, Principal};
use crate::recycled::Recycled;
use crate::respond::{Refusal, Slow, Withdrawal};
use crate::route::icinga2::SaidInBody;
use crate::snapshot::Snapshot;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// See the module.
pub(in crate::proxy) struct Right {
    asked: Asked,
    /// Who asked, as it was last judged.
    view: Rc<ClientView>,
    /// What proved who asked, where that was not its certificate alone.
    proof: Option<Proof>,
    /// What its body says, where the route asks.
    body: Option<SaidInBody>,
    /// What an external authorizer has said when the request began. It is not asked again.
    verdict: Option<Verdict>,
    /// Since when its listener has been gone.
    leaving: Option<Instant>,
    /// When its time is over.
    until: Option<Instant>,
}

/// The head that was judged, as each engine has it.
enum Asked {
    Octets(Recycled),
    Parts(Rc<http::request::Parts>),
}

impl Right {
    /// Of a request whose head was read from these octets.
    pub(in crate::proxy) fn of_octets(
        head: &[u8],
        view: Rc<ClientView>,
        checked: &Checked,
    ) -> Self {
        let mut octets = Recycled::take();
        octets.extend_from_slice(head);
        Self::of(Asked::Octets(octets), view, checked)
    }

    /// Of a request on hyper.
    pub(in crate::proxy) fn of_parts(
        head: Rc<http::request::Parts>,
        view: Rc<ClientView>,
        checked: &Checked,
    ) -> Self {
        Self::of(Asked::Parts(head), view, checked)
    }

    fn of(asked: Asked, view: Rc<ClientView>, checked: &Checked) -> Self {
        let Evidence { body, verdict, .. } = checked.evidence.clone();
        Self {
            asked,
            view,
            proof: checked.proof().cloned(),
            body,
            verdict,
            leaving: None,
            until: None,
        }
    }

    /// Only until this moment, and as long as it takes a round to see that it has come.
    pub(in crate::proxy) fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// There is an answer, and what goes on behind it (a tunnel) may take its time.
    pub(in crate::proxy) fn is_answered(&mut self) {
        self.until = None;
    }

    /// Judges again, by the snapshot that is in force and at this moment.
    ///
    /// # Errors
    /// Why the request may not go on.
    pub(in crate::proxy) fn judge_again(
        &mut self,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        now: Instant,
    ) -> Result<(), Withdrawal> {
        if self.until.is_some_and(|until| now >= until) {
            return Err(Withdrawal::of(&Refusal::RequestTime(Slow::Upstream)));
        }
        let in_force = in_force(shared);
        let snapshot = &in_force.snapshot;
        let view = self.asked.view(client, snapshot, now);
        // The same view is the same snapshot and the same client, so the judgement would be the same.
        if Rc::ptr_eq(&view, &self.view) && self.proof.is_none() && !snapshot.changes_with_time {
            return Ok(());
        }
        // Whoever spoke for another must not go on in its own name.
        let is_own =
            view.forwarded_by().is_none() && !matches!(view.standing, Standing::Refused(_));
        if is_own && self.view.forwarded_by().is_some() && view.client().is_some() {
            return Err(Withdrawal::of(&Refusal::Forwarded(
                ForwardedRefusal::NotAFrontProxy,
            )));
        }
        let presented = self
            .proof
            .as_ref()
            .map_or(Presented::Nothing, |proof| still_presented(snapshot, proof));
        match view.client() {
            Some(client) => {
                let evidence = Evidence {
                    presented,
                    body: self.body.clone(),
                    verdict: self.verdict.clone(),
                };
                self.asked.judge(snapshot, client, &evidence)?;
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

    /// A listener that goes lets what is under way finish, as at a drain and no longer; but not for a user who is gone, or
    /// by a certificate or proof that does not stand any more.
    fn without_listener(
        &mut self,
        snapshot: &Snapshot,
        client: &ConnectedClient,
        now: Instant,
    ) -> Result<(), Withdrawal> {
        if snapshot.listeners.contains_key(&client.listener) {
            return Err(Withdrawal::of(&Refusal::ListenerGone));
        }
        if self
            .user()
            .is_some_and(|user| snapshot.users.named(&user.name).is_none())
        {
            return Err(Withdrawal::of(&Refusal::UnknownUser));
        }
        if let Some(reason) = client.refused_without_listener(snapshot, &self.view) {
            return Err(Withdrawal::of(&Refusal::CertificateRefused(reason)));
        }
        if let Some(Presented::Failed(why)) = self
            .proof
            .as_ref()
            .map(|proof| still_presented(snapshot, proof))
        {
            return Err(Withdrawal::of(&Refusal::Credential(
                why,
                CredentialRule::default(),
            )));
        }
        let since = *self.leaving.get_or_insert(now);
        if now.saturating_duration_since(since) > snapshot.process.drain_deadline {
            return Err(Withdrawal::of(&Refusal::ListenerGone));
        }
        Ok(())
    }

    /// Ready when a round finds that the request may not go on.
    pub(in crate::proxy) fn poll_withdrawn(
        &mut self,
        context: &mut Context<'_>,
        rounds: &mut RoundWatch,
        (shared, client): (&Arc<Shared>, &ConnectedClient),
    ) -> Poll<Withdrawal> {
        if !rounds.poll_begun(context) {
            return Poll::Pending;
        }
        match self.judge_again(shared, client, Instant::now()) {
            Ok(()) => Poll::Pending,
            Err(withdrawal) => Poll::Ready(withdrawal),
        }
    }
}

impl Asked {
    /// Who asks, as this snapshot sees it.
    fn view(
        &self,
        client: &ConnectedClient,
        snapshot: &Arc<Snapshot>,
        now: Instant,
    ) -> Rc<ClientView> {
        let view = client.view(snapshot, now);
        if !view.voice.is_for_others() {
            return view;
        }
        match self {
            Self::Octets(octets) => match parse_head(octets, &mut field_space()) {
                Ok(Some(head)) => client.speaking(view, head.fields, (snapshot, now)),
                // Then it is not judged either.
                _ => view,
            },
            Self::Parts(head) => client.speaking(view, &head.headers, (snapshot, now)),
        }
    }

    fn judge(
        &self,
        snapshot: &Snapshot,
        client: Client<'_>,
        evidence: &Evidence,
    ) -> Result<(), Withdrawal> {
        match self {
            Self::Octets(octets) => {
                let mut space = field_space();
                let Ok(Some(head)) = parse_head(octets, &mut space) else {
                    return Err(Withdrawal::of(&Refusal::Internal(
                        "a head that could be read cannot be read again",
                    )));
                };
                let (method, target, fields) = (head.method, head.target, head.fields);
                let asked = RequestHead {
                    method,
                    target,
                    authority: None,
                    fields,
                };
                still_permitted(decide_with(snapshot, client, evidence, &asked).decision)
            }
            Self::Parts(head) => {
                let asked = RequestHead {
                    method: head.method.as_str(),
                    target: head
                        .uri
                        .path_and_query()
                        .map_or("", |target| target.as_str()),
                    authority: head.uri.authority().map(|authority| authority.as_str()),
                    fields: &head.headers,
                };
                still_permitted(decide_with(snapshot, client, evidence, &asked).decision)
            }
        }
    }
}

/// Evidence is not gathered again for an open request: what a new config needs beyond it withdraws the permit.
fn still_permitted(decision: Decision<'_>) -> Result<(), Withdrawal> {
    match decision.into_result() {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Withdrawal::of(&refusal)),
    }
}

/// Ends when a right is withdrawn.
pub(in crate::proxy) async fn withdrawn(
    right: &mut Right,
    rounds: &mut RoundWatch,
    whose: (&Arc<Shared>, &ConnectedClient),
) -> Withdrawal {
    poll_fn(|context| right.poll_withdrawn(context, rounds, whose)).await
}
