//! The content of an explanation, with stable words: as JSON, and as text in `text`. Computes nothing.

use serde::{Deserialize, Serialize};

/// The decision about one request, with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The generation of the running gateway; `null` without one.
    pub generation: Option<u64>,
    /// The decision.
    pub decision: ExplainedDecision,
    /// The reason word, as in responses, logs and metrics.
    pub reason: String,
    /// The HTTP status of a denial; `null` if the TLS handshake fails.
    pub status: Option<u16>,
    /// The TLS alert of a failed handshake, as RFC 8446 names it.
    #[serde(default)]
    pub alert: Option<String>,
    /// Detail of the reason.
    pub detail: Option<String>,
    /// The request.
    pub request: RequestFacts,
    /// The client.
    pub client: ClientFacts,
    /// The route of the request.
    pub route: Option<RouteFacts>,
    /// The requirement of the route.
    pub requirement: Option<RequirementFacts>,
    /// The permission that decided.
    pub permission: Option<PermissionFacts>,
    /// All permissions that were checked, in order. Ends with the one that decided.
    pub tried: Vec<CheckedPermission>,
    /// Shadow mode, if it applies.
    pub shadow: Option<ShadowFacts>,
    /// Further notes.
    pub notes: Vec<Note>,
}

/// The decision about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExplainedDecision {
    /// It is permitted.
    Permit,
    /// It is permitted in shadow mode; enforcement would deny it.
    Shadow,
    /// It is denied.
    #[default]
    Refuse,
    /// An external authorizer decides. It is not asked for an explanation.
    Depends,
}

impl ExplainedDecision {
    /// The word for JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Shadow => "shadow",
            Self::Refuse => "refuse",
            Self::Depends => "depends",
        }
    }
}

/// The request of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The listener.
    pub listener: String,
    /// The method, after an override.
    pub method: String,
    /// The host, if the request names one.
    pub host: Option<String>,
    /// The canonical path, if it has one.
    pub path: Option<String>,
    /// The address of the client.
    pub source: String,
    /// The time in RFC 3339.
    pub at: String,
}

/// The client of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// The trust domain that verified the client.
    pub trust_domain: Option<String>,
    /// The ApiUser.
    pub user: Option<UserFacts>,
    /// The reason if there is none.
    pub nobody: Option<String>,
}

/// An ApiUser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFacts {
    /// The name.
    pub name: String,
    /// The place in the config.
    pub place: String,
    /// The credential: `certificate`, `password` or `token`.
    pub credential: String,
    /// The kind of certificate value that identified the user.
    pub identified_by: Option<String>,
    /// Its roles, and those within them.
    pub roles: Vec<String>,
    /// Roles from the certificate, and those within them.
    pub roles_of_certificate: Vec<String>,
    /// The end of its validity.
    pub enabled_until: Option<String>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// Host and path.
    pub name: String,
    /// The place in the config.
    pub place: String,
    /// The upstream; `null` if the gateway responds itself.
    pub upstream: Option<String>,
    /// The admission: `authorized`, `public_with_identity` or `public`.
    pub admission: String,
    /// The end of its validity.
    pub enabled_until: Option<String>,
    /// Conditions for every request: its own, then that of its requirement.
    pub conditions: Vec<ConditionFacts>,
}

/// The requirement of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementFacts {
    /// `METHOD /path`, a name, or several names.
    pub text: String,
    /// The origin of the requirement.
    pub origin: String,
}

/// A permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionFacts {
    /// The text in the config.
    pub text: String,
    /// The place in the config.
    pub place: String,
    /// The role that contains it; `null` for a user's own.
    pub role: Option<String>,
    /// The effect: `grant` or `deny`.
    pub effect: String,
}

/// A permission that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedPermission {
    /// The permission.
    pub permission: PermissionFacts,
    /// The name that it was matched against, if the request needs several.
    pub requirement: Option<String>,
    /// Whether its pattern matches.
    pub matches: bool,
    /// Whether it is in shadow mode.
    pub on_trial: bool,
    /// Its condition.
    pub condition: Option<ConditionFacts>,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionFacts {
    /// The expression.
    pub text: String,
    /// The outcome.
    pub outcome: ConditionOutcome,
    /// The error if it failed.
    pub error: Option<String>,
    /// The values that it read.
    pub values: Vec<ValueFacts>,
}

/// The outcome of a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionOutcome {
    /// It is true.
    Holds,
    /// It is false.
    DoesNotHold,
    /// Its evaluation failed. A failed condition never grants.
    Failed,
    /// It was not evaluated.
    #[default]
    NotAsked,
}

/// A value of the request that a condition read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueFacts {
    /// The name in the expression.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

/// Shadow mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowFacts {
    /// The origin of the setting: `gateway`, `api_user`, `route` or `permission`.
    pub origin: String,
    /// The reason word of the suppressed denial; `null` if there is none.
    pub hides: Option<String>,
    /// The permission in question.
    pub permission: Option<PermissionFacts>,
}

/// A note of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The topic.
    pub name: String,
    /// The text.
    pub text: String,
}
