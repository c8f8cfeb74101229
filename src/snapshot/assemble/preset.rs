//! Routes with a preset: what the preset says of them, and what else they may not say. Knows no table of requirements.

use super::Assembly;
use crate::config::{self, ClientAuth, Forbidden, MethodOverride, Place, Preset};
use crate::route::{Oddities, PathPattern, RequirementRule, Segment, icinga2};

impl Assembly<'_> {
    /// What a route with a preset asks for; `None` if it contradicts itself.
    pub(super) fn preset(
        &self,
        said: &config::Route,
        (preset, place): (Preset, Place),
        pattern: &PathPattern,
    ) -> Option<RequirementRule> {
        let Preset::Icinga2 = preset;
        let mut is_right = true;
        let mut wrong = |place: Place, message: &str, hint: &str| {
            self.problems.error(place, message, hint);
            is_right = false;
        };
        if said.requirement.is_some() {
            let message =
                "a route has both `preset` and `requirement`, but the preset says what is required";
            wrong(
                place,
                message,
                "keep one; for a path of its own requirement, write a route of its own",
            );
        }
        if let Some(respond) = &said.respond {
            let message = "a route with a preset leads to an upstream";
            wrong(
                respond.place,
                message,
                "write `respond` on a route of its own, such as `path = \"/v1\"`",
            );
        }
        if let Some(open) = said
            .client_auth
            .as_ref()
            .filter(|auth| auth.value != ClientAuth::Required)
        {
            let message = "a route with a preset lets in ApiUsers only";
            wrong(open.place, message, "remove `client_auth` from this route");
        }
        if let Some(method_override) = &said.method_override {
            let message = "the preset says what an overriding method means";
            wrong(method_override.place, message, "remove `method_override`");
        }
        let first = pattern.segments.first();
        let is_below = first.is_none_or(|first| *first == Segment::Literal("v1".to_owned()));
        if !is_below || pattern.captures().next().is_some() {
            let message = "the preset knows the paths of Icinga's API, which begin with `/v1` and have no captures here";
            wrong(
                said.path.as_ref().map_or(place, |path| path.place),
                message,
                "write `path = \"/\"` or `path = \"/v1\"`",
            );
        }
        is_right.then_some(RequirementRule::Icinga2)
    }

    /// The oddities of paths that a route takes.
    pub(super) fn accepted_oddities(&self, said: &config::Route) -> Oddities {
        let mut accepts = said
            .preset
            .as_ref()
            .map_or_else(Oddities::default, |_| icinga2::accepted_oddities());
        let relaxed = said
            .path_relaxations
            .iter()
            .filter_map(|relaxed| Oddities::from_word(relaxed.value));
        relaxed.for_each(|oddity| accepts.insert(oddity));
        accepts
    }
}

/// What becomes of overriding methods on a route.
pub(super) fn method_override(said: &config::Route) -> MethodOverride {
    let otherwise = || {
        said.method_override
            .as_ref()
            .map_or(MethodOverride::Refuse, |said| said.value)
    };
    said.preset
        .as_ref()
        .map_or_else(otherwise, |_| MethodOverride::AsIcinga)
}

/// What ApiUsers without the right are told on a route.
pub(super) fn forbidden(said: &config::Route) -> Forbidden {
    said.forbidden
        .as_ref()
        .map_or_else(Forbidden::default, |said| said.value)
}
