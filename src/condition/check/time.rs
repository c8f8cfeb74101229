//! Functions about time: their literals are read once, and the parts of a date know their zone.

use super::super::calendar::{Part, read_span, read_time, read_zone};
use super::super::error::ConditionError;
use super::super::tree::Node;
use super::super::value::{Kind, Value};
use super::{Checker, Typed, literal_text, with_article};
use cel::IdedExpr;

impl Checker<'_> {
    pub(super) fn timestamp(&mut self, argument: &IdedExpr) -> Result<Typed, ConditionError> {
        let time = literal_text(argument).and_then(read_time).ok_or_else(|| {
            let hint = "write it as in: timestamp(\"2026-12-31T23:59:59Z\")";
            let message = "timestamp() needs a time as RFC 3339 writes it, written out".to_owned();
            self.error(self.start_of(argument), message, hint)
        })?;
        Ok(Typed {
            kind: Kind::TIME,
            node: Node::Constant(Value::Time(time)),
        })
    }

    pub(super) fn duration(&mut self, argument: &IdedExpr) -> Result<Typed, ConditionError> {
        let span = literal_text(argument).and_then(read_span).ok_or_else(|| {
            let hint = "write it as in: duration(\"90s\") or duration(\"1h30m\"); units are h, m, s, ms, us, ns";
            let message = "duration() needs numbers with units, written out".to_owned();
            self.error(self.start_of(argument), message, hint)
        })?;
        Ok(Typed {
            kind: Kind::SPAN,
            node: Node::Constant(Value::Span(span)),
        })
    }

    pub(super) fn calendar(
        &mut self,
        name: &str,
        part: Part,
        target: &IdedExpr,
        arguments: &[IdedExpr],
    ) -> Result<Typed, ConditionError> {
        let time = self.expression(target)?;
        if time.kind != Kind::TIME {
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
        let ahead = match arguments {
            [] => 0,
            [zone] => literal_text(zone).and_then(read_zone).ok_or_else(|| {
                let hint = "write \"UTC\" or a fixed distance such as \"+02:00\"; names such as \"Europe/Berlin\" are not known";
                self.error(self.start_of(zone), "this is no zone".to_owned(), hint)
            })?,
            [_, more, ..] => {
                let message = format!("`{name}` takes a zone and no more");
                return Err(self.error(self.start_of(more), message, "write it as in: now.getHours(\"UTC\")"));
            }
        };
        Ok(Typed {
            kind: Kind::INT,
            node: Node::Calendar(part, ahead, Box::new(time.node)),
        })
    }
}
