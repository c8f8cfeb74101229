//! The open requests on one HTTP/2 connection. The task of the connection rechecks them, since a stream whose client
//! reads nothing is not polled. Closes nothing.

use super::super::Shared;
use super::super::active_snapshot::active_snapshot;
use super::super::client::ConnectedClient;
use super::super::request::ClientIdentity;
use super::{LivePermit, RecheckWatch};
use crate::clock;
use crate::respond::{Rejection, Withdrawal};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A stream that was cut ends in far less, unless its client reads nothing.
const TIME_TO_END: Duration = Duration::from_millis(200);

/// The open requests on one connection, and the recheck of their permits.
pub(in crate::proxy) struct OpenExchanges {
    rounds: RefCell<RecheckWatch>,
    all: RefCell<Vec<Weak<OpenExchange>>>,
}

/// One open request.
pub(in crate::proxy) struct OpenExchange {
    permit: RefCell<LivePermit>,
    withdrawn: Cell<Option<(Withdrawal, Instant)>>,
    task: RefCell<Option<Waker>>,
    /// The request is open for so long that a recheck has woken its task. Only then it needs a timer for its upstream.
    /// Rechecks are frequent enough for [`LONG_TIMEOUT`](crate::upstream::LONG_TIMEOUT).
    has_been_woken: Cell<bool>,
}

/// The result of the recheck of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum RecheckResult {
    /// All open requests are still permitted.
    Permitted,
    /// A permit was withdrawn. The connection takes no new request.
    Withdrawn,
    /// The client is rejected.
    ClientRejected(Withdrawal),
    /// A request that was cut earlier has not ended: its client reads nothing, and must not read the rest later.
    Stuck,
}

impl OpenExchanges {
    /// Without open requests. The connection of a rejected client is closed in this case, too.
    pub(in crate::proxy) fn new() -> Self {
        let mut rounds = RecheckWatch::new();
        rounds.set_resting();
        // The handshake may have used another snapshot.
        rounds.recheck_at_once();
        Self {
            rounds: RefCell::new(rounds),
            all: RefCell::default(),
        }
    }

    /// Adds a permitted request. It is open while the value is held.
    pub(in crate::proxy) fn begin(&self, permit: LivePermit) -> Rc<OpenExchange> {
        let exchange = Rc::new(OpenExchange {
            permit: RefCell::new(permit),
            withdrawn: Cell::new(None),
            task: RefCell::default(),
            has_been_woken: Cell::new(false),
        });
        let mut all = self.all.borrow_mut();
        if all.len() == all.capacity() {
            // Many short requests between two rechecks must not accumulate.
            all.retain(|exchange| exchange.strong_count() > 0);
        }
        all.push(Rc::downgrade(&exchange));
        self.rounds.borrow_mut().add_request();
        exchange
    }

    /// Ends when a round begins.
    pub(in crate::proxy) async fn round(&self) {
        poll_fn(
            |context| match self.rounds.borrow_mut().poll_round(context) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            },
        )
        .await;
    }

    /// Rechecks all open requests, and wakes the tasks of those that lost their permit.
    pub(in crate::proxy) fn recheck(
        &self,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
    ) -> RecheckResult {
        let now = clock::now();
        let mut stuck = false;
        let mut any_cut = false;
        let mut woken = Vec::new();
        let mut all = self.all.borrow_mut();
        all.retain(|exchange| {
            let Some(exchange) = exchange.upgrade() else {
                return false;
            };
            if let Some((_, since)) = exchange.withdrawn.get() {
                stuck |= now.saturating_duration_since(since) > TIME_TO_END;
                return true;
            }
            let result = exchange.permit.borrow_mut().recheck(shared, client, now);
            if let Err(withdrawal) = result {
                exchange.withdrawn.set(Some((withdrawal, now)));
                // A request that exceeded its time limit does not affect later requests.
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
        // A waker can call this object, so nothing may be borrowed.
        drop(all);
        woken.into_iter().for_each(Waker::wake);
        let mut rounds = self.rounds.borrow_mut();
        if nothing_open {
            rounds.set_resting();
        } else {
            rounds.set_long_running();
        }
        match self.rejected_client(shared, client, now) {
            _ if stuck => RecheckResult::Stuck,
            Some(withdrawal) => RecheckResult::ClientRejected(withdrawal),
            None if any_cut => RecheckResult::Withdrawn,
            None => RecheckResult::Permitted,
        }
    }

    /// Why the client is rejected, if it is.
    fn rejected_client(
        &self,
        shared: &Arc<Shared>,
        client: &ConnectedClient,
        now: Instant,
    ) -> Option<Withdrawal> {
        let view = client.view(&active_snapshot(shared).snapshot, now);
        match (&view.identity, view.client()) {
            (_, None) => Some(Withdrawal::of(&Rejection::ListenerGone)),
            (ClientIdentity::Refused(reason), _) => {
                Some(Withdrawal::of(&Rejection::CertificateRefused(*reason)))
            }
            _ => None,
        }
    }
}

impl OpenExchange {
    /// Why the permit was withdrawn, if it was.
    pub(in crate::proxy) fn withdrawn(&self) -> Option<Withdrawal> {
        self.withdrawn.get().map(|(withdrawal, _)| withdrawal)
    }

    /// Ready when the permit is withdrawn.
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
}
