//! What the language has and conditions do not, and what is no expression at all.

use super::Refused;

pub(super) const REFUSED: &[Refused] = &[
    (
        "{'a': 1}.size() == 1",
        0,
        "conditions do not support maps and messages",
        "int",
    ),
    (
        "Request{}",
        7,
        "conditions do not support maps and messages",
        "",
    ),
    (
        "1.5 > 1.0",
        0,
        "conditions do not support numbers with fractions",
        "",
    ),
    (
        "1u == 1u",
        0,
        "conditions do not support unsigned numbers",
        "",
    ),
    ("b'a' == b'a'", 0, "conditions do not support bytes", ""),
    ("null == null", 0, "conditions do not support null", ""),
    (
        "user = 'a'",
        5,
        "the expression cannot be read at `=`",
        "==",
    ),
    (
        "true & true",
        5,
        "the expression cannot be read at `&`",
        "&&",
    ),
    (
        "user == 'alice",
        8,
        "the expression cannot be read at `'`",
        "quote",
    ),
    ("user ==", 7, "the expression ends too early", "missing"),
    ("", 0, "the expression ends too early", "missing"),
    (
        "'ä' == user)",
        12,
        "the expression cannot be read at `)`",
        "",
    ),
    (
        "'ä' == user\n or true",
        14,
        "the expression cannot be read at `o`",
        "CEL",
    ),
    ("99999999999999999999 > 1", 0, "invalid int literal", ""),
    ("if == 'a'", 0, "reserved identifier: if", ""),
    ("user == '\\ud800'", 8, "invalid string literal", ""),
    ("request.`path` == 'a'", 7, "unsupported syntax", ""),
    ("request.?path == 'a'", 7, "unsupported syntax", ""),
];
