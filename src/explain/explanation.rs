//! What an explanation says, in words that stay: as JSON, and as text in `text`. Finds nothing.

use serde::{Deserialize, Serialize};

/// What would be decided about one request, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The generation of the running gateway that was asked; `null` if none was.
    pub generation: Option<u64>,
    /// What would happen.
    pub decision: Decision,
    /// The reason in one word, as in answers, log and metrics.
    pub reason: String,
    /// The status of a denial; `null` where the TLS handshake fails.
    pub status: Option<u16>,
    /// The alert with which the TLS handshake fails, as RFC 8446 names it.
    #[serde(default)]
    pub alert: Option<String>,
    /// What else is known about the reason.
    pub detail: Option<String>,
    /// What was judged.
    pub request: RequestFacts,
    /// Who asks.
    pub client: ClientFacts,
    /// Where the request leads to.
    pub route: Option<RouteFacts>,
    /// What the route requires.
    pub requirement: Option<RequirementFacts>,
    /// The permission that decision.
    pub permission: Option<PermissionFacts>,
    /// All permissions that were looked at, in the order of looking. After the one that decided none is.
    pub tried: Vec<Tried>,
    /// Shadow mode, where it has a say.
    pub shadow: Option<ShadowFacts>,
    /// What else has a say, or is to be known.
    pub notes: Vec<Note>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It goes on.
    Permit,
    /// It goes on, and is marked: if nothing were on trial it would not.
    Shadow,
    /// It is refused.
    #[default]
    Refuse,
    /// An external authorizer has the last word, and nobody asks it for an explanation.
    Depends,
}

impl Decision {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Shadow => "shadow",
            Self::Refuse => "refuse",
            Self::Depends => "depends",
        }
    }
}

/// What was judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The listener.
    pub listener: String,
    /// The method that is judged.
    pub method: String,
    /// The host, if the request names one.
    pub host: Option<String>,
    /// The canonical path, if it has one.
    pub path: Option<String>,
    /// Where the client is.
    pub source: String,
    /// When, in RFC 3339.
    pub at: String,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// The trust domain that vouches.
    pub trust_domain: Option<String>,
    /// The ApiUser.
    pub user: Option<UserFacts>,
    /// Why it is none.
    pub nobody: Option<String>,
}

/// An ApiUser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFacts {
    /// The name.
    pub name: String,
    /// Where it stands in the config.
    pub place: String,
    /// What proves it: `certificate`, `password` or `token`.
    pub credential: String,
    /// By which value of the certificate it was found.
    pub identified_by: Option<String>,
    /// Its roles, and those within them.
    pub roles: Vec<String>,
    /// The roles that the certificate brings, and those within them.
    pub roles_of_certificate: Vec<String>,
    /// Until when it counts.
    pub enabled_until: Option<String>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// Host and path.
    pub name: String,
    /// Where it stands in the config.
    pub place: String,
    /// The upstream; `null` where the gateway answers itself.
    pub upstream: Option<String>,
    /// Whom it lets in: `authorized`, `public_with_identity` or `public`.
    pub admission: String,
    /// Until when it is there.
    pub enabled_until: Option<String>,
    /// What it demands of everybody: its own condition, then that of its requirement.
    pub conditions: Vec<ConditionFacts>,
}

/// What is required of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementFacts {
    /// `METHOD /path`, a name, or several.
    pub text: String,
    /// Where it comes from.
    pub origin: String,
}

/// A permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionFacts {
    /// As it stands in the config.
    pub text: String,
    /// Where.
    pub place: String,
    /// The role that it came through; `null` for a user's own.
    pub role: Option<String>,
    /// What it does: `grant` or `deny`.
    pub effect: String,
}

/// A permission that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The permission.
    pub permission: PermissionFacts,
    /// The name that it was compared with, where a request needs several.
    pub requirement: Option<String>,
    /// Whether its pattern matches.
    pub matches: bool,
    /// Whether it is only on trial.
    pub on_trial: bool,
    /// Its condition.
    pub condition: Option<ConditionFacts>,
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionFacts {
    /// The expression.
    pub text: String,
    /// What it comes to.
    pub outcome: ConditionOutcome,
    /// Why it has no outcome.
    pub error: Option<String>,
    /// What it looked at.
    pub values: Vec<ValueFacts>,
}

/// What a condition comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionOutcome {
    /// It is true.
    Holds,
    /// It is false.
    DoesNotHold,
    /// It has no outcome for this request, which never means yes.
    Failed,
    /// Nobody needed to know.
    #[default]
    NotAsked,
}

/// A part of a request that a condition looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueFacts {
    /// As the expression names it.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

/// Shadow mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowFacts {
    /// Who says so: `gateway`, `api_user`, `route` or `permission`.
    pub origin: String,
    /// What the request would be refused for without it; `null` if it changes nothing.
    pub hides: Option<String>,
    /// The permission that this is about.
    pub permission: Option<PermissionFacts>,
}

/// Something else that has a say, or is to be known: one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub name: String,
    /// What there is to say.
    pub text: String,
}
