//! Keys of `[role.NAME]`.

use super::key::{Key, TableKeys};
use super::policy;
use super::request_limits;
use super::value::*;

pub(in crate::config) static CLIENT_O: Key<TextList> = Key::new(
    "client_o",
    TextList(TextForm::Any),
    "Organizations (O) of the subject that grant the role to an ApiUser, compared \
     exactly. They make no client an ApiUser.",
);

pub(in crate::config) static CLIENT_OU: Key<TextList> = Key::new(
    "client_ou",
    TextList(TextForm::Any),
    "Organizational units (OU) of the subject that grant the role to an ApiUser, compared \
     exactly. They make no client an ApiUser.",
);

pub(in crate::config) static TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that must verify certificates with `client_o` or `client_ou`.",
)
.default_is("the only trust domain");

pub(in crate::config) static PERMISSIONS: Key<PermissionList> = Key::new(
    "permissions",
    PermissionList(&policy::PERMISSION),
    "Granted permissions.",
);

pub(in crate::config) static DENY: Key<PermissionList> = Key::new(
    "deny",
    PermissionList(&policy::PERMISSION),
    "Denied permissions. They override every granted one.",
);

pub(in crate::config) static ROLES: Key<TextList> = Key::new(
    "roles",
    TextList(TextForm::Name),
    "Roles that this role includes.",
);

pub(in crate::config) static ROLE: TableKeys = TableKeys {
    doc: "Permissions and limits that several ApiUsers share. The limits apply to each ApiUser \
     separately; keys of the ApiUser take precedence, and the smallest limit of several \
     roles applies.",
    keys: &[
        &CLIENT_O,
        &CLIENT_OU,
        &TRUST_DOMAIN,
        &PERMISSIONS,
        &DENY,
        &ROLES,
        &request_limits::BODY_SIZE,
        &request_limits::REQUEST_RATE,
        &request_limits::REQUEST_BURST,
        &request_limits::CONCURRENCY,
        &request_limits::DAILY_QUOTA,
        &request_limits::REQUEST_TIME,
    ],
};
