//! Presets for APIs that the gateway knows, and the handling of method overrides.

/// An API that the gateway knows. It sets the requirements of a route and the quirks of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// The API of Icinga 2.
    Icinga2,
}

/// Response to ApiUsers without the permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forbidden {
    /// 403.
    #[default]
    Told,
    /// 404, as Icinga 2 responds for an unknown path.
    Absent,
}

/// Handling of `X-HTTP-Method-Override` and similar fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodOverride {
    /// The request is rejected with 400.
    Refuse,
    /// The overriding method is authorized, logged and forwarded.
    Judge,
    /// As `Judge`, but unknown methods are ignored, as in Icinga. Set by the preset alone.
    AsIcinga,
}
