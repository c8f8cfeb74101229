//! Texts that are no conditions: each says where it is wrong, and what would help.

use super::*;

fn refused(text: &str) -> ConditionError {
    match Condition::compile(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error,
    }
}

/// The text, the octet where it is wrong, and a part of message and hint.
const REFUSED: &[(&str, usize, &str, &str)] = &[
    ("request.methd == 'GET'", 8, "`request` has no field `methd`", "did you mean `method`?"),
    ("'ä' == requst.method", 8, "there is no variable `requst`", "did you mean `request`?"),
    ("method == 'GET'", 0, "there is no variable `method`", "did you mean `request.method`?"),
    ("cn == 'a'", 0, "there is no variable `cn`", "did you mean `certificate.cn`?"),
    ("certificate.dnss.size() > 0", 12, "`certificate` has no field `dnss`", "did you mean `dns`?"),
    ("request == 'a'", 0, "`request` is no value by itself", "method"),
    ("request.query == 'a'", 0, "`request.query` is no value by itself", "request.query[\"name\"]"),
    ("request.method", 0, "a condition must give true or false, and this gives a string", "=="),
    ("1 + 1", 0, "and this gives an int", "=="),
    ("certificate.dns", 0, "gives a list of string", ""),
    ("user == 5", 5, "`==` does not go with a string and an int", "int("),
    ("request.query['limit'] < 5", 23, "`<` does not go with a string and an int", "int("),
    ("now > '2026-01-01T00:00:00Z'", 4, "a timestamp and a string", "timestamp(\""),
    ("now - now > '1h'", 10, "a duration and a string", "duration(\""),
    ("user && true", 0, "`&&` needs a bool here, and this is a string", ""),
    ("!user", 1, "`!` needs a bool", ""),
    ("-user == 1", 1, "`-` needs a number", "int("),
    ("true < false", 5, "`<` does not compare a bool", ""),
    ("certificate.dns == certificate.dns", 16, "`==` does not compare a list of string", "exists"),
    ("true ? 1 == 1 : 2", 5, "`? :` does not go with a bool and an int", ""),
    ("user.startsWth('a')", 5, "there is no function `startsWth`", "did you mean `startsWith`?"),
    ("user.startsWith(1)", 16, "`startsWith` needs a string here, and this is an int", "string("),
    ("user.startsWith('a', 'b')", 5, "does not take so many arguments", ""),
    ("startsWith(user, 'a')", 0, "there is no function `startsWith`", "value.startsWith(...)"),
    ("user.has('a')", 5, "there is no function `has`", "has(...)"),
    ("sizeof(user) > 1", 0, "there is no function `sizeof`", "did you mean `size`?"),
    ("size(1) == 1", 5, "`size` needs a string or a list", ""),
    ("int(true) == 1", 4, "`int` makes no number of a bool", ""),
    ("string(now) == ''", 7, "`string` makes no text of a timestamp", ""),
    ("user.matches('(')", 13, "the regular expression cannot be used: unclosed group", ""),
    ("user.matches('a{9999}{9999}')", 13, "the regular expression cannot be used", ""),
    ("user.matches(request.path)", 13, "the regular expression must be written out", "contains"),
    ("inNetwork(source, '10.0.0.0/33')", 18, "`10.0.0.0/33` is no network", "10.0.0.0/8"),
    ("inNetwork(source, ['10.0.0.0/8', '10.0.0.1/8'])", 33, "bits set behind the prefix", ""),
    ("inNetwork(source, '::ffff:10.0.0.0/104')", 18, "a network of IPv4 in the clothes of IPv6", ""),
    ("inNetwork(source, user)", 18, "the networks must be written out", ""),
    ("inNetwork(user, '10.0.0.0/8')", 10, "`inNetwork` needs an address here", ""),
    ("source == '10.0.0.1'", 7, "`==` compares no addresses", "inNetwork"),
    ("source in ['10.0.0.1']", 7, "`in` looks for no addresses", "inNetwork"),
    ("source.port == 1", 7, "an address has no field `port`", "ip"),
    ("timestamp('tomorrow') < now", 10, "timestamp() needs a time", "timestamp(\""),
    ("timestamp(user) < now", 10, "timestamp() needs a time", ""),
    ("duration('1d') > now - now", 9, "duration() needs numbers with units", "1h30m"),
    ("now.getHours('Europe/Berlin') > 8", 13, "this is no zone", "+02:00"),
    ("user.getHours() > 8", 0, "`getHours` needs a timestamp", "now.getHours"),
    ("now.getHour() > 8", 4, "there is no function `getHour`", "did you mean `getHours`?"),
    ("request.headers[user] == ''", 16, "the name in the brackets must be written out", ""),
    ("request.headers['a b'] == ''", 16, "`a b` is no name of a header field", ""),
    ("user in request.headers", 0, "the name in the brackets must be written out", ""),
    ("request['method'] == ''", 8, "the fields of `request` do not stand in brackets", "request.name"),
    ("has(user)", 4, "has() asks for a field", "has(certificate.cn)"),
    ("has(request.path)", 4, "`request.path` is always there", ""),
    ("has(certificate.nme)", 16, "`certificate` has no field `nme`", ""),
    ("user in ['a', 1]", 14, "the elements before it are not", "of one kind"),
    ("user in []", 8, "the list is empty", ""),
    ("user in [['a']]", 9, "a list holds no lists", ""),
    ("user in 'alice'", 5, "`in` does not go with a string and a string", ""),
    ("user[0] == 'a'", 4, "a string has no elements", ""),
    ("certificate.dns['a'] == 'a'", 16, "an element's position needs an int", ""),
    ("user.exists(c, c == 'a')", 0, "macros go through lists", "certificate.dns.exists"),
    ("certificate.dns.exists(c)", 22, "a macro takes a name and an expression", ""),
    ("certificate.dns.exists(user, true)", 23, "the element needs a name that is not taken", ""),
    ("certificate.dns.exists('a', true)", 23, "the element needs a name", ""),
    ("certificate.dns.exists(c, c)", 26, "the macro needs a bool", ""),
    ("certificate.dns.exists(c, certificate.uris.exists(d, c == d))", 49, "one macro stands inside another", ""),
    ("certificate.dns.exists(c, true) && c == 'a'", 35, "there is no variable `c`", ""),
    ("certificate.dns.map(c, [c]).size() == 1", 23, "a list holds no lists", ""),
    ("{'a': 1}.size() == 1", 0, "conditions know no maps and messages", "int"),
    ("Request{}", 7, "conditions know no maps and messages", ""),
    ("1.5 > 1.0", 0, "conditions know no numbers with fractions", ""),
    ("1u == 1u", 0, "conditions know no unsigned numbers", ""),
    ("b'a' == b'a'", 0, "conditions know no bytes", ""),
    ("null == null", 0, "conditions know no null", ""),
    ("user = 'a'", 5, "the expression cannot be read at `=`", "=="),
    ("true & true", 5, "the expression cannot be read at `&`", "&&"),
    ("user == 'alice", 8, "the expression cannot be read at `'`", "quote"),
    ("user ==", 7, "the expression ends too early", "missing"),
    ("", 0, "the expression ends too early", "missing"),
    ("'ä' == user)", 12, "the expression cannot be read at `)`", ""),
    ("'ä' == user\n or true", 14, "the expression cannot be read at `o`", "CEL"),
    ("99999999999999999999 > 1", 0, "invalid int literal", ""),
    ("if == 'a'", 0, "reserved identifier: if", ""),
    ("user == '\\ud800'", 8, "invalid string literal", ""),
    ("request.`path` == 'a'", 7, "unsupported syntax", ""),
    ("request.?path == 'a'", 7, "unsupported syntax", ""),
];

#[test]
fn each_mistake_has_a_place_and_a_hint() {
    let mut wrong = Vec::new();
    for &(text, place, message, hint) in REFUSED {
        let error = refused(text);
        let says = error.message.contains(message) && error.hint.contains(hint) && !error.hint.is_empty();
        if !says || error.offset != Some(place) {
            wrong.push(format!("{text}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_text_beyond_the_bounds_is_refused_and_not_tried() {
    let nested = |count: usize, open: &str, close: &str| format!("{}true{}", open.repeat(count), close.repeat(count));
    for (open, close) in
        [("(", ")"), ("!(", ")"), ("true ? (", ") : true"), ("[", "]"), ("size(", ")"), ("a[", "]"), ("{", "}")]
    {
        for count in [25, 120] {
            let error = refused(&nested(count, open, close));
            assert!(error.message.contains("nested too deep"), "{count} {open}: {error:?}");
        }
    }
    assert!(Condition::compile(&nested(24, "(", ")")).is_ok());
    for count in [10_000, 1_000_000] {
        assert!(refused(&"(".repeat(count)).message.contains("longer than 2048 octets"));
        assert!(refused(&nested(count, "(", ")")).message.contains("longer than 2048 octets"));
    }
    for chain in
        ["1+", "!", "-", "true==", "1<", "user.", "user[0].", "a.b().", "a&&", "a?a:", "[", "{", "(", "a(", "a.a(", "'"]
    {
        let text = chain.repeat(2048 / chain.len());
        let _ = refused(&text);
        let _ = refused(&format!("{}1", text.get(..text.len() - 1).unwrap()));
    }
    let sum = |terms: usize| format!("{} == 1", vec!["1"; terms].join(" + "));
    assert!(Condition::compile(&sum(60)).is_ok());
    assert!(refused(&sum(100)).message.contains("nested too deep"));
    // Chains of `&&` are a balanced tree.
    assert!(Condition::compile(&vec!["true"; 250].join("&&")).is_ok());
}

#[test]
fn a_long_text_within_bounds_holds() {
    let text = vec!["user == 'alice'"; 100].join(" && ");
    assert_eq!(Request::plain().judge(&text), Ok(true));
}
