//! Keys of `[[route]]`.

use super::key::{Key, TableKeys};
use super::listener::CLIENT_AUTH_WORDS;
use super::upstream::PRESETS;
use super::value::*;
use super::{limits, policy, request_limits};
use crate::config::model::{
    ClientAuth, CredentialKind, CredentialsRequired, Forbidden, MethodOverride, PathMatch, Preset,
    Respond,
};

/// Whether a route accepts a path with two readings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum OddityRule {
    Refuse,
    Accept,
}

const KEEP: Words<OddityRule> = &[
    word(
        "refuse",
        OddityRule::Refuse,
        "The request is rejected with 400.",
    ),
    word("keep", OddityRule::Accept, "The path is accepted as it is."),
];

const RESOLVE: Words<OddityRule> = &[
    word(
        "refuse",
        OddityRule::Refuse,
        "The request is rejected with 400.",
    ),
    word("resolve", OddityRule::Accept, "`/a/../b` becomes `/b`."),
];

const ENCODE: Words<OddityRule> = &[
    word(
        "refuse",
        OddityRule::Refuse,
        "The request is rejected with 400.",
    ),
    word("encode", OddityRule::Accept, "`\\` becomes `%5c`."),
];

/// The keys of paths with two readings.
pub(in crate::config) static PATH_RELAXATIONS: [&Key<Choice<OddityRule>>; 10] = [
    &ENCODED_SLASH,
    &ENCODED_BACKSLASH,
    &ENCODED_CONTROL,
    &DOUBLE_ENCODING,
    &INVALID_UTF8,
    &EMPTY_SEGMENTS,
    &DOT_SEGMENTS,
    &RAW_BACKSLASH,
    &PATH_PARAMETERS,
    &LOOK_ALIKE_PATH,
];

const MATCHES: Words<PathMatch> = &[
    word(
        "prefix",
        PathMatch::Prefix,
        "The path and everything below it.",
    ),
    word("exact", PathMatch::Exact, "Only the path."),
];

const RESPONSES: Words<Respond> = &[
    word(
        "whoami",
        Respond::Whoami,
        "User, permissions and certificate expiry of the client.",
    ),
    word(
        "jwks",
        Respond::Jwks,
        "Public keys of assertions; with `client_auth = \"off\"` for every client.",
    ),
];

const FORBIDDEN_CODES: Words<Forbidden> = &[
    word("403", Forbidden::Told, "403."),
    word(
        "404",
        Forbidden::Absent,
        "404, as Icinga 2 responds for an unknown path.",
    ),
];

const OVERRIDES: Words<MethodOverride> = &[
    word(
        "refuse",
        MethodOverride::Refuse,
        "The request is rejected with 400.",
    ),
    word(
        "judge",
        MethodOverride::Judge,
        "The method in the field is authorized, logged and forwarded; the field is not.",
    ),
];

const CREDENTIAL_KINDS: Words<CredentialKind> = &[
    word(
        "certificate",
        CredentialKind::Certificate,
        "The certificate of the connection.",
    ),
    word(
        "password",
        CredentialKind::Password,
        "User and password in `Authorization: Basic`.",
    ),
    word(
        "token",
        CredentialKind::Token,
        "A token in `Authorization: Bearer` that is bound to the certificate of the \
     connection.",
    ),
];

const REQUIRED_WORDS: Words<CredentialsRequired> = &[
    word(
        "any",
        CredentialsRequired::Any,
        "At least one. All that are presented must be valid and name the same ApiUser.",
    ),
    word(
        "all",
        CredentialsRequired::All,
        "All of them, for the same ApiUser.",
    ),
];

pub(in crate::config) static PATH: Key<TextValue> = Key::new(
    "path",
    TextValue(TextForm::Any),
    "Path of the requests. `{name}` is any one segment, and `%2A` a star; there are no \
     wildcards.",
)
.required("write `path = \"/\"` for everything");

pub(in crate::config) static MATCH: Key<Choice<PathMatch>> =
    Key::new("match", Choice(MATCHES), "How the path is matched.")
        .default_is("`\"prefix\"`; `\"exact\"` with `respond`");

pub(in crate::config) static HOST: Key<TextList> = Key::new(
    "host",
    TextList(TextForm::Host),
    "Hosts of the requests: exact names, or `*.example.org` for one label.",
)
.default_is("all hosts");

pub(in crate::config) static LISTENERS: Key<TextList> = Key::new(
    "listeners",
    TextList(TextForm::Name),
    "Listeners of the requests.",
)
.default_is("all listeners");

pub(in crate::config) static UPSTREAM: Key<TextValue> = Key::new(
    "upstream",
    TextValue(TextForm::Name),
    "The upstream of the requests. A route has `upstream` or `respond`.",
);

pub(in crate::config) static AUTHORIZER: Key<TextValue> = Key::new(
    "authorizer",
    TextValue(TextForm::Name),
    "External authorizer that checks each request that the gateway permits.",
);

pub(in crate::config) static RESPOND: Key<Choice<Respond>> = Key::new(
    "respond",
    Choice(RESPONSES),
    "Response of the gateway itself, in place of an upstream.",
);

pub(in crate::config) static REQUIREMENT: Key<RequirementByMethod> = Key::new(
    "requirement",
    RequirementByMethod(&policy::REQUIREMENT),
    "Required permission, or one for each method; other methods get 405. It may contain \
     `{captures}` of the path.",
)
.default_is("`METHOD /path`");

pub(in crate::config) static PRESET: Key<Choice<Preset>> = Key::new(
    "preset",
    Choice(PRESETS),
    "An API that the gateway knows, which sets the requirement of each method and path.",
);

pub(in crate::config) static FORBIDDEN: Key<Choice<Forbidden>> = Key::new(
    "forbidden",
    Choice(FORBIDDEN_CODES),
    "Status of the response to an ApiUser without the permission.",
)
.default_text("403");

pub(in crate::config) static WHEN: Key<TextValue> = Key::new(
    "when",
    TextValue(TextForm::Condition),
    "Condition (CEL) that must be true for every client, independent of its permissions (403, \
     `condition_failed`).",
);

pub(in crate::config) static ENABLED_UNTIL: Key<TextValue> = Key::new(
    "enabled_until",
    TextValue(TextForm::Time),
    "Day (until its end, UTC) or time until which the route is enabled. After that all \
     requests are denied.",
);

pub(in crate::config) static SHADOW: Key<BooleanValue> = Key::new(
    "shadow",
    BooleanValue,
    "Shadow mode for this route. It overrides `[gateway]`.",
)
.default_boolean(false);

pub(in crate::config) static CLIENT_AUTH: Key<Choice<ClientAuth>> = Key::new(
    "client_auth",
    Choice(CLIENT_AUTH_WORDS),
    "Whether a client must be an ApiUser. `optional`: all clients may pass without a \
     permission, and a `deny` of a known ApiUser still applies. `off`: all clients may \
     pass, and the upstream gets no client identity.",
)
.default_text("required");

pub(in crate::config) static TRUST_DOMAIN: Key<TextValue> = Key::new(
    "trust_domain",
    TextValue(TextForm::Name),
    "The trust domain that must have verified the client.",
);

pub(in crate::config) static TRUST_DOMAINS: Key<TextList> = Key::new(
    "trust_domains",
    TextList(TextForm::Name),
    "Several trust domains in place of `trust_domain`. One of them must have verified the \
     client.",
);

pub(in crate::config) static METHOD_OVERRIDE: Key<Choice<MethodOverride>> = Key::new(
    "method_override",
    Choice(OVERRIDES),
    "Handling of `X-HTTP-Method-Override` and similar fields.",
)
.default_is("`\"refuse\"`; as in Icinga with `preset`");

pub(in crate::config) static ENCODED_SLASH: Key<Choice<OddityRule>> =
    Key::new("encoded_slash", Choice(KEEP), "Paths with `%2f`.").default_text("refuse");

pub(in crate::config) static ENCODED_BACKSLASH: Key<Choice<OddityRule>> =
    Key::new("encoded_backslash", Choice(KEEP), "Paths with `%5c`.").default_text("refuse");

pub(in crate::config) static ENCODED_CONTROL: Key<Choice<OddityRule>> = Key::new(
    "encoded_control",
    Choice(KEEP),
    "Paths with `%00` to `%1f` or `%7f`.",
)
.default_text("refuse");

pub(in crate::config) static DOUBLE_ENCODING: Key<Choice<OddityRule>> = Key::new(
    "double_encoding",
    Choice(KEEP),
    "Paths with `%25` before two hexadecimal digits. A `deny` is compared with the \
     decoded path, too.",
)
.default_text("refuse");

pub(in crate::config) static INVALID_UTF8: Key<Choice<OddityRule>> = Key::new(
    "invalid_utf8",
    Choice(KEEP),
    "Paths that are not UTF-8 once decoded.",
)
.default_text("refuse");

pub(in crate::config) static EMPTY_SEGMENTS: Key<Choice<OddityRule>> =
    Key::new("empty_segments", Choice(KEEP), "Paths with `//`.").default_text("refuse");

pub(in crate::config) static DOT_SEGMENTS: Key<Choice<OddityRule>> = Key::new(
    "dot_segments",
    Choice(RESOLVE),
    "Paths with `.` or `..` as a segment.",
)
.default_text("refuse");

pub(in crate::config) static RAW_BACKSLASH: Key<Choice<OddityRule>> = Key::new(
    "raw_backslash",
    Choice(ENCODE),
    "Paths with `\\`. `encoded_backslash` is not needed beside it.",
)
.default_text("refuse");

pub(in crate::config) static PATH_PARAMETERS: Key<Choice<OddityRule>> = Key::new(
    "path_parameters",
    Choice(KEEP),
    "Paths with `;`, as in `/a;x=1`, which some upstreams read as `/a`.",
)
.default_text("refuse");

pub(in crate::config) static LOOK_ALIKE_PATH: Key<Choice<OddityRule>> = Key::new(
    "look_alike_path",
    Choice(KEEP),
    "Paths of this route that an upstream would take for a path of a stricter route if it \
     ignores case, final slashes, dots, blanks, `;parameters` or forms of letters.",
)
.default_is("`\"refuse\"`; `\"keep\"` with `preset`");

pub(in crate::config) static KEEP_HEADERS: Key<TextList> = Key::new(
    "keep_headers",
    TextList(TextForm::HeaderName),
    "Fields of clients that this route forwards although others remove them \
     (docs/headers.md). Only where every client is a proxy.",
);

pub(in crate::config) static CREDENTIALS: Key<ChoiceList<CredentialKind>> = Key::new(
    "credentials",
    ChoiceList(CREDENTIAL_KINDS),
    "Accepted credentials. An `Authorization` that the gateway accepts is not forwarded.",
)
.default_texts(&["certificate"]);

pub(in crate::config) static CREDENTIALS_REQUIRED: Key<Choice<CredentialsRequired>> = Key::new(
    "credentials_required",
    Choice(REQUIRED_WORDS),
    "How many of the credentials a client must present.",
)
.default_text("any");

pub(in crate::config) static ROUTE: TableKeys = TableKeys {
    doc: "A route to an upstream. The most specific host is used first: a name, then \
     `*.example.org`, then routes without `host`. Among the routes of a host the most \
     specific path is used. The order of routes does not matter.",
    keys: &[
        &limits::BODY_SIZE,
        &limits::RESPONSE_TIMEOUT,
        &limits::IDLE_TIMEOUT,
        &PATH,
        &MATCH,
        &HOST,
        &LISTENERS,
        &UPSTREAM,
        &AUTHORIZER,
        &RESPOND,
        &REQUIREMENT,
        &PRESET,
        &FORBIDDEN,
        &WHEN,
        &ENABLED_UNTIL,
        &SHADOW,
        &CLIENT_AUTH,
        &TRUST_DOMAIN,
        &TRUST_DOMAINS,
        &METHOD_OVERRIDE,
        &ENCODED_SLASH,
        &ENCODED_BACKSLASH,
        &ENCODED_CONTROL,
        &DOUBLE_ENCODING,
        &INVALID_UTF8,
        &EMPTY_SEGMENTS,
        &DOT_SEGMENTS,
        &RAW_BACKSLASH,
        &PATH_PARAMETERS,
        &LOOK_ALIKE_PATH,
        &KEEP_HEADERS,
        &request_limits::REQUEST_RATE,
        &request_limits::REQUEST_BURST,
        &request_limits::CONCURRENCY,
        &request_limits::DAILY_QUOTA,
        &request_limits::REQUEST_TIME,
        &CREDENTIALS,
        &CREDENTIALS_REQUIRED,
    ],
};
