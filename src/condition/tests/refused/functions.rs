//! Calls that a function does not take: of texts, networks and times.

use super::Refused;

pub(super) const REFUSED: &[Refused] = &[
    (
        "user.startsWth('a')",
        5,
        "there is no function `startsWth`",
        "did you mean `startsWith`?",
    ),
    (
        "user.startsWith(1)",
        16,
        "`startsWith` needs a string here, and this is an int",
        "string(",
    ),
    (
        "user.startsWith('a', 'b')",
        5,
        "does not take this number of arguments",
        "",
    ),
    (
        "startsWith(user, 'a')",
        0,
        "there is no function `startsWith`",
        "value.startsWith(...)",
    ),
    ("user.has('a')", 5, "there is no function `has`", "has(...)"),
    (
        "sizeof(user) > 1",
        0,
        "there is no function `sizeof`",
        "did you mean `size`?",
    ),
    ("size(1) == 1", 5, "`size` needs a string or a list", ""),
    ("int(true) == 1", 4, "`int` cannot convert a bool", ""),
    (
        "string(now) == ''",
        7,
        "`string` cannot convert a timestamp",
        "",
    ),
    (
        "user.matches('(')",
        13,
        "the regular expression cannot be used: unclosed group",
        "",
    ),
    (
        "user.matches('a{9999}{9999}')",
        13,
        "the regular expression cannot be used",
        "",
    ),
    (
        "user.matches(request.path)",
        13,
        "the regular expression must be written out",
        "contains",
    ),
    (
        "inNetwork(source, '10.0.0.0/33')",
        18,
        "`10.0.0.0/33` is not a network",
        "10.0.0.0/8",
    ),
    (
        "inNetwork(source, ['10.0.0.0/8', '10.0.0.1/8'])",
        33,
        "bits set behind the prefix",
        "",
    ),
    (
        "inNetwork(source, '::ffff:10.0.0.0/104')",
        18,
        "an IPv4 network in IPv6-mapped form",
        "",
    ),
    (
        "inNetwork(source, user)",
        18,
        "the networks must be written out",
        "",
    ),
    (
        "inNetwork(user, '10.0.0.0/8')",
        10,
        "`inNetwork` needs an address here",
        "",
    ),
    (
        "source == '10.0.0.1'",
        7,
        "`==` does not compare addresses",
        "inNetwork",
    ),
    (
        "source in ['10.0.0.1']",
        7,
        "`in` does not compare addresses",
        "inNetwork",
    ),
    (
        "source.port == 1",
        7,
        "an address has no field `port`",
        "ip",
    ),
    (
        "timestamp('tomorrow') < now",
        10,
        "timestamp() needs a literal time",
        "timestamp(\"",
    ),
    (
        "timestamp(user) < now",
        10,
        "timestamp() needs a literal time",
        "",
    ),
    (
        "duration('1d') > now - now",
        9,
        "duration() needs a literal with numbers",
        "1h30m",
    ),
    (
        "now.getHours('Europe/Berlin') > 8",
        13,
        "this is not a time zone",
        "+02:00",
    ),
    (
        "user.getHours() > 8",
        0,
        "`getHours` needs a timestamp",
        "now.getHours",
    ),
    (
        "now.getHour() > 8",
        4,
        "there is no function `getHour`",
        "did you mean `getHours`?",
    ),
];
