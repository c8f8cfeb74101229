//! Names that nothing has, and operators that do not go with their operands.

use super::Refused;

pub(super) const REFUSED: &[Refused] = &[
    (
        "request.methd == 'GET'",
        8,
        "`request` has no field `methd`",
        "did you mean `method`?",
    ),
    (
        "'ä' == requst.method",
        8,
        "there is no variable `requst`",
        "did you mean `request`?",
    ),
    (
        "method == 'GET'",
        0,
        "there is no variable `method`",
        "did you mean `request.method`?",
    ),
    (
        "cn == 'a'",
        0,
        "there is no variable `cn`",
        "did you mean `certificate.cn`?",
    ),
    (
        "certificate.dnss.size() > 0",
        12,
        "`certificate` has no field `dnss`",
        "did you mean `dns`?",
    ),
    (
        "request == 'a'",
        0,
        "`request` is not a value by itself",
        "method",
    ),
    (
        "request.query == 'a'",
        0,
        "`request.query` is not a value by itself",
        "request.query[\"name\"]",
    ),
    (
        "request.method",
        0,
        "a condition must give true or false, and this gives a string",
        "==",
    ),
    ("1 + 1", 0, "and this gives an int", "=="),
    ("certificate.dns", 0, "gives a list of string", ""),
    (
        "user == 5",
        5,
        "`==` does not accept a string and an int",
        "int(",
    ),
    (
        "request.query['limit'] < 5",
        23,
        "`<` does not accept a string and an int",
        "int(",
    ),
    (
        "now > '2026-01-01T00:00:00Z'",
        4,
        "a timestamp and a string",
        "timestamp(\"",
    ),
    (
        "now - now > '1h'",
        10,
        "a duration and a string",
        "duration(\"",
    ),
    (
        "user && true",
        0,
        "`&&` needs a bool here, and this is a string",
        "",
    ),
    ("!user", 1, "`!` needs a bool", ""),
    ("-user == 1", 1, "`-` needs a number", "int("),
    ("true < false", 5, "`<` does not compare a bool", ""),
    (
        "certificate.dns == certificate.dns",
        16,
        "`==` does not compare a list of string",
        "exists",
    ),
    (
        "true ? 1 == 1 : 2",
        5,
        "`? :` does not accept a bool and an int",
        "",
    ),
];
