//! Assembly of routes with a preset, and checks of keys that contradict it.

use super::Assembly;
use crate::config::{self, ClientAuth, Forbidden, MethodOverride, Place, Preset, Spanned};
use crate::route::{Oddities, PathPattern, RequirementRule, Segment, icinga2};

impl Assembly<'_> {
    /// The requirement of a route with a preset. `None` if other keys contradict the preset, which is reported.
    pub(super) fn preset(
        &self,
        entry: &config::RouteEntry,
        preset: &Spanned<Preset>,
        pattern: &PathPattern,
    ) -> Option<RequirementRule> {
        let Preset::Icinga2 = preset.value;
        let place = preset.place;
        let mut is_valid = true;
        let mut report = |place: Place, message: &str, hint: &str| {
            self.problems.error(place, message, hint);
            is_valid = false;
        };
        if entry.requirement.is_some() {
            let message =
                "a route has both `preset` and `requirement`, but the preset says what is required";
            report(
                place,
                message,
                "keep one; for a path of its own requirement, write a route of its own",
            );
        }
        if let Some(respond) = &entry.respond {
            let message = "a route with a preset leads to an upstream";
            report(
                respond.place,
                message,
                "write `respond` on a route of its own, such as `path = \"/v1\"`",
            );
        }
        if let Some(open) = entry
            .client_auth
            .as_ref()
            .filter(|auth| auth.value != ClientAuth::Required)
        {
            let message = "a route with a preset lets in ApiUsers only";
            report(open.place, message, "remove `client_auth` from this route");
        }
        if let Some(method_override) = &entry.method_override {
            let message = "the preset says what an overriding method means";
            report(method_override.place, message, "remove `method_override`");
        }
        let first = pattern.segments.first();
        let is_below = first.is_none_or(|first| *first == Segment::Literal("v1".to_owned()));
        if !is_below || pattern.captures().next().is_some() {
            let message = "the preset knows the paths of Icinga's API, which begin with `/v1` and have no captures here";
            report(
                entry.path.as_ref().map_or(place, |path| path.place),
                message,
                "write `path = \"/\"` or `path = \"/v1\"`",
            );
        }
        is_valid.then_some(RequirementRule::Icinga2)
    }

    /// The path oddities that a route accepts.
    pub(super) fn accepted_oddities(&self, entry: &config::RouteEntry) -> Oddities {
        let mut accepts = entry
            .preset
            .as_ref()
            .map_or_else(Oddities::default, |_| icinga2::accepted_oddities());
        let relaxations = entry
            .path_relaxations
            .iter()
            .filter_map(|relaxation| Oddities::from_word(relaxation.value));
        relaxations.for_each(|oddity| accepts.insert(oddity));
        accepts
    }
}

/// Handling of method overrides on a route.
pub(super) fn method_override(entry: &config::RouteEntry) -> MethodOverride {
    let configured = || {
        entry
            .method_override
            .as_ref()
            .map_or(MethodOverride::Refuse, |setting| setting.value)
    };
    entry
        .preset
        .as_ref()
        .map_or_else(configured, |_| MethodOverride::AsIcinga)
}

/// Response to ApiUsers without the permission on a route.
pub(super) fn forbidden(entry: &config::RouteEntry) -> Forbidden {
    entry
        .forbidden
        .as_ref()
        .map_or_else(Forbidden::default, |setting| setting.value)
}
