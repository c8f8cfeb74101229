//! What the config says of routes and upstreams whose API the gateway knows, and of methods that stand in fields. Knows nothing of
//! the API itself.

/// An API that the gateway knows: on a route its requirements, of an upstream its manners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Icinga 2's.
    Icinga2,
}

/// What ApiUsers are told where they have no right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forbidden {
    /// That they have none: 403.
    #[default]
    Told,
    /// What Icinga 2 says of a path that is not there: 404.
    Absent,
}

/// What happens to `X-HTTP-Method-Override` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodOverride {
    /// 400.
    Refuse,
    /// The overriding method is the one that is judged, logged and forwarded.
    Judge,
    /// The same by Icinga's rules, which ignore what they do not know; comes with the preset.
    AsIcinga,
}
