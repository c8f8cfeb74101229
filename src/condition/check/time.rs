//! Checks functions about time: their literals and time zones are parsed once.

use super::super::calendar::{DatePart, read_span, read_time, read_zone};
use super::super::error::ConditionError;
use super::super::tree::CelNode;
use super::super::value::{CelKind, CelValue};
use super::{Checker, Typed, literal_text, with_article};
use cel::IdedExpr;

impl Checker<'_> {
    pub(super) fn timestamp(&mut self, argument: &IdedExpr) -> Result<Typed, ConditionError> {
        let time = literal_text(argument).and_then(read_time).ok_or_else(|| {
            let hint = "write it as in: timestamp(\"2026-12-31T23:59:59Z\")";
            let message = "timestamp() needs a literal time in RFC 3339 form".to_owned();
            self.error(self.start_of(argument), message, hint)
        })?;
        Ok(Typed {
            kind: CelKind::TIME,
            node: CelNode::Constant(CelValue::Time(time)),
        })
    }

    pub(super) fn duration(&mut self, argument: &IdedExpr) -> Result<Typed, ConditionError> {
        let span = literal_text(argument).and_then(read_span).ok_or_else(|| {
            let hint = "write it as in: duration(\"90s\") or duration(\"1h30m\"); units are h, m, s, ms, us, ns";
            let message = "duration() needs a literal with numbers and units".to_owned();
            self.error(self.start_of(argument), message, hint)
        })?;
        Ok(Typed {
            kind: CelKind::SPAN,
            node: CelNode::Constant(CelValue::Span(span)),
        })
    }

    pub(super) fn calendar(
        &mut self,
        name: &str,
        part: DatePart,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let time = self.expression(target)?;
        if time.kind != CelKind::TIME {
            let message = format!(
                "`{name}` needs a timestamp, and this is {}",
                with_article(time.kind)
            );
            return Err(self.error(
                self.start_of(target),
                message,
                "write it as in: now.getHours(\"UTC\")",
            ));
        }
        let offset = match arguments {
            [] => 0,
            [zone] => literal_text(zone).and_then(read_zone).ok_or_else(|| {
                let hint = "write \"UTC\" or a fixed offset such as \"+02:00\"; names such as \"Europe/Berlin\" are not supported";
                self.error(self.start_of(zone), "this is not a time zone".to_owned(), hint)
            })?,
            [_, more, ..] => {
                let message = format!("`{name}` takes only a time zone");
                return Err(self.error(self.start_of(more), message, "write it as in: now.getHours(\"UTC\")"));
            }
        };
        Ok(Typed {
            kind: CelKind::INT,
            node: CelNode::Calendar(part, offset, Box::new(time.node)),
        })
    }
}
