//! By what a request on hyper is judged: the snapshot, the client, and what was looked up because the judgement asked for
//! it. Judges nothing itself.

use super::ConnectionContext;
use super::content::Content;
use crate::credentials::Shown;
use crate::head::RequestHead;
use crate::limit::BodyEnd;
use crate::proxy::credentials::{Checked, JudgingBy, Looked, unchecked};
use crate::proxy::request::{Judgement, decide_by};
use crate::respond::Refusal;
use crate::route::icinga2::{EventTypes, SaidInBody};
use http::HeaderMap;
use std::time::Instant;

/// See the module.
pub(super) struct Known {
    pub(super) judging: JudgingBy,
    pub(super) checked: Checked,
}

/// What a judgement asks for.
pub(super) enum Wanted {
    /// What the request shows beside the certificate.
    Credentials(Shown),
    /// What its body says, which may be this long.
    Body(Option<u64>),
}

impl Wanted {
    /// `None` if the judgement stands as it is.
    pub(super) fn by(judgement: &Judgement<'_, '_>, fields: &HeaderMap) -> Option<Self> {
        match (&judgement.outcome, judgement.route) {
            (Err(Refusal::BodyUnread), Some(route)) => Some(Self::Body(route.limits.body_size)),
            _ => unchecked(judgement, fields).map(Self::Credentials),
        }
    }
}

impl Known {
    /// What is in force at this moment, and what was looked up as it counts by that.
    pub(super) fn at(
        context: &ConnectionContext,
        fields: &HeaderMap,
        looked: Option<&Looked>,
        body: Option<SaidInBody>,
    ) -> Self {
        let judging = JudgingBy::at(&context.shared, &context.client, fields, Instant::now());
        let mut checked = looked.map_or_else(Checked::default, |looked| looked.counted(&judging.in_force.snapshot));
        checked.evidence.body = body;
        Self { judging, checked }
    }

    /// The judgement. `None` if the listener is gone.
    pub(super) fn judge<'s: 'h, 'h>(&'s self, head: &RequestHead<'h, HeaderMap>) -> Option<Judgement<'s, 'h>> {
        let client = self.judging.view.client()?;
        Some(decide_by(&self.judging.in_force.snapshot, client, &self.checked.evidence, head))
    }

    /// Looks up what is wanted, and the body if that is wanted then. Gives by what the request is to be judged again,
    /// unless its body failed.
    pub(super) async fn look_up(
        &self,
        context: &ConnectionContext,
        head: &RequestHead<'_, HeaderMap>,
        (content, wanted): (&mut Content, Wanted),
    ) -> (Self, Result<(), BodyEnd>) {
        let fields = head.fields;
        let (looked, limit) = match wanted {
            Wanted::Body(limit) => (None, limit),
            Wanted::Credentials(shown) => {
                let source = context.facts.client.ip();
                let looked = Looked::at(&context.shared, &self.judging, shown, source).await;
                let then = Self::at(context, fields, Some(&looked), None);
                match then.judge(head).and_then(|judgement| Wanted::by(&judgement, fields)) {
                    Some(Wanted::Body(limit)) => (Some(looked), limit),
                    Some(Wanted::Credentials(_)) | None => return (then, Ok(())),
                }
            }
        };
        match content.read(limit).await {
            Ok(octets) => {
                let said = EventTypes::from_body(&octets);
                (Self::at(context, fields, looked.as_ref(), Some(said)), Ok(()))
            }
            Err(end) => (Self::at(context, fields, looked.as_ref(), None), Err(end)),
        }
    }
}
