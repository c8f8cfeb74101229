//! Assembly of conditions, expiry times (`enabled_until`) and requirements.

use super::{Assembly, ConditionUse};
use crate::clock::{self, rfc3339};
use crate::condition::{Condition, Input};
use crate::config::{self, PermissionEntry, Spanned};
use crate::forward::may_be_decision_field;
use crate::route::{Demand, PathPattern, RequirementRule, Template};
use crate::tls::ExtendedKeyUsagePolicy;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A condition, if there is one. `Err` if it is invalid, which was reported.
pub(super) type ParsedCondition = Result<Option<Condition>, ()>;

impl Assembly<'_> {
    /// The condition of a route with these captures.
    pub(super) fn condition(
        &self,
        condition: Option<&Spanned<String>>,
        captures: &[&str],
    ) -> ParsedCondition {
        let Some(text) = condition else {
            return Ok(None);
        };
        match Condition::compile(&text.value) {
            Ok(condition) => {
                let unknown = condition
                    .reads()
                    .captures()
                    .iter()
                    .find(|name| !captures.contains(&&***name));
                if let Some(name) = unknown {
                    let message =
                        format!("the condition cannot be used: there is no capture `{name}`");
                    self.problems.error(
                        text.place,
                        message,
                        self.known("captures", captures.iter()),
                    );
                    return Err(());
                }
                self.add_condition_headers(text, &condition)?;
                self.conditions.set(ConditionUse {
                    any: true,
                    time: self.conditions.get().time || condition.reads().has(Input::Time),
                });
                Ok(Some(condition))
            }
            Err(error) => {
                let before = |offset| {
                    text.value
                        .get(..offset)
                        .map_or(offset, |before| before.chars().count())
                };
                let at = error
                    .offset
                    .map(|offset| format!(" (character {})", before(offset) + 1));
                let at = at.unwrap_or_default();
                self.problems.error(
                    text.place,
                    format!("the condition cannot be used: {error}{at}"),
                    error.hint,
                );
                Err(())
            }
        }
    }

    /// Records the header fields that a condition reads. Fields that the gateway removes or writes are an error: a
    /// condition must evaluate what the upstream receives.
    fn add_condition_headers(
        &self,
        text: &Spanned<String>,
        condition: &Condition,
    ) -> Result<(), ()> {
        for name in condition.reads().headers() {
            let is_kept = || {
                let kept = self
                    .config
                    .routes
                    .iter()
                    .flat_map(|route| &route.keep_headers);
                kept.into_iter()
                    .any(|kept| kept.value.eq_ignore_ascii_case(name))
            };
            if !may_be_decision_field(name) && !is_kept() {
                let message = format!(
                    "the condition cannot be used: the gateway removes `{name}` from requests, or writes it itself"
                );
                let hint = match &**name {
                    "host" => "write `request.host`",
                    "x-forwarded-for" | "x-real-ip" | "forwarded" => {
                        "write `source`, which is the client's address"
                    }
                    _ => {
                        "ask for `user`, `certificate` or `source`, which are verified, or for another field"
                    }
                };
                self.problems.error(text.place, message, hint);
                return Err(());
            }
            self.decision_fields.borrow_mut().add_decision_field(name);
        }
        Ok(())
    }

    /// The condition of a permission, which may read the captures of any route.
    pub(super) fn condition_of(&self, entry: &PermissionEntry) -> ParsedCondition {
        let paths = self
            .config
            .routes
            .iter()
            .filter_map(|route| route.path.as_ref());
        let segments = paths.flat_map(|path| path.value.split('/'));
        let captures = segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let when = entry
            .qualifiers
            .as_ref()
            .and_then(|qualifiers| qualifiers.when.as_ref());
        // Captures are collected only for a condition: few permissions have one.
        when.map_or(Ok(None), |when| {
            self.condition(Some(when), &captures.collect::<Vec<_>>())
        })
    }

    /// Last second of `enabled_until`, in Unix time. A past time is an error in a new entry. In an entry that expired
    /// while the gateway ran it is a warning, since otherwise no reload would succeed.
    pub(super) fn enabled_until(&self, owner: &str, end: Option<&Spanned<String>>) -> Option<i64> {
        let text = end?;
        let Some(until) = parse_end(&text.value) else {
            let message = format!("\"{}\" is neither a day nor a time", text.value);
            let hint =
                "write a day such as \"2027-03-31\", or a time such as \"2027-03-31T18:00:00Z\"";
            self.problems.error(text.place, message, hint);
            return Some(0);
        };
        let entry = (owner.to_owned(), until);
        if clock::signed_seconds() > until {
            let was_known = self
                .previous
                .is_some_and(|previous| previous.enabled_until.contains(&entry));
            let message = format!("{owner} is enabled until {}, which is over", rfc3339(until));
            match was_known {
                true => {
                    self.problems
                        .warning(text.place, message, "remove it, or give it more time")
                }
                false => {
                    self.problems
                        .error(text.place, message, "remove it, or give it more time")
                }
            }
        }
        self.enabled_until.borrow_mut().push(entry);
        Some(until)
    }

    pub(super) fn requirement(
        &self,
        route: &config::RouteEntry,
        pattern: &PathPattern,
    ) -> Option<RequirementRule> {
        let captures: Vec<&str> = pattern.captures().collect();
        let demand = |entry: &config::RequirementEntry| {
            let text = &entry.name;
            let condition = self.condition(entry.when.as_ref(), &captures);
            let name = Template::parse(&text.value, &captures)
                .map_err(|error| {
                    let message = format!("\"{}\" is no requirement: {error}", text.value);
                    self.problems.error(
                        text.place,
                        message,
                        "write for example \"objects/query/{type}\"",
                    );
                })
                .ok()?;
            Some(Demand {
                name,
                condition: condition.ok()?,
            })
        };
        if let Some(preset) = &route.preset {
            return self.preset(route, preset, pattern);
        }
        match &route.requirement {
            None if route.respond.is_some() => Some(RequirementRule::AnyApiUser),
            None => Some(RequirementRule::MethodAndPath),
            Some(config::RouteRequirement::All(entry)) => demand(entry).map(RequirementRule::Named),
            Some(config::RouteRequirement::ByMethod(pairs)) => {
                if pairs.is_empty() {
                    let message = "`requirement` names no method, so none would be allowed";
                    self.problems.error(
                        route.place,
                        message,
                        "write for example `requirement = { GET = \"read\" }`",
                    );
                    return None;
                }
                let read: Vec<_> = pairs
                    .iter()
                    .map(|(method, entry)| {
                        self.check_method(method);
                        demand(entry).map(|demand| (method.value.clone(), demand))
                    })
                    .collect();
                read.into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(RequirementRule::ByMethod)
            }
        }
    }

    fn check_method(&self, method: &Spanned<String>) {
        // Methods are case-sensitive, and custom ones may have lower-case letters. Standard methods are in capitals.
        let known = [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "CONNECT", "TRACE",
        ];
        let misspelt = known
            .iter()
            .any(|known| *known != method.value && known.eq_ignore_ascii_case(&method.value));
        if misspelt || http::Method::from_bytes(method.value.as_bytes()).is_err() {
            let message = format!("\"{}\" is not a method", method.value);
            self.problems.error(
                method.place,
                message,
                "methods are written in capitals: GET, POST",
            );
        }
    }
}

/// The last second, in Unix time, of a day (UTC) or of a time in RFC 3339 format.
pub(in crate::snapshot) fn parse_end(text: &str) -> Option<i64> {
    let instant = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp);
    instant.or_else(|| ExtendedKeyUsagePolicy::end_of_day(text))
}
