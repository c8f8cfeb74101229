//! Keys of `[trust_domain.NAME]` and of fetching its CRLs.

use super::key::{Key, TableKeys};
use super::value::*;
use crate::config::model::{
    DistributionPoints, RevocationCheckSetting, StaleCrlsSetting, UnknownRevocationSetting,
};

/// The words of `extended_key_usage`.
#[derive(Clone, Copy)]
pub(in crate::config) enum UsageWord {
    Require,
    AllowMissing,
}

const USAGES: Words<UsageWord> = &[
    word(
        "require",
        UsageWord::Require,
        "The leaf must have `clientAuth`.",
    ),
    word(
        "allow-missing",
        UsageWord::AllowMissing,
        "The leaf must have `clientAuth`, or no extended key usage.",
    ),
];

const STALE: Words<StaleCrlsSetting> = &[
    word(
        "refuse",
        StaleCrlsSetting::Refuse,
        "Clients of its CA are rejected; a start or reload is not.",
    ),
    word(
        "ignore",
        StaleCrlsSetting::Ignore,
        "It is accepted at any age.",
    ),
];

const UNKNOWN: Words<UnknownRevocationSetting> = &[
    word(
        "refuse",
        UnknownRevocationSetting::Refuse,
        "They are rejected.",
    ),
    word(
        "allow",
        UnknownRevocationSetting::Allow,
        "They are accepted.",
    ),
];

const CHECKS: Words<RevocationCheckSetting> = &[
    word(
        "chain",
        RevocationCheckSetting::Chain,
        "All certificates below the anchor.",
    ),
    word(
        "leaf",
        RevocationCheckSetting::Leaf,
        "The client's certificate only.",
    ),
];

pub(in crate::config) static ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with CA certificates. The system's CAs are never used.",
);

pub(in crate::config) static RESERVED_NAMES: Key<TextList> = Key::new(
    "reserved_names",
    TextList(TextForm::Any),
    "Names that the CA also signs and that no ApiUser may have: a certificate with such a \
     name or address is denied (403). `*` and `?` are wildcards; case is ignored.",
);

pub(in crate::config) static INTERMEDIATES: Key<TextList> = Key::new(
    "intermediates",
    TextList(TextForm::Path),
    "PEM files with CA certificates that the anchors have signed, for clients that do not \
     send them.",
);

pub(in crate::config) static EXTENDED_KEY_USAGE: Key<ChoiceOr<UsageWord, TableValue>> = Key::new(
    "extended_key_usage",
    ChoiceOr {
        words: USAGES,
        other: TableValue(&SERVER_AUTH),
    },
    "Required extended key usage of client certificates. A CA below the anchor that lists \
     usages must list the one that its leaf is accepted for.",
)
.default_text("allow-missing");

pub(in crate::config) static CHAIN_DEPTH: Key<IntegerValue> = Key::new(
    "chain_depth",
    IntegerValue { least: 0, most: 6 },
    "Maximum number of certificates between leaf and anchor.",
)
.default_number(4);

pub(in crate::config) static CRLS: Key<TextList> = Key::new(
    "crls",
    TextList(TextForm::PathPattern),
    "CRLs, PEM or DER: files, patterns of file names, or folders. Each must be signed by \
     a CA of the domain. The newest of each CA is used. Once there is a CRL, every CA \
     needs one.",
);

pub(in crate::config) static STALE_CRLS: Key<ChoiceOr<StaleCrlsSetting, TableValue>> = Key::new(
    "stale_crls",
    ChoiceOr {
        words: STALE,
        other: TableValue(&STALE_GRACE),
    },
    "Handling of a CRL past its next update.",
)
.default_text("refuse");

pub(in crate::config) static UNKNOWN_REVOCATION: Key<Choice<UnknownRevocationSetting>> = Key::new(
    "unknown_revocation",
    Choice(UNKNOWN),
    "Handling of clients of a CA without a CRL.",
)
.default_text("refuse");

pub(in crate::config) static REVOCATION_CHECK: Key<Choice<RevocationCheckSetting>> = Key::new(
    "revocation_check",
    Choice(CHECKS),
    "The certificates that are checked for revocation.",
)
.default_text("chain");

pub(in crate::config) static DENY_LIST: Key<TextValue> = Key::new(
    "deny_list",
    TextValue(TextForm::Path),
    "File with denied certificates and users, one entry per line: `serial HEX`, \
     `fingerprint HEX` (SHA-256), `cn NAME`, `user NAME`. `#` begins a comment. \
     `portcullis revoke` writes them.",
);

pub(in crate::config) static CRL_FETCH_TABLE: Key<TableValue> =
    Key::new("crl_fetch", TableValue(&CRL_FETCH), "CRLs from URLs.");

pub(in crate::config) static TRUST_DOMAIN: TableKeys = TableKeys {
    doc: "The CAs that verify client certificates, with their rules.",
    keys: &[
        &ANCHORS,
        &RESERVED_NAMES,
        &INTERMEDIATES,
        &EXTENDED_KEY_USAGE,
        &CHAIN_DEPTH,
        &CRLS,
        &STALE_CRLS,
        &UNKNOWN_REVOCATION,
        &REVOCATION_CHECK,
        &DENY_LIST,
        &CRL_FETCH_TABLE,
    ],
};

pub(in crate::config) static ALLOW_SERVER_AUTH_UNTIL: Key<TextValue> = Key::new(
    "allow-server-auth-until",
    TextValue(TextForm::Time),
    "Day (UTC) until the end of which `serverAuth` alone is accepted, with a warning.",
)
.required("write `extended_key_usage = { allow-server-auth-until = \"2027-03-31\" }`");

pub(in crate::config) static SERVER_AUTH: TableKeys = TableKeys {
    doc: "Also accepts certificates of servers for some time.",
    keys: &[&ALLOW_SERVER_AUTH_UNTIL],
};

pub(in crate::config) static ALLOW_FOR: Key<DurationValue> = Key::new(
    "allow-for",
    DurationValue,
    "How long it is accepted past its next update.",
)
.required("write `stale_crls = { allow-for = \"6h\" }`");

pub(in crate::config) static STALE_GRACE: TableKeys = TableKeys {
    doc: "Accepts a CRL for some time past its next update.",
    keys: &[&ALLOW_FOR],
};

const POINTS: Words<DistributionPoints> = &[
    word("ignore", DistributionPoints::Ignore, "They are ignored."),
    word(
        "follow",
        DistributionPoints::Follow,
        "Those of verified certificates are used, if `allowed_hosts` has their host.",
    ),
];

pub(in crate::config) static CRL_FETCH_URLS: Key<TextList> = Key::new(
    "urls",
    TextList(TextForm::Url),
    "URLs of CRLs: `http`, or `https` with `anchors`.",
);

pub(in crate::config) static CRL_FETCH_DISTRIBUTION_POINTS: Key<Choice<DistributionPoints>> =
    Key::new(
        "distribution_points",
        Choice(POINTS),
        "Distribution points in certificates.",
    )
    .default_text("ignore");

pub(in crate::config) static CRL_FETCH_ALLOWED_HOSTS: Key<TextList> = Key::new(
    "allowed_hosts",
    TextList(TextForm::Host),
    "Allowed hosts of distribution points, with a port if it is not the default.",
);

pub(in crate::config) static CRL_FETCH_CACHE: Key<TextValue> = Key::new(
    "cache",
    TextValue(TextForm::Path),
    "Folder for fetched CRLs, which the gateway's user may write. Its files are used like \
     those of `crls`.",
)
.required("name a folder for the lists: `cache = \"crl-cache\"`");

pub(in crate::config) static CRL_FETCH_REFRESH: Key<DurationValue> = Key::new(
    "refresh",
    DurationValue,
    "Maximum time between two fetches. The gateway fetches earlier when half of the time \
     until the next update is over.",
)
.default_text("1h");

pub(in crate::config) static CRL_FETCH_TIMEOUT: Key<DurationValue> = Key::new(
    "timeout",
    DurationValue,
    "Maximum time from the connect to the last byte.",
)
.default_text("30s");

pub(in crate::config) static CRL_FETCH_SIZE_LIMIT: Key<SizeValue> =
    Key::new("size_limit", SizeValue, "Maximum size of a CRL.").default_text("64MiB");

pub(in crate::config) static CRL_FETCH_ANCHORS: Key<TextList> = Key::new(
    "anchors",
    TextList(TextForm::Path),
    "PEM files with the CAs for `https` URLs. The system's CAs are never used.",
);

pub(in crate::config) static CRL_FETCH: TableKeys = TableKeys {
    doc: "CRLs from URLs, in addition to `crls`. Each must be signed by a CA of the domain and \
     newer than the one that is used. Redirects are not followed.",
    keys: &[
        &CRL_FETCH_URLS,
        &CRL_FETCH_DISTRIBUTION_POINTS,
        &CRL_FETCH_ALLOWED_HOSTS,
        &CRL_FETCH_CACHE,
        &CRL_FETCH_REFRESH,
        &CRL_FETCH_TIMEOUT,
        &CRL_FETCH_SIZE_LIMIT,
        &CRL_FETCH_ANCHORS,
    ],
};
