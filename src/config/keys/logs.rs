//! Keys of `[access_log]`, `[audit_log]` and `[log]`.

use super::key::{Key, TableKeys};
use super::value::*;
use crate::config::model::{AuditedDecisions, LogFormat};

const FORMATS: Words<LogFormat> = &[
    word("json", LogFormat::Json, "One JSON object per line."),
    word("text", LogFormat::Text, "Text for people."),
    word("off", LogFormat::Off, "No lines."),
];

pub(in crate::config) static ACCESS_FORMAT: Key<Choice<LogFormat>> =
    Key::new("format", Choice(FORMATS), "Format of the lines.").default_text("json");

pub(in crate::config) static ACCESS_PATH: Key<TextValue> = Key::new(
    "path",
    TextValue(TextForm::Path),
    "File to append to. SIGUSR1 opens it again.",
)
.default_is("standard output");

pub(in crate::config) static ACCESS_LOG: TableKeys = TableKeys {
    doc: "One line for each request.",
    keys: &[&ACCESS_FORMAT, &ACCESS_PATH],
};

pub(in crate::config) static LOG_LEVEL: Key<TextValue> = Key::new(
    "level",
    TextValue(TextForm::Any),
    "`error`, `warn`, `info`, `debug`, `trace`, or a filter such as \
     `info,portcullis::tls=debug`. `run --log-level` takes precedence over `RUST_LOG`, \
     and that over this key.",
)
.default_text("info");

pub(in crate::config) static LOG_FORMAT: Key<Choice<LogFormat>> = Key::new(
    "format",
    Choice(FORMATS),
    "Format of the lines. A change needs a restart.",
)
.default_text("text");

pub(in crate::config) static LOG: TableKeys = TableKeys {
    doc: "The process log, on standard error.",
    keys: &[&LOG_LEVEL, &LOG_FORMAT],
};

const AUDITED: Words<AuditedDecisions> = &[
    word("all", AuditedDecisions::All, "All decisions."),
    word("refused", AuditedDecisions::Refused, "Denials only."),
];

pub(in crate::config) static AUDIT_PATH: Key<TextValue> = Key::new(
    "path",
    TextValue(TextForm::Path),
    "File to append to, mode 0600. SIGUSR1 opens it again.",
)
.required("name a file for it: `path = \"audit.log\"`");

pub(in crate::config) static AUDIT_DECISIONS: Key<ChoiceOr<AuditedDecisions, TableValue>> =
    Key::new(
        "decisions",
        ChoiceOr {
            words: AUDITED,
            other: TableValue(&SAMPLED),
        },
        "The decisions that are written. Denials, and requests that only shadow mode permits, \
     are always written.",
    )
    .default_text("all");

pub(in crate::config) static AUDIT_SIZE_LIMIT: Key<SizeOrOff> = Key::new(
    "size_limit",
    SizeOrOff::Unbounded,
    "Size at which the file is rotated: `audit.log` becomes `audit.log.1`, and so on.",
)
.default_text("100MiB");

pub(in crate::config) static AUDIT_KEEP: Key<IntegerValue> = Key::new(
    "keep",
    IntegerValue {
        least: 1,
        most: 1000,
    },
    "Number of rotated files that are kept.",
)
.default_number(5);

pub(in crate::config) static AUDIT_LOG: TableKeys = TableKeys {
    doc: "Decisions and activated configs as JSON lines, which `plan` and `learn` read. If the \
     disk is full or too slow, lines are dropped and counted. A file that cannot be \
     opened prevents the start.",
    keys: &[
        &AUDIT_PATH,
        &AUDIT_DECISIONS,
        &AUDIT_SIZE_LIMIT,
        &AUDIT_KEEP,
    ],
};

pub(in crate::config) static SAMPLED_SAMPLE: Key<TextValue> = Key::new(
    "sample",
    TextValue(TextForm::Percentage),
    "Share of the permitted requests that are written, above 0% and below 100%.",
)
.required("write a share of the permitted ones, such as `decisions = { sample = \"1%\" }`");

pub(in crate::config) static SAMPLED: TableKeys = TableKeys {
    doc: "A sample of the decisions that are no denials.",
    keys: &[&SAMPLED_SAMPLE],
};
