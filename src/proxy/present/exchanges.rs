//! The requests under way on one connection of hyper's. The connection's task looks after their rights, since a stream
//! whose client takes nothing is not polled and could not do so itself. Closes nothing.

use super::super::Shared;
use super::super::client::ConnectedClient;
use super::super::in_force::in_force;
use super::super::request::Standing;
use super::{Right, RoundWatch};
use crate::clock;
use crate::respond::{Refusal, Withdrawal};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A stream that was cut ends in far less, unless its client takes nothing.
const TIME_TO_END: Duration = Duration::from_millis(200);

/// See the module.
pub(in crate::proxy) struct OpenExchanges {
    rounds: RefCell<RoundWatch>,
    all: RefCell<Vec<Weak<OpenExchange>>>,
    at_rest: AtRest,
}

/// Whether a connection without a request is told that its client does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtRest {
    Told,
    /// It learns so with its next request.
    Left,
}

/// One request under way.
pub(in crate::proxy) struct OpenExchange {
    /// `None` once somebody else looks after it.
    right: RefCell<Option<Right>>,
    withdrawn: Cell<Option<(Withdrawal, Instant)>>,
    task: RefCell<Option<Waker>>,
    /// It has been under way for so long that a look has woken its task: only then does it need a timer for its upstream.
    /// Looks come often enough for [`LONG_TIMEOUT`](crate::upstream::LONG_TIMEOUT).
    has_been_woken: Cell<bool>,
}

/// What a look at a connection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Look {
    /// All stands.
    Fine,
    /// A request was cut; nothing new comes on this connection.
    OneCut,
    /// The client does not count any more.
    ClientGone(Withdrawal),
    /// What was cut has not ended since the last look: its client takes nothing, and must not find the rest later.
    Stuck,
}

impl OpenExchanges {
    /// For HTTP/2: a client that does not count any more is told goodbye also when it is silent.
    pub(in crate::proxy) fn for_http2() -> Self {
        let mut rounds = RoundWatch::new();
        rounds.rest();
        // The handshake may have been made under another snapshot.
        rounds.look_at_once();
        Self {
            rounds: RefCell::new(rounds),
            all: RefCell::default(),
            at_rest: AtRest::Told,
        }
    }

    /// For HTTP/1.1.
    pub(in crate::proxy) fn for_http1() -> Self {
        Self {
            rounds: RefCell::new(RoundWatch::new()),
            all: RefCell::default(),
            at_rest: AtRest::Left,
        }
    }

    /// A permitted request is under way for as long as the value is held.
    pub(in crate::proxy) fn begin(&self, right: Right) -> Rc<OpenExchange> {
        let exchange = Rc::new(OpenExchange {
            right: RefCell::new(Some(right)),
            withdrawn: Cell::new(None),
            task: RefCell::default(),
            has_been_woken: Cell::new(false),
        });
        let mut all = self.all.borrow_mut();
        if all.len() == all.capacity() {
            // Many short requests between two looks must not pile up.
            all.retain(|exchange| exchange.strong_count() > 0);
        }
        all.push(Rc::downgrade(&exchange));
        self.rounds.borrow_mut().one_more();
        exchange
    }

    /// Ends when a round begins.
    pub(in crate::proxy) async fn round(&self) {
        poll_fn(
            |context| match self.rounds.borrow_mut().poll_begun(context) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            },
        )
        .await;
    }

    /// Judges all that is under way again, and tells those that may not go on.
    pub(in crate::proxy) fn look(&self, shared: &Arc<Shared>, client: &ConnectedClient) -> Look {
        let now = clock::now();
        let (mut stuck, mut any_cut, mut woken) = (false, false, Vec::new());
        let mut all = self.all.borrow_mut();
        all.retain(|exchange| {
            let Some(exchange) = exchange.upgrade() else {
                return false;
            };
            if let Some((_, since)) = exchange.withdrawn.get() {
                stuck |= now.saturating_duration_since(since) > TIME_TO_END;
                return true;
            }
            let mut right = exchange.right.borrow_mut();
            let verdict = right
                .as_mut()
                .map_or(Ok(()), |right| right.judge_again(shared, client, now));
            drop(right);
            if let Err(withdrawal) = verdict {
                exchange.withdrawn.set(Some((withdrawal, now)));
                // One that took too long says nothing about those that follow.
                any_cut |= !withdrawal.is_late();
                woken.extend(exchange.task.take());
            } else if !exchange.has_been_woken.get()
                && let Some(task) = exchange.task.take()
            {
                exchange.has_been_woken.set(true);
                woken.push(task);
            }
            true
        });
        let nothing_open = all.is_empty();
        // Nobody is woken while something is borrowed.
        drop(all);
        woken.into_iter().for_each(Waker::wake);
        let mut rounds = self.rounds.borrow_mut();
        match self.at_rest {
            AtRest::Told if nothing_open => rounds.rest(),
            AtRest::Left if nothing_open => rounds.end(),
            _ => rounds.lasts(),
        }
        match self.client(shared, client, now) {
            _ if stuck => Look::Stuck,
            Some(withdrawal) => Look::ClientGone(withdrawal),
            None if any_cut => Look::OneCut,
            None => Look::Fine,
        }
    }

    /// Why the client does not count any more, where it is to be told so.
    fn client(
        &self,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        now: Instant,
    ) -> Option<Withdrawal> {
        if self.at_rest == AtRest::Left {
            return None;
        }
        let view = client.view(&in_force(shared).snapshot, now);
        match (&view.standing, view.client()) {
            (_, None) => Some(Withdrawal::of(&Refusal::ListenerGone)),
            (Standing::Refused(reason), _) => {
                Some(Withdrawal::of(&Refusal::CertificateRefused(*reason)))
            }
            _ => None,
        }
    }
}

impl OpenExchange {
    /// Why it may not go on, if so.
    pub(in crate::proxy) fn withdrawn(&self) -> Option<Withdrawal> {
        self.withdrawn.get().map(|(withdrawal, _)| withdrawal)
    }

    /// Ready when it may not go on.
    pub(in crate::proxy) fn poll_withdrawn(&self, context: &mut Context<'_>) -> Poll<Withdrawal> {
        if let Some(withdrawal) = self.withdrawn() {
            return Poll::Ready(withdrawal);
        }
        let known = self
            .task
            .borrow()
            .as_ref()
            .is_some_and(|task| task.will_wake(context.waker()));
        if !known {
            let before = self.task.replace(Some(context.waker().clone()));
            drop(before);
        }
        Poll::Pending
    }

    /// From now on somebody else looks after it.
    pub(in crate::proxy) fn take_right(&self) -> Option<Right> {
        self.right.take()
    }
}
