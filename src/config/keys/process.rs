//! Keys of `[gateway]`, `[admin]` and `[metrics]`.

use super::key::{Key, TableKeys};
use super::value::*;

const AUTO: Words<Option<u32>> = &[word("auto", None, "One for each core.")];

pub(in crate::config) static WORKERS: Key<ChoiceOr<Option<u32>, IntegerValue>> = Key::new(
    "workers",
    ChoiceOr {
        words: AUTO,
        other: IntegerValue {
            least: 1,
            most: 1024,
        },
    },
    "Number of worker threads. A change needs a restart.",
)
.default_text("auto");

pub(in crate::config) static DRAIN_DEADLINE: Key<DurationValue> = Key::new(
    "drain_deadline",
    DurationValue,
    "How long requests may go on after SIGTERM, and on a listener that a reload removes.",
)
.default_text("30s");

pub(in crate::config) static DRAIN_DELAY: Key<DurationOrZero> = Key::new(
    "drain_delay",
    DurationOrZero,
    "How long readiness fails before the listeners close. Until then everything is \
     served.",
)
.default_text("0s");

pub(in crate::config) static USER: Key<TextValue> = Key::new(
    "user",
    TextValue(TextForm::Any),
    "User to become once the ports are bound. A change needs a restart.",
);

pub(in crate::config) static SHADOW: Key<BooleanValue> = Key::new(
    "shadow",
    BooleanValue,
    "Shadow mode for all ApiUsers: requests that they may not make are permitted, marked \
     (`X-Portcullis-Shadow`), counted and logged. Unknown clients are still denied.",
)
.default_boolean(false);

pub(in crate::config) static GATEWAY: TableKeys = TableKeys {
    doc: "The process.",
    keys: &[&WORKERS, &DRAIN_DEADLINE, &DRAIN_DELAY, &USER, &SHADOW],
};

pub(in crate::config) static ADMIN_ADDRESS: Key<TextValue> = Key::new(
    "address",
    TextValue(TextForm::Address),
    "Loopback `IP:PORT` in place of a unix socket, or `off`. `Host` must be a loopback \
     address or `localhost`.",
);

pub(in crate::config) static ADMIN_PATH: Key<TextValue> = Key::new(
    "path",
    TextValue(TextForm::Path),
    "Unix socket, mode 0600, of the gateway's user.",
)
.default_is("`admin.sock` beside the file with the table");

pub(in crate::config) static ADMIN_RECENT_DECISIONS: Key<DurationOrOff> = Key::new(
    "recent_decisions",
    DurationOrOff,
    "How long decisions are kept in memory for `/decisions`, `plan --live` and `learn \
     --live`: at most 4,096 for each worker, with user names, and paths without queries.",
)
.default_text("off");

pub(in crate::config) static ADMIN: TableKeys = TableKeys {
    doc: "The listener for operators of this machine: `/status`, `/expiring`, `/explain`, \
     `/decisions`, `/.well-known/jwks.json` and what `[metrics]` serves. Plain HTTP \
     without login.",
    keys: &[&ADMIN_ADDRESS, &ADMIN_PATH, &ADMIN_RECENT_DECISIONS],
};

pub(in crate::config) static METRICS_ADDRESS: Key<TextValue> = Key::new(
    "address",
    TextValue(TextForm::Address),
    "`IP:PORT`; every address is allowed.",
)
.default_text("127.0.0.1:9190");

pub(in crate::config) static METRICS: TableKeys = TableKeys {
    doc: "The listener for monitoring: `/metrics`, `/livez`, `/readyz`, `/healthz`. It tells \
     nothing about users. Plain HTTP without login, for any `Host`.",
    keys: &[&METRICS_ADDRESS],
};
