//! Names in brackets, lists and their macros that cannot be.

use super::Refused;

pub(super) const REFUSED: &[Refused] = &[
    (
        "request.headers[user] == ''",
        16,
        "the name in the brackets must be written out",
        "",
    ),
    (
        "request.headers['a b'] == ''",
        16,
        "`a b` is not a header field name",
        "",
    ),
    (
        "user in request.headers",
        0,
        "the name in the brackets must be written out",
        "",
    ),
    (
        "request['method'] == ''",
        8,
        "the fields of `request` are not written in brackets",
        "request.name",
    ),
    ("has(user)", 4, "has() needs a field", "has(certificate.cn)"),
    (
        "has(request.path)",
        4,
        "`request.path` is always present",
        "",
    ),
    (
        "has(certificate.nme)",
        16,
        "`certificate` has no field `nme`",
        "",
    ),
    (
        "user in ['a', 1]",
        14,
        "the elements before it are not",
        "the same kind",
    ),
    ("user in []", 8, "the list is empty", ""),
    ("user in [['a']]", 9, "lists cannot be nested", ""),
    (
        "user in 'alice'",
        5,
        "`in` does not accept a string and a string",
        "",
    ),
    ("user[0] == 'a'", 4, "a string has no elements", ""),
    (
        "certificate.dns['a'] == 'a'",
        16,
        "an element's position needs an int",
        "",
    ),
    (
        "user.exists(c, c == 'a')",
        0,
        "macros need a list",
        "certificate.dns.exists",
    ),
    (
        "certificate.dns.exists(c)",
        22,
        "a macro takes a name and an expression",
        "",
    ),
    (
        "certificate.dns.exists(user, true)",
        23,
        "the element needs a name that is not in use",
        "",
    ),
    (
        "certificate.dns.exists('a', true)",
        23,
        "the element needs a name",
        "",
    ),
    (
        "certificate.dns.exists(c, c)",
        26,
        "the macro needs a bool",
        "",
    ),
    (
        "certificate.dns.exists(c, certificate.uris.exists(d, c == d))",
        49,
        "macros cannot be nested",
        "",
    ),
    (
        "certificate.dns.exists(c, true) && c == 'a'",
        35,
        "there is no variable `c`",
        "",
    ),
    (
        "certificate.dns.map(c, [c]).size() == 1",
        23,
        "lists cannot be nested",
        "",
    ),
];
