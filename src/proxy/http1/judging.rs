//! A head, judged by the one judgement, and rendered for the upstream where that permits it; or the answer of our own. Sends
//! nothing.

use super::outcome::{Begun, Own, OwnBody, Unchecked};
use super::render::{Forwarding, Said, Up, forwarding};
use super::{Elsewhere, Keep, Rest};
use crate::forward::{
    BadUpgrade, ClientAddress, Framing, HttpVersion, ParsedHead, Upgrade, requested_upgrade,
};
use crate::head::RequestHead;
use crate::proxy::account::account;
use crate::proxy::asking::Asker;
use crate::proxy::client::ConnectedClient;
use crate::proxy::connection_facts::ConnectionFacts;
use crate::proxy::credentials::{Checked, JudgingBy, Looked, Wanted, wanted};
use crate::proxy::limits;
use crate::proxy::own_answer::own_answer;
use crate::proxy::present::Right;
use crate::proxy::record::Record;
use crate::proxy::request::{DecisionRounds, Need, RequestDecision, decide_with};
use crate::proxy::{RequestId, Shared};
use crate::respond::{Consequence, Form, OwnAnswer, Refusal, refuse};
use crate::route::{Admission, Target};
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// What the judgement needs beside the head.
pub(super) struct Asking<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) facts: &'a Rc<ConnectionFacts>,
    pub(super) client: &'a ConnectedClient,
    pub(super) address: &'a ClientAddress,
    /// The octets of the head.
    pub(super) octets: &'a [u8],
    /// When the head was here.
    pub(super) now: Instant,
    /// The evidence of earlier rounds.
    pub(super) looked: Option<&'a Looked>,
    pub(super) request_id: RequestId,
    pub(super) rounds: DecisionRounds,
}

/// Judges a head. Gives what it leads to, and how long its body is.
pub(super) fn judged(
    asking: &Asking<'_>,
    head: &ParsedHead<'_, '_>,
    place: &mut Option<Forwarding>,
) -> (Begun, Framing) {
    let begun = match head {
        ParsedHead {
            version: HttpVersion::Http10,
            ..
        } => Begun::Elsewhere(Elsewhere::Http10),
        ParsedHead { target, .. } if !target.starts_with('/') => {
            Begun::Elsewhere(Elsewhere::TargetForm)
        }
        _ => {
            // What was found may have taken a while.
            let now = asking
                .looked
                .map_or(asking.now.into_std(), |_| std::time::Instant::now());
            let by = JudgingBy::at(asking.shared, asking.client, head.fields, now);
            let checked = asking.looked.map_or_else(Checked::default, |looked| {
                looked.counted(&by.in_force.snapshot)
            });
            Judging {
                asking,
                head,
                by: &by,
                checked: &checked,
            }
            .judge(place)
        }
    };
    (begun, head.framing)
}

struct Judging<'a> {
    asking: &'a Asking<'a>,
    head: &'a ParsedHead<'a, 'a>,
    by: &'a JudgingBy,
    checked: &'a Checked,
}

impl Judging<'_> {
    fn judge(&self, place: &mut Option<Forwarding>) -> Begun {
        let Some(client) = self.by.view.client() else {
            return self.own(self.record(), &Refusal::ListenerGone);
        };
        let head = RequestHead {
            method: self.head.method,
            target: self.head.target,
            authority: None,
            fields: self.head.fields,
        };
        let snapshot = &self.by.in_force.snapshot;
        let decided = decide_with(snapshot, client, &self.checked.evidence, &head);
        let mut rounds = self.asking.rounds;
        match rounds.next_need(&decided.decision) {
            Some(Need::Body) => Begun::Elsewhere(Elsewhere::BodyDecides),
            Some(need) => match self.wanted(need, &decided) {
                Some(wanted) => self.undecided(wanted, rounds),
                None => self.carry_out(decided, place),
            },
            None => self.carry_out(decided, place),
        }
    }

    /// Where the evidence comes from that the decision needs.
    fn wanted(&self, need: Need, decided: &RequestDecision<'_, '_>) -> Option<Wanted> {
        let asker = Asker {
            client: self.asking.client,
            facts: self.asking.facts,
            protocol: "HTTP/1.1",
            request_id: &self.asking.request_id,
        };
        wanted(
            need,
            decided,
            self.head.fields,
            self.by,
            self.checked,
            asker,
        )
    }

    fn undecided(&self, wanted: Wanted, rounds: DecisionRounds) -> Begun {
        let judging = JudgingBy {
            in_force: self.by.in_force.clone(),
            view: self.by.view.clone(),
        };
        let request_id = self.asking.request_id;
        Begun::Unchecked(Box::new(Unchecked {
            wanted,
            judging,
            request_id,
            rounds,
        }))
    }

    /// Answers the request, or renders it for the upstream, as was decided.
    fn carry_out(&self, decided: RequestDecision<'_, '_>, place: &mut Option<Forwarding>) -> Begun {
        let mut record = self.record();
        record.decided(&decided, &self.by.in_force);
        let RequestDecision {
            method,
            target,
            route,
            decision,
            ..
        } = decided;
        let permit = match decision.into_result() {
            Ok(permit) => permit,
            Err(refusal) => return self.own(record, &refusal),
        };
        let (Some(route), Some(target)) = (route, &target) else {
            return self.own(record, &Refusal::Internal("a permit without a route"));
        };
        let announced = match self.head.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let user = self.checked.user(&self.by.view);
        let snapshot = &self.by.in_force.snapshot;
        let allowance = match limits::take(&mut record, snapshot, (&**route, user), announced) {
            Ok(allowance) => allowance,
            Err(refusal) => return self.own(record, &refusal),
        };
        let route_here = self.by.in_force.route(self.asking.facts, route);
        let Some(upstream) = route_here.upstream.clone() else {
            return self.own_answer(record, &route.target, method);
        };
        let upgrade = match self.upgrade(method) {
            Ok(upgrade) => upgrade,
            Err(bad) => return self.own(record, &Refusal::Upgrade(bad)),
        };
        let up = Up {
            permit: &permit,
            route,
            method,
            target,
            upstream,
            allowance,
            upgrade,
        };
        let said = self.going_up(&up);
        *place = Some(forwarding(record, up, said));
        Begun::Forward
    }

    /// A body would run into the tunnel.
    fn upgrade(&self, method: &str) -> Result<Upgrade, BadUpgrade> {
        match self.head.framing {
            Framing::Length(0) => requested_upgrade(method, self.head.fields),
            Framing::Length(_) | Framing::Chunked => Ok(Upgrade::None),
        }
    }

    /// All that is needed for what goes up.
    fn going_up<'a>(&'a self, up: &Up<'a>) -> Said<'a> {
        let Asking {
            client,
            facts,
            octets,
            address,
            ..
        } = *self.asking;
        let snapshot = &self.by.in_force.snapshot;
        // What may not be told on this route is not even looked up.
        let told = (up.route.admission != Admission::Public).then_some(&*self.by.view);
        let identity =
            told.map(|view| client.identity(view, self.checked, (&up.upstream, snapshot)));
        let preface = client.preface(told, self.checked, (&up.upstream, snapshot, facts));
        let right =
            Right::of_octets(octets, self.by.view.clone(), self.checked).until(up.allowance.until);
        let whose = (&*self.by.view, self.checked);
        let account = account(up.upstream.accounts.as_deref(), up.route.admission, whose).cloned();
        let policy = snapshot.field_policy(up.route);
        Said {
            head: self.head,
            identity,
            address,
            preface,
            right,
            checked: self.checked,
            policy,
            account,
        }
    }

    fn record(&self) -> Record {
        let version = self.by.in_force.snapshot.version();
        let said = (self.head.method, self.head.target);
        let mut record = Record::new(
            self.asking.facts.clone(),
            "HTTP/1.1",
            version,
            self.asking.request_id,
            said,
        )
        .begun_at(self.asking.now.into_std());
        record.client_is(self.by.view.clone());
        record.showed(self.checked);
        record
    }

    fn own(&self, mut record: Record, refusal: &Refusal<'_>) -> Begun {
        record.failed(refusal);
        let answer = refuse(
            refusal,
            Form::of_accept(self.head.fields),
            record.request_id(),
        );
        let keep = match refusal.consequence() {
            Consequence::None => Keep::of_request(self.head),
            Consequence::SharedBytesEnd | Consequence::ConnectionEnds => Keep::Close,
        };
        self.answered(record, answer, keep)
    }

    fn own_answer(&self, record: Record, target: &Target, method: &str) -> Begun {
        let form = Form::of_accept(self.head.fields);
        match own_answer(
            target,
            method,
            &self.by.in_force.snapshot,
            (&self.by.view, self.checked),
            form,
        ) {
            Some(Ok(answer)) => self.answered(record, answer, Keep::of_request(self.head)),
            Some(Err(refusal)) => self.own(record, &refusal),
            None => self.own(record, &Refusal::Internal("a route without its upstream")),
        }
    }

    fn answered(&self, record: Record, answer: OwnAnswer, keep: Keep) -> Begun {
        let body = if self.head.method == "HEAD" {
            OwnBody::Announced
        } else {
            OwnBody::Shown
        };
        Begun::Own(Box::new(Own {
            record,
            answer,
            keep,
            body,
            rest: Rest::Nothing,
        }))
    }
}
